"""Canaries: each secret that a command knows, searched for wherever it could have got, in every form (S3, S13)."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from support import Project, docker

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """\
name: {name}
services:
  web:
    build: web
    command: [sh, -c, "echo $$APP_TOKEN; httpd -f -p 8080 -h /"]
    environment: {{APP_TOKEN: "${{APP_TOKEN}}"}}
    ports: ['8080']
  other:
    image: busybox:1.35
    command: [sleep, "600"]
x-understudy:
  secrets: [APP_TOKEN]
  tests:
    leaky: {{command: [python3, leak.py], folder: tests}}
"""
LEAK = """\
import base64, json, os, urllib.parse
secret = os.environ["UNDERSTUDY_SECRET_APP_TOKEN"]
print(secret, "x" + secret + "y", json.dumps({"a": secret + chr(34)}), urllib.parse.quote(secret + "/"))
for text in (secret, "user:" + secret, secret * 2):
    print(base64.b64encode(text.encode()).decode())
print(base64.encodebytes(secret.encode()).decode())
print(sorted(os.environ.items()))
"""


def forms(secret: str) -> set[bytes]:
    data = secret.encode()
    whole = base64.b64encode(data)
    escaped = (quote(secret, safe=""), json.dumps(secret)[1:-1])
    return {data, whole, whole[:76], data.hex().encode(), *(text.encode() for text in escaped)}


def holding(folder: Path, secrets: dict[str, str]) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            there = [name for name, secret in secrets.items() if any(form in content for form in forms(secret))]
            found += [f"{name} in {path}" for name in there]
    return found


@contextmanager
def watched(secrets: dict[str, str], needless: dict[str, set[str]]) -> Iterator[list[str]]:
    """What the argument vectors of all processes show meanwhile, and the environments of those that need none of it."""
    found: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for process in Path("/proc").iterdir():
                if not process.name.isdigit():
                    continue
                with contextlib.suppress(OSError):
                    words = (process / "cmdline").read_bytes()
                    program = words.split(b"\0")[0].rpartition(b"/")[2].decode(errors="replace")
                    environment = (process / "environ").read_bytes()
                    for name, secret in secrets.items():
                        if secret.encode() in words:
                            found.append(f"{name} in the words of {words!r}")
                        if name in needless.get(program, ()) and secret.encode() in environment:
                            found.append(f"{name} in the environment of {words!r}")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def modes(folder: Path) -> list[str]:
    """What others than the owner could read."""
    return [
        f"{path} {path.stat().st_mode & 0o777:o}"
        for path in folder.rglob("*")
        if not path.is_symlink() and path.is_file() and path.stat().st_mode & 0o077
    ]


def test_no_canary_is_found_anywhere(small: Callable[[str], Project], tmp_path: Path) -> None:
    project = small("services: {}")
    canaries = {key: f'{key}-{uuid.uuid4().hex}-"/+&<%>' for key in ("variable", "passphrase", "registry", "token")}
    registry = base64.b64encode(f"me:{canaries['registry']}".encode()).decode()
    (tmp_path / "docker").mkdir()
    config = {"auths": {"registry.example": {"auth": registry}}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    project.env |= {
        "APP_TOKEN": canaries["variable"],
        "PULUMI_CONFIG_PASSPHRASE": canaries["passphrase"],
        "GITHUB_TOKEN": canaries["token"],
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }
    (project.folder / "compose.yaml").write_text(COMPOSE.format(name=project.root.name), encoding="utf-8")
    for folder, file, text in (
        ("web", "Dockerfile", f"FROM busybox:1.35\nRUN echo {uuid.uuid4().hex}; env\n"),
        ("tests", "leak.py", LEAK),
    ):
        (project.folder / folder).mkdir()
        (project.folder / folder / file).write_text(text, encoding="utf-8")
    project.commit("Describe production")

    needless = {"git": {*canaries}, "docker": {"passphrase", "token"}, "sh": {*canaries}, "httpd": {*canaries}}
    with watched(canaries, needless) as seen:
        up = project.understudy("up", "--format", "json")
        assert up.code == 0, up.text
        try:
            label = f"label=dev.understudy.environment={json.loads(up.out)['environment']}"
            facts = json.loads(docker("inspect", *docker("ps", "-q", "--filter", label).split()))
            made = _made(facts)
            known = canaries | {"generated": made}
            state, open_to_others = (
                holding(tmp_path / "state", known),
                modes(tmp_path / "state" / "understudy" / "backend" / ".understudy"),
            )
            tested = project.understudy("test", env={"PATH": os.environ["PATH"]})
        finally:
            down = project.understudy("down")
    assert (tested.code, down.code) == (0, 0), tested.text + down.text

    assert seen == []
    assert state == []
    assert (tmp_path / "state" / "understudy").stat().st_mode & 0o777 == 0o700
    assert open_to_others == [], "\n".join(open_to_others)
    runs = project.folder / "understudy-runs"
    assert holding(runs, known) == []
    assert modes(runs) == []
    told = "".join(done.text for done in (up, tested, down)).encode()
    assert not any(form in told for secret in known.values() for form in forms(secret))
    assert not any(canary in json.dumps(facts) for canary in canaries.values())


def _made(facts: list[dict[str, object]]) -> str:
    """The value that the service has; no other container has it."""
    values: list[str] = []
    for each in facts:
        config = each["Config"]
        assert isinstance(config, dict)
        values += [text.partition("=")[2] for text in config["Env"] if text.startswith("APP_TOKEN=")]
    (value,) = values
    return value
