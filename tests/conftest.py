"""What all tests share: fast ones first, a reason for every skip, and a state folder of their own."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine stalls now and then: an example's time says nothing about the code.
settings.register_profile("understudy", deadline=None)
settings.load_profile("understudy")

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("unit", "meta", "components", "compose", "engine", "faults", "aws", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast folders first; the order inside a folder stays."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=rank)


@functools.cache
def _docker() -> str:
    docker = shutil.which("docker")
    if docker is None:
        return "no docker CLI on PATH"
    asked = subprocess.run([docker, "info", "--format", "{{.ID}}"], capture_output=True, text=True, check=False)
    return "" if asked.returncode == 0 else f"no Docker Engine answers: {asked.stderr.strip()}"


@functools.cache
def _pulumi() -> str:
    from understudy.engine.pulumi_cli import find

    return "" if find() else "no Pulumi CLI; `make setup` makes one"


@functools.cache
def _images() -> str:
    asked = subprocess.run(["docker", "image", "inspect", "haproxy:2.6"], capture_output=True, check=False)
    return "" if asked.returncode == 0 else "the base images are missing; `make setup` makes them"


@functools.cache
def _private() -> str:
    from private_daemon import missing

    return missing()


@functools.cache
def _browser() -> str:
    from browser import missing

    return missing()


@functools.cache
def _compose() -> str:
    from compose.oracle import missing

    return missing()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, examine in (("compose", _compose), ("browser", _browser)):
        if item.get_closest_marker(marker) and (reason := examine()):
            # a green CI run says that Compose was compared with, and the page opened; a desk can do without
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    for marker, examine in (("docker", _docker), ("pulumi", _pulumi), ("images", _images), ("private", _private)):
        if item.get_closest_marker(marker):
            reason = examine()
            if reason:
                pytest.skip(reason)


@contextmanager
def _locked(how: int) -> Iterator[None]:
    """The lock that all tests with the daemon share, held `how` (shared or exclusive)."""
    lock = Path(tempfile.gettempdir()) / f"understudy-tests-{os.getuid()}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, how)
        yield


@pytest.fixture(autouse=True)
def daemon(request: pytest.FixtureRequest) -> Iterator[None]:
    """One daemon for all: tests that compare its whole inventory have it alone, all others share it."""
    if request.node.get_closest_marker("docker") is None:
        yield
        return
    with _locked(fcntl.LOCK_EX if "same_inventory" in request.fixturenames else fcntl.LOCK_SH):
        yield


@pytest.fixture(scope="module")
def shared_daemon() -> Iterator[None]:
    """For what a module starts once: between its tests, too, nobody has the daemon alone."""
    with _locked(fcntl.LOCK_SH):
        yield


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's environments, and none is led by the variables of the CI job that runs it."""
    for name in list(os.environ):
        if name.startswith(("UNDERSTUDY_", "PULUMI_", "GITHUB_", "CI_")) and name != "UNDERSTUDY_PULUMI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
