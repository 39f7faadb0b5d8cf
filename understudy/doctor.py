"""What this machine has of what Understudy needs: one check a line, the versions that were tested, and what to do."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from understudy.engine.pulumi_cli import PINNED, find
from understudy.engine.settings import state_folder
from understudy.errors import ToolError, UnderstudyError
from understudy.watchdog.outliving import examine as ended_with_us

__all__ = ["TESTED", "TESTED_ON_AWS", "UNTESTED_ON_AWS", "Check", "examine", "main", "package", "render"]

TESTED: Mapping[str, str] = {
    "python": "3.11",
    "docker": "20.10.24",
    "pulumi": PINNED,
    "pulumi SDK": "3.272.0",
    "pulumi_docker": "5.2.0",
}
"""The versions that the tests run with; others of the same major version are expected to work."""

TESTED_ON_AWS: Mapping[str, str] = {
    **{name: TESTED[name] for name in ("python", "pulumi", "pulumi SDK")},
    "pulumi_aws": "7.51.1",
    "moto": "5.2.5",
    "ministack": "1.5.33",
}
"""Those on AWS: moto and ministack are emulators, and of pulumi_aws it is the classes alone."""

UNTESTED_ON_AWS = "the published plugin of pulumi_aws was not run, and no account of AWS was used: docs/aws.md"

LIMIT = 20
"""Seconds for a tool to say its version."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `ok`: True, False (Understudy cannot work so), or None (it works, with a limit)."""

    name: str
    ok: bool | None
    detail: str
    hint: str = ""


def examine(*, docker: bool = True) -> list[Check]:
    """Look at everything; nothing is changed, and no check's failure keeps another from being made.

    `docker`: also at the daemon, which a clone on AWS needs for nothing but images that are built.
    """
    daemon = _docker() if docker else []
    return [*_guarded("python", _python), *_guarded("git", _git), *daemon, *_guarded("pulumi", _pulumi), *_rest()]


def render(checks: Iterable[Check], *, docker: bool = True) -> str:
    """The checks as text: a word, the name, what was found; below it what to do; at the end what the tests run with."""
    words = {True: "ok", None: "note", False: "MISSING"}
    lines = []
    for check in checks:
        lines.append(f"{words[check.ok]:<8}{check.name:<14}{_printable(check.detail)}".rstrip())
        if check.hint:
            lines.append(f"{'':<22}{_printable(check.hint)}")
    tested = ", ".join(f"{name} {version}" for name, version in _tested(docker=docker).items())
    return "\n".join([*lines, "", f"Tested with {tested}." if docker else f"Tested with {tested}; {UNTESTED_ON_AWS}."])


def _tested(*, docker: bool) -> Mapping[str, str]:
    return TESTED if docker else TESTED_ON_AWS


def main(form: str = "text", more: Iterable[Check] = (), *, docker: bool = True) -> int:
    """Print the checks, and `more` after them, as text or json; 0 when nothing that is needed is missing, else 2."""
    checks = [*examine(docker=docker), *more]
    data = {"checks": [asdict(check) for check in checks], "tested": dict(_tested(docker=docker))}
    print(json.dumps(data, indent=1) if form == "json" else render(checks, docker=docker))  # noqa: T201 - what the command is for
    return 2 if any(check.ok is False for check in checks) else 0


