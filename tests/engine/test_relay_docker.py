"""The relay's configuration, run by the HAProxy that it is written for."""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from understudy.components.haproxy import Route, haproxy_config
from understudy.stacks.clone import Endpoint

pytestmark = [pytest.mark.docker, pytest.mark.images]

LABEL = "dev.understudy.test-relay"


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip() + done.stderr.strip()


@pytest.fixture
def run() -> Iterator[str]:
    """A name of this test's own; whatever is labelled with it goes afterwards."""
    name = f"rt{uuid.uuid4().hex[:8]}"
    yield name
    for kind, remove in (("container", ["rm", "-f", "-v"]), ("network", ["rm"])):
        listing = docker(
            kind, "ls", *(["-a"] if kind == "container" else []), "-q", "--filter", f"label={LABEL}={name}"
        )
        if listing:
            docker(kind, *remove, *listing.split())


def write(folder: Path, routes: list[Route]) -> Path:
    config = folder / "haproxy.cfg"
    config.write_text(haproxy_config(routes), encoding="utf-8")
    config.chmod(0o644)
    return config


def test_haproxy_takes_the_configuration(tmp_path: Path, run: str) -> None:
    many = [Route(Endpoint(f"s{n}", 80), 20001 + n, (f"e-s{n}", f"e-s{n}-2")[: 1 + n % 2]) for n in range(40)]
    said = docker(
        "run", "--rm", "--network=none", f"--label={LABEL}={run}", f"-v={write(tmp_path, many)}:/cfg:ro",
        "haproxy:2.6", "haproxy", "-c", "-f", "/cfg",
    )  # fmt: skip
    assert "Configuration file is valid" in said
    assert "WARNING" not in said


class Relayed:
    """A relay on a closed network, and what it stands before."""

    def __init__(self, run: str, folder: Path, containers: tuple[str, ...]) -> None:
        self.run = run
        label = f"--label={LABEL}={run}"
        docker("network", "create", "--internal", label, f"{run}-back")
        docker("network", "create", label, f"{run}-edge")
        config = write(folder, [Route(Endpoint("web", 8080), 20001, containers)])
        docker("create", label, f"--name={run}-relay", f"--network={run}-edge", "-p=127.0.0.1::20001", "haproxy:2.6")
        docker("cp", str(config), f"{run}-relay:/usr/local/etc/haproxy/haproxy.cfg")
        docker("network", "connect", f"{run}-back", f"{run}-relay")
        docker("start", f"{run}-relay")
        self.port = int(docker("port", f"{run}-relay", "20001").splitlines()[0].rpartition(":")[2])

    def serve(self, name: str) -> None:
        """A server that speaks first and says its own address, as databases and mail servers do."""
        docker(
            "run", "-d", f"--label={LABEL}={self.run}", f"--name={name}", f"--network={self.run}-back", "busybox:1.35",
            "nc", "-ll", "-p", "8080", "-e", "hostname", "-i",
        )  # fmt: skip

    def ask(self) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.settimeout(10)
            try:
                return b"".join(iter(lambda: connection.recv(100), b"")).decode().strip()
            except ConnectionResetError:
                return ""

    def address(self, name: str) -> str:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "--format", form, name)

    def answer(self) -> str:
        """The first answer that is not empty: the container's name exists before its server listens."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if found := self.ask():
                return found
            time.sleep(0.05)
        pytest.fail(f"no answer: {docker('logs', f'{self.run}-relay')}")


def test_a_service_is_reached_before_and_after_it_moves(tmp_path: Path, run: str) -> None:
    web = f"{run}-web"
    relay = Relayed(run, tmp_path, (web,))
    assert relay.ask() == ""
    relay.serve(web)
    first = relay.address(web)
    assert relay.answer() == first
    docker("rm", "-f", web)
    relay.serve(f"{run}-other")  # takes the address that was free
    relay.serve(web)
    assert relay.address(web) != first
    assert relay.answer() == relay.address(web)


def test_every_replica_is_asked(tmp_path: Path, run: str) -> None:
    names = (f"{run}-web", f"{run}-web-2")
    relay = Relayed(run, tmp_path, names)
    for name in names:
        relay.serve(name)
    missing = {relay.address(name) for name in names}
    end = time.monotonic() + 30
    while missing and time.monotonic() < end:
        missing -= {relay.answer()}
    assert not missing
