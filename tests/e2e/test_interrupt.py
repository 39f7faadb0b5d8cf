from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest
from support import Project, docker, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images, pytest.mark.usefixtures("same_inventory")]

SLOW = """\
services:
  early:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    expose: ["8080"]
  late:
    image: busybox:1.35
    command: [sh, -c, "sleep 60"]
    expose: ["8080"]
x-understudy:
  tests:
    none: {command: ["true"]}
"""

TESTING = """\
services:
  early:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
x-understudy:
  tests:
    long: {command: [sleep, "60"]}
"""


def started(name: str) -> bool:
    return bool(docker("ps", "-q", "--filter", f"label=dev.understudy.service={name}").strip())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_provisioning_leaves_nothing(small: Callable[[str], Project], number: signal.Signals) -> None:
    project = small(SLOW)
    process = project.start("run", "--progress", "plain")
    wait_for(lambda: started("late"), what="the container that never gets ready")
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "CLEAN" in out
    assert project.leases() == []
    assert project.record()["exit_code"] == 130


def test_a_signal_while_testing_stops_the_tests_and_exports(small: Callable[[str], Project]) -> None:
    project = small(TESTING)
    process = project.start("run", "--progress", "json")
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("phase") == "test" and event.get("subject") == "long":
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert (project.latest() / "logs" / "early.log").exists()
    assert project.leases() == []


def test_a_killed_run_is_removed_by_down(small: Callable[[str], Project]) -> None:
    project = small(TESTING)
    process = project.start("run", "--progress", "plain")
    wait_for(lambda: started("relay"), what="the relay")
    process.kill()
    process.communicate(timeout=60)
    (lease,) = project.leases()
    done = project.understudy("down", str(lease["id"]))
    assert done.code == 0, done.text
    assert project.leases() == []