def _printable(text: str) -> str:
    """What a tool said, on one line and without control characters."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def _guarded(name: str, check: Callable[[], Check | list[Check]]) -> list[Check]:
    try:
        made = check()
    except (UnderstudyError, OSError) as error:
        hint = error.hint if isinstance(error, UnderstudyError) else ""
        return [Check(name, ok=False, detail=str(error.args[0] if error.args else error), hint=hint)]
    return made if isinstance(made, list) else [made]


def _said(*command: str) -> str:
    """The first line that a tool prints; ToolError when it is missing or fails."""
    if shutil.which(command[0]) is None:
        raise ToolError(f"there is no {command[0]} on PATH", hint=f"Install {command[0]}.")
    try:
        asked = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"`{' '.join(command)}` did not answer within {LIMIT} s") from None
    if asked.returncode != 0:
        raise ToolError(f"`{' '.join(command)}` failed: {asked.stderr.strip() or asked.returncode}")
    return asked.stdout.strip().partition("\n")[0]


def _python() -> Check:
    good = sys.version_info >= (3, 11)
    hint = "" if good else "Install Python 3.11 or newer."
    return Check("python", good, f"{platform.python_version()} at {sys.executable}", hint)


def _git() -> Check:
    return Check("git", ok=True, detail=_said("git", "--version").removeprefix("git version "))


def _docker() -> list[Check]:
    engine = _guarded("docker", _engine)
    return [*engine, *_guarded("docker CLI", _docker_cli), *(_guarded("network", _network) if engine[0].ok else [])]


def _engine() -> Check:
    from docker.errors import DockerException

    from understudy.targets.docker_client import client, daemon_host, daemon_identity

    docker = client()
    try:
        version: dict[str, Any] = docker.version()
        info: dict[str, Any] = docker.info()
    except DockerException as error:
        raise ToolError(f"Asked the Docker daemon for its version, and it failed: {error}.") from error
    cgroup = f"cgroup {info.get('CgroupVersion', '?')} ({info.get('CgroupDriver', '?')})"
    detail = (
        f"Engine {version.get('Version')}, API {version.get('ApiVersion')}, {daemon_identity(docker)}, "
        f"{cgroup}, {info.get('NCPU')} CPUs, at {daemon_host()}"
    )
    return Check("docker", ok=True, detail=detail)


def _docker_cli() -> Check:
    version = _said("docker", "--version").removeprefix("Docker version ").partition(",")[0]
    try:
        buildx = _said("docker", "buildx", "version")
    except ToolError:
        return Check(
            "docker CLI",
            None,
            f"{version}, classic builder",
            "Without buildx a Dockerfile with `RUN --mount` or a `# syntax=` line cannot be built.",
        )
    return Check("docker CLI", ok=True, detail=f"{version}, {' '.join(buildx.split()[:2])}")


def _network() -> Check:
    """Whether container addresses lie on this machine: an address of the default bridge can only be bound to here."""
    from understudy.targets.docker_client import client

    bridge = client().networks.list(filters={"name": "^bridge$", "driver": "bridge"})
    facts: dict[str, Any] = bridge[0].attrs if bridge else {}
    name = (facts.get("Options") or {}).get("com.docker.network.bridge.name", "docker0")
    if facts and (Path("/sys/class/net") / name).exists():
        return Check("network", ok=True, detail=f"containers can be reached from here, over {name}")
    return Check(
        "network",
        None,
        "the daemon's containers are not on a bridge of this machine",
        "Ports are looked at from within the containers; endpoints of a remote daemon need --bind.",
    )


def _pulumi() -> list[Check]:
    return [_cli(), *(package(name, distribution) for name, distribution in _PACKAGES)]


_PACKAGES = (("pulumi SDK", "pulumi"), ("pulumi_docker", "pulumi-docker"))


def _cli() -> Check:
    try:
        cli = find()
    except ToolError as error:
        return Check("pulumi", ok=False, detail=str(error.args[0]), hint=error.hint)
    if cli is None:
        hint = (
            "Install Pulumi, or let `make setup` or the first run make one: by its installer, or with Go in a checkout."
        )
        return Check("pulumi", None, f"there is no CLI of {PINNED} or newer on PATH, and none in the cache", hint)
    newer = _series(cli.version) != _series(PINNED)
    hint = (
        f"Tested with {PINNED}; where a newer CLI answers differently, the public Automation API is used."
        if newer
        else ""
    )
    return Check("pulumi", None if newer else True, f"{cli.version} at {cli.path} ({cli.origin})", hint)


def _series(version: str) -> list[str]:
    return re.split(r"[.+-]", version)[:2]


def package(name: str, distribution: str, hint: str = "Install understudy with pip, which brings it.") -> Check:
    """The version of a Python package that is needed; `hint`: what to do where it is not installed."""
    try:
        return Check(name, ok=True, detail=importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, ok=False, detail="not installed", hint=hint)


def _rest() -> list[Check]:
    return [*_guarded("state", _state), *_guarded("loopback", _loopback), _connections(), _watchdog()]


def _watchdog() -> Check:
    """Whether something ends it together with the command that it waits for."""
    if why := ended_with_us():
        hint = "What it leaves then is removed by the next command on the same backend, or by `understudy reap`."
        return Check("watchdog", None, f"it would not outlive {why}", hint)
    return Check("watchdog", ok=True, detail="it outlives the commands that it waits for")


def _state() -> Check:
    folder = state_folder()
    there = folder
    while not there.exists():
        there = there.parent
    good = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return Check("state", good, str(folder), "" if good else "It cannot be written; name another with XDG_STATE_HOME.")


def _loopback() -> Check:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
    return Check("loopback", ok=True, detail="127.0.0.1 can be listened on")


def _connections() -> Check:
    """The embedded provider tells by it which user a connection on 127.0.0.1 comes from."""
    try:
        with Path("/proc/net/tcp").open(encoding="ascii") as table:
            table.readline()
    except OSError as error:
        hint = (
            "The user behind a connection to the embedded provider cannot be told; run it where no other user logs in."
        )
        return Check("connections", None, f"/proc/net/tcp cannot be read: {error.strerror}", hint)
    return Check("connections", ok=True, detail="/proc/net/tcp can be read")
