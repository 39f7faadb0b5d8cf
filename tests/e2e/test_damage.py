"""What the real engine and daemon leave: a kill between create and checkpoint, and a state that was cut off."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Project, labelled, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

SERVED = """\
services:
  early:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
"""

KILLED = """\
import sys, threading
from pathlib import Path
from understudy.provider.container import Containers
real, made = Containers.create, Path(sys.argv[1])

def create(self, call, inputs):
    real(self, call, inputs)
    made.touch()
    threading.Event().wait()

Containers.create = create
sys.argv = ["understudy", "up", "--progress", "plain"]
from understudy.cli import main
main()
"""


def state_of(project: Project, environment: object) -> Path:
    backend = Path(project.env["XDG_STATE_HOME"]) / "understudy" / "backend"
    return backend / ".pulumi" / "stacks" / "understudy" / f"{environment}.json"


def left_in_backend(project: Project, environment: object) -> list[Path]:
    root = state_of(project, environment).parents[2]
    return [path for path in root.rglob("*") if str(environment) in path.name]


def test_a_container_that_the_state_never_knew_is_found_by_its_label(
    small: Callable[[str], Project], tmp_path: Path
) -> None:
    project, made = small(SERVED), tmp_path / "made"
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(made)], cwd=project.folder, env=project.env, stdout=out, stderr=out
        )
    wait_for(made.exists, what="the container")
    (lease,) = project.leases()
    known = json.loads(state_of(project, lease["id"]).read_text(encoding="utf-8"))["checkpoint"]["latest"]
    types = [resource["type"] for resource in known.get("resources", ())]
    assert "docker:index/container:Container" not in types
    assert len(labelled("environment", str(lease["id"]))) >= 2  # the network, and the container
    process.kill()
    process.wait()
    wait_for(lambda: labelled("environment", str(lease["id"])) == [], what="the watchdog's work")
    wait_for(lambda: project.leases() == [], what="the lease to be closed")
    done = project.understudy("receipt", str(lease["id"]))
    assert done.code == 0, done.text
    assert "CLEAN" in done.out
    assert left_in_backend(project, lease["id"]) == []


def test_two_downs_at_once_remove_what_a_cut_off_state_names_no_more(small: Callable[[str], Project]) -> None:
    project = small(SERVED)
    done = project.understudy("up")
    assert done.code == 0, done.text
    (lease,) = project.leases()
    state = state_of(project, lease["id"])
    whole = state.read_bytes()
    state.write_bytes(whole[: len(whole) // 2])
    assert project.understudy("list").code == 0
    both = [project.start("down", str(lease["id"]), "--progress", "plain") for _ in range(2)]
    outs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "".join(outs)
    assert any("its state is cut off, or no JSON" in out for out in outs), outs
    assert any("removed by label" in out for out in outs), outs
    assert all(f"receipt: CLEAN {lease['id']}" in out for out in outs), outs
    assert labelled("environment", str(lease["id"])) == []
    assert left_in_backend(project, lease["id"]) == []
    assert project.leases() == []
