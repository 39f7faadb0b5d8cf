"""F7, T5: the daemon restarts under a run's tests; and a backend that two daemons share. `make faults` has the rest."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from private_daemon import BASE_IMAGES, PrivateDaemon, private_daemon
from support import UNDERSTUDY, Done, Project, make_project, wait_for

pytestmark = [pytest.mark.private, pytest.mark.images, pytest.mark.pulumi, pytest.mark.xdist_group("daemon_gone")]

TEST = """\
services:
  early:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
x-understudy:
  tests:
    long: {command: [sleep, "120"]}
"""

HANG = 60.0
"""T5: seconds after which whatever still runs hangs."""


@pytest.fixture(scope="module")
def other() -> Iterator[PrivateDaemon]:
    with private_daemon(images=BASE_IMAGES) as daemon:
        yield daemon


@pytest.fixture
def there(other: PrivateDaemon, tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """A project whose commands use the private daemon; afterwards that holds nothing."""

    def make(compose: str) -> Project:
        project = make_project(tmp_path / "repository", tmp_path / "state")
        project.env |= other.env | {"PATH": f"{project.env['PATH']}:{other.env['PATH']}"}
        (project.folder / "compose.yaml").write_text(compose, encoding="utf-8")
        project.commit("Describe production")
        return project

    yield make
    if other.process is None:
        other.start()
    assert other.docker("ps", "-aq") == ""
    assert other.docker("network", "ls", "-q", "--filter", "type=custom") == ""
    assert other.docker("volume", "ls", "-q") == ""


def start(daemon: PrivateDaemon, project: Project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        daemon.inside([UNDERSTUDY, *arguments]),
        cwd=project.folder,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(daemon: PrivateDaemon, project: Project, *arguments: str) -> Done:
    process = start(daemon, project, *arguments)
    out, _ = process.communicate(timeout=120)
    return Done(process.returncode, out, "")


def states(project: Project) -> list[object]:
    return [lease["state"] for lease in project.leases()]


def test_a_daemon_that_restarts_fails_the_run_soon_and_leaves_nothing(
    other: PrivateDaemon, there: Callable[[str], Project]
) -> None:
    project = there(TEST)
    process = start(other, project, "run", "--progress", "plain")
    wait_for(lambda: states(project) == ["testing"], what="the tests")
    other.restart()
    began = time.monotonic()
    out, _ = process.communicate(timeout=HANG)
    print(f"ended {time.monotonic() - began:.1f} s after the restart\n{out}")  # noqa: T201 - for -rP
    assert process.returncode == 3, out
    record = project.record()
    assert "The target went away" in record["causes"][0]["message"]
    assert record["receipt"]["outcome"] == "CLEAN"
    assert states(project) == []


def test_from_another_daemon_an_environment_is_on_hold_and_untouched(
    other: PrivateDaemon, there: Callable[[str], Project]
) -> None:
    project = there(TEST)
    done = run(other, project, "up")
    assert done.code == 0, done.text
    (lease,) = project.leases()
    backend = tmp_state(project)
    before = {path: path.read_bytes() for path in backend.rglob("*") if path.is_file() and "receipts" not in path.parts}
    held = other.docker("ps", "-aq")
    elsewhere = {"DOCKER_HOST": ""}
    down = project.understudy("down", str(lease["id"]), env=elsewhere)
    assert down.code == 4, down.text
    assert f"receipt: HOLD {lease['id']}" in down.out
    reaped = project.understudy("reap", "--yes", env=elsewhere)
    assert reaped.code in (0, 5), reaped.text
    after = {path: path.read_bytes() for path in backend.rglob("*") if path.is_file() and "receipts" not in path.parts}
    assert after == before
    assert other.docker("ps", "-aq") == held
    done = run(other, project, "down", str(lease["id"]))
    assert done.code == 0, done.text


def tmp_state(project: Project) -> Path:
    return Path(project.env["XDG_STATE_HOME"]) / "understudy" / "backend"
