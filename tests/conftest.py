"""What all tests share: an order, a reason for every skip, and a state folder of their own."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import settings
from support import inventory

# What tests import - moto, pulumi_aws, botocore's models - stays: to go through it again at each 700 new objects took a
# third of the processor time of those that make an account.
gc.set_threshold(20_000)

# A shared machine stalls now and then: an example's time says nothing about the code.
settings.register_profile("understudy", deadline=None)
settings.load_profile("understudy")

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("unit", "engine", "faults", "aws", "e2e", "compose", "components", "meta")
"""Of the folders: what fails fast, then what takes long, then so many short ones that no worker is alone at the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--same-inventory", action="store_true", help="nobody else uses the daemon: it must end as it was")


INVENTORY = pytest.StashKey[dict[str, str]]()
GRACE = 30.0
"""Seconds that a container which was started with `--rm` and killed may take to go."""


def _asked(config: pytest.Config) -> bool:
    """Whether this process is to look, and sees the whole run: it starts before xdist's workers and ends after them."""
    return config.getoption("--same-inventory") and not hasattr(config, "workerinput") and not _docker()


def pytest_sessionstart(session: pytest.Session) -> None:
    if _asked(session.config):
        session.config.stash[INVENTORY] = inventory()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each test looks by label for what is its own; what carries no label shows here, whichever test left it."""
    before = session.config.stash.get(INVENTORY, None)
    if before is None:
        return
    end = time.monotonic() + GRACE
    while (now := inventory()).keys() != before.keys() and time.monotonic() < end:
        time.sleep(1)
    left = [f"left on the daemon: {one} {now[one]}" for one in sorted(now.keys() - before.keys())]
    gone = [f"gone from the daemon: {one} {before[one]}" for one in sorted(before.keys() - now.keys())]
    for line in (*left, *gone):
        session.config.get_terminal_writer().line(f"\n{line}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folder by folder; inside one, what a single worker has to do whole goes first, and the order stays."""

    def rank(item: pytest.Item) -> tuple[int, bool]:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        place = ORDER.index(folder) if folder in ORDER else len(ORDER)
        return place, item.get_closest_marker("xdist_group") is None

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
def _registry() -> str:
    from registry import missing

    return missing()


@functools.cache
def _compose() -> str:
    from compose.oracle import missing

    return missing()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, examine in (("compose", _compose), ("browser", _browser), ("registry", _registry)):
        if item.get_closest_marker(marker) and (reason := examine()):
            # a green CI run says that Compose was compared with, the page opened, images pushed; a desk can do without
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    for marker, examine in (("docker", _docker), ("pulumi", _pulumi), ("images", _images), ("private", _private)):
        if item.get_closest_marker(marker):
            reason = examine()
            if reason:
                pytest.skip(reason)


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's environments, and none is led by the variables of the CI job that runs it."""
    for name in list(os.environ):
        if name.startswith(("UNDERSTUDY_", "PULUMI_", "GITHUB_", "CI_")) and name != "UNDERSTUDY_PULUMI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
