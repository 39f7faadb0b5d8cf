"""A team's backend in a bucket: whose owner and watchdog were killed is reaped from a machine that never saw it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from private_daemon import BASE_IMAGES, PrivateDaemon, private_daemon
from s3_server import credentials, make_bucket, serve_moto
from support import Project, make_project, wait_for

pytestmark = [pytest.mark.private, pytest.mark.images, pytest.mark.pulumi, pytest.mark.xdist_group("reap_s3")]

NEVER_WHOLE = """\
services:
  early:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    healthcheck: {test: [CMD, "false"], interval: 1s, retries: 1000}
    volumes: ["data:/data"]
  late:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
    depends_on: {early: {condition: service_healthy}}
volumes: {data: {}}
x-understudy:
  tests:
    quick: {command: ["true"]}
"""
"""Its provisioning goes on for as long as a test needs, and holds the stack's lock meanwhile."""


@pytest.fixture
def daemon() -> Iterator[PrivateDaemon]:
    with private_daemon(images=BASE_IMAGES) as made:
        yield made


@pytest.fixture
def keys() -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """A server of S3, and what lies in its bucket."""
    with serve_moto() as url:
        bucket = make_bucket(url, "elsewhere")
        yield url, lambda: [each["Key"] for each in bucket.list_objects_v2(Bucket="elsewhere").get("Contents", [])]


def kill_all_of(state: str) -> int:
    """Stop, then kill every process that knows a state folder, so that none sees another end; returns how many."""
    stopped: set[int] = set()
    while found := {int(path.name) for path in Path("/proc").glob("[0-9]*") if _knows(path, state)} - stopped:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= found
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(stopped)


def _knows(path: Path, state: str) -> bool:
    try:
        return os.fsencode(state) in (path / "environ").read_bytes() + (path / "cmdline").read_bytes()
    except OSError:
        return False


def held(daemon: PrivateDaemon) -> list[str]:
    """All that there is on the daemon, labelled or not."""
    listings = (("ps", "-aq"), ("network", "ls", "-q", "--filter", "type=custom"), ("volume", "ls", "-q"))
    return [name for listing in listings for name in daemon.docker(*listing).split()]


def test_another_machine_reaps_what_a_killed_owner_and_watchdog_left_in_a_bucket(
    daemon: PrivateDaemon, keys: tuple[str, Callable[[], list[str]]], tmp_path: Path
) -> None:
    url, listed = keys
    options = f"region=eu-west-1&endpoint={url.removeprefix('http://')}&disableSSL=true&s3ForcePathStyle=true"
    there = {
        **credentials(url),
        **daemon.env,
        "PULUMI_BACKEND_URL": f"s3://elsewhere/shop?{options}",
        "PULUMI_CONFIG_PASSPHRASE": "of the team",
    }
    owner = make_project(tmp_path / "owner", tmp_path / "one")
    owner.env |= there | {"PATH": f"{owner.env['PATH']}:{daemon.env['PATH']}"}
    (owner.folder / "compose.yaml").write_text(NEVER_WHOLE, encoding="utf-8")
    owner.commit("Describe production")
    process = owner.start("run", "--progress", "json")
    wait_for(lambda: process.poll() is not None or daemon.docker("ps", "-q") != "", what="a container")
    assert process.poll() is None, process.communicate()[0]
    killed = kill_all_of(owner.env["XDG_STATE_HOME"])
    said = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGKILL, said
    assert killed >= 3, "the command, its Pulumi CLI and the watchdog"
    assert [key for key in listed() if "/locks/" in key] != [], said
    assert len(held(daemon)) >= 3

    (tmp_path / "empty").mkdir()
    reaper = Project(tmp_path / "empty", tmp_path / "empty", {**owner.env, "XDG_STATE_HOME": str(tmp_path / "two")})
    (lease,) = reaper.listed()
    environment = str(lease["id"])
    doctor = reaper.understudy("doctor")
    assert f"whose process is gone: understudy/{environment} by process" in doctor.out
    assert f"whose owner is dead: {environment}" in doctor.out
    before = listed(), sorted(held(daemon))
    dry = reaper.understudy("reap", "--format", "json")
    assert dry.code == 0, dry.text
    (verdict,) = [each for each in json.loads(dry.out)["verdicts"] if each["kind"] == "reap"]
    assert verdict["name"] == environment
    assert "ended while it was provisioning" in verdict["reason"]
    assert (listed(), sorted(held(daemon))) == before

    done = reaper.understudy("reap", "--yes", "--format", "json")
    assert done.code == 0, done.text
    (reaped,) = json.loads(done.out)["reaped"]
    assert (reaped["name"], reaped["receipt"], reaped["leftovers"]) == (environment, "CLEAN", [])
    assert "broke the lock of process" in done.err
    assert held(daemon) == []
    assert reaper.listed() == []
    assert [key for key in listed() if environment in key and "/receipts/" not in key] == []
    proof = reaper.understudy("receipt", environment, "--format", "json")
    assert proof.code == 0, proof.text
    again = reaper.understudy("reap", "--yes")
    assert again.code == 0, again.text
