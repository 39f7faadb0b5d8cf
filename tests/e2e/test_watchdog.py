"""Commands killed in the middle: what they made goes, with no other command given; what somebody keeps stays."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Project, begun, docker, labelled, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

SMALL = """\
services:
  early:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
x-understudy:
  tests:
    quick: {command: ["true"]}
"""


def kill(process: subprocess.Popen[str], *, group: bool) -> None:
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


def mentioned(project: Project) -> list[str]:
    """The processes that know the project's state folder, by an argument or by their environment."""
    state, found = os.fsencode(project.env["XDG_STATE_HOME"]), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if state in (path / "environ").read_bytes() + (path / "cmdline").read_bytes():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def files(project: Project) -> list[str]:
    """Leases, stacks and locks of the project's backend."""
    backend = Path(project.env["XDG_STATE_HOME"]) / "understudy" / "backend"
    names = ("leases", "stacks", "locks")
    found = [path for path in backend.rglob("*.json*") if set(path.parts) & set(names)]
    return [str(path) for path in found if "receipts" not in path.parts and path.name != "id.json"]


def prepared(project: Project) -> Project:
    """The project with a folder for temporary files of its own."""
    temporary = project.root.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    project.env["TMPDIR"] = str(temporary)
    return project


def left(project: Project) -> list[str]:
    """All that is there of a project: files, objects, processes, temporary folders."""
    objects = labelled("project", project.root.name)
    return [*files(project), *objects, *mentioned(project), *map(str, Path(project.env["TMPDIR"]).iterdir())]


SUITES = "label=dev.understudy.kind=suite"

MOMENTS = (("provision", "container early"), ("test", ""), ("export", ""), ("destroy", ""))


def test_runs_killed_at_any_moment_leave_nothing(small: Callable[[str], Project]) -> None:
    projects = []
    for number, (phase, subject) in enumerate(MOMENTS):
        project = prepared(small(SMALL.replace('"true"', 'sleep, "60"') if phase == "test" else SMALL))
        process = project.start("run", "--progress", "json")
        begun(process, phase, subject=subject)
        assert files(project) != [], phase
        kill(process, group=number % 2 == 0)
        projects.append(project)
    project = prepared(small(SMALL.replace("image: busybox:1.35", "build: .")))
    mark = f"sleep 61 # {project.root.name}"
    (project.folder / "Dockerfile").write_text(f"FROM busybox:1.35\nRUN {mark}\n")
    project.commit("Build for long")
    process = project.start("run", "--progress", "json")
    wait_for(lambda: mark in commands(), what="the container of the build")
    kill(process, group=True)
    projects.append(project)
    wait_for(lambda: not any(map(left, projects)), what="the watchdog's work and its end")
    wait_for(lambda: mark not in commands(), what="the end of the build")


def commands() -> str:
    """The commands of all containers of the daemon."""
    return docker("ps", "-a", "--no-trunc", "--format", "{{.Command}}")


def test_the_shop_killed_while_it_is_tested_leaves_nothing(shop: Project) -> None:
    prepared(shop)
    process = shop.start("run", "--progress", "json")
    begun(process, "test")
    kill(process, group=True)
    wait_for(lambda: left(shop) == [], what="the watchdog's work and its end")


def test_what_somebody_keeps_stays_and_what_somebody_removes_goes(small: Callable[[str], Project]) -> None:
    project = prepared(small(SMALL.replace('"true"]', 'sleep, "60"], image: early')))
    assert project.understudy("up").code == 0
    (lease,) = project.leases()
    suites = ("ps", "-a", "-q", "--filter", f"label=dev.understudy.environment={lease['id']}", "--filter", SUITES)
    for verb in ("test", "up"):
        process = project.start(verb, "--progress", "json")
        begun(process, "test" if verb == "test" else "provision")
        if verb == "test":
            wait_for(lambda: docker(*suites) != "", what="the container of the suite")
        kill(process, group=True)
        wait_for(lambda: [each["state"] for each in project.leases()] == ["kept"], what="the watchdog's work")
        assert docker(*suites) == ""
    assert labelled("environment", str(lease["id"])) != []
    process = project.start("down", "--progress", "json")
    begun(process, "destroy")
    kill(process, group=True)
    wait_for(lambda: left(project) == [], what="the watchdog's work and its end")


def test_a_cancelled_run_hands_over_and_its_record_says_so(small: Callable[[str], Project]) -> None:
    project = prepared(small(SMALL.replace('"true"', 'sleep, "60"')))
    process = project.start("run", "--progress", "json")
    begun(process, "test")
    (lease,) = project.leases()
    process.send_signal(signal.SIGINT)
    begun(process, "export")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert f"understudy receipt {lease['id']}" in out
    record = project.record()
    assert record["exit_code"] == 130
    assert record["ended"]
    assert "the watchdog removes" in str(record["causes"])
    wait_for(lambda: left(project) == [], what="the watchdog's work and its end")
    assert "CLEAN" in project.understudy("receipt", str(lease["id"])).text
