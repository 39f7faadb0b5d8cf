"""Runs beside each other on a real daemon: a newer commit ends older ones, and limits refuse or queue."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import Project, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
x-understudy: {tests: {api: {command: [pytest, -q, test_api.py]}}}
"""

TWO_NETWORKS = COMPOSE.replace("x-understudy", "    networks: [one, two]\nnetworks: {one: , two: }\nx-understudy")

TESTS = """\
import pathlib, time

def wait():
    for _ in range(3000):
        if pathlib.Path(GO).exists():
            return
        time.sleep(0.1)
    assert False, "nobody said go"

def test_first(): wait()
def test_second(): wait()
"""


def commit(project: Project, go: Path) -> str:
    """A commit whose tests last until the file `go` is there."""
    (project.folder / "test_api.py").write_text(f"GO = {str(go)!r}\n{TESTS}")
    usual = {"test_api.py::test_first": 3.0, "test_api.py::test_second": 3.0}  # one for each of two shards
    durations = {"schema": 1, "suites": {"api": {"seconds": 6.0, "tests": usual}}}
    (project.folder / "understudy-durations.json").write_text(json.dumps(durations))
    return project.commit(f"Wait for {go.name}")


def states(project: Project) -> list[str]:
    return sorted(str(lease["state"]) for lease in project.leases())


def folders(project: Project) -> list[Path]:
    return [path.parent for path in (project.folder / "understudy-runs").glob("*/run.json")]


def runs(project: Project) -> set[str]:
    return {folder.name for folder in folders(project)}


def record_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))


def test_of_several_commits_the_newest_is_run(small: Callable[[str], Project], tmp_path: Path) -> None:
    project, go = small(COMPOSE), tmp_path / "go"
    oldest = commit(project, tmp_path / "never")
    first = project.start("run", "--progress", "plain", "--shards", "2")
    wait_for(lambda: states(project) == ["testing", "testing"], what="both parts of the first run at their tests")
    middle = commit(project, tmp_path / "never again")
    second = project.start("run", "--progress", "plain")
    wait_for(lambda: middle in {lease["commit"] for lease in project.leases()}, what="the second run's lease")
    newest = commit(project, go)
    third = project.start("run", "--progress", "plain")

    said, _ = first.communicate(timeout=90)
    assert first.returncode == 7, said
    whole = next(folder for folder in folders(project) if record_in(folder).get("parts"))  # the newest may be there too
    record = record_in(whole)
    assert (record["exit_code"], record["commit"]) == (7, oldest)
    assert [(part["exit_code"], part["receipt"]) for part in record["parts"]] == [(7, "CLEAN"), (7, "CLEAN")]
    assert "superseded by commit " in record["causes"][0]["message"]
    assert "superseded by commit " in (whole / "summary.md").read_text()
    said, _ = second.communicate(timeout=90)
    assert second.returncode == 7, said
    assert f"superseded by commit {newest[:12]}" in said

    wait_for(lambda: states(project) == ["testing"], what="the third run alone at its tests")
    before = runs(project)
    project.git("worktree", "add", "-q", "--detach", str(tmp_path / "old"), oldest)
    late = Project(tmp_path / "old", tmp_path / "old", project.env | {"CI_COMMIT_REF_NAME": "main"})
    done = late.understudy("run")
    assert done.code == 7, done.text
    assert f"superseded by commit {newest[:12]}" in done.text
    assert runs(late) == set()
    assert runs(project) == before

    go.touch()
    said, _ = third.communicate(timeout=90)
    assert third.returncode == 0, said
    assert project.leases() == []


def test_a_limit_refuses_or_queues(small: Callable[[str], Project], tmp_path: Path) -> None:
    """The limit that is waited for is a pool of four subnets of the test's own: others on this daemon do not count."""
    project, go = small(TWO_NETWORKS), tmp_path / "go"
    project.env["UNDERSTUDY_SUBNET_POOL"] = f"10.212.{secrets.randbelow(256)}.0/24"
    commit(project, go)
    works = project.start("run", "--progress", "plain")
    wait_for(lambda: states(project) == ["testing"], what="the first run at its tests")
    before = runs(project)
    refused = project.understudy("run", "--max-environments=1", "--min-free-memory=1000t", "--min-free-disk=1000t")
    assert refused.code == 7, refused.text
    for limit in ("--max-environments allows 1", "--min-free-memory asks for 1000.0 TiB", "--min-free-disk asks for"):
        assert limit in refused.err
    assert "has none free for 2 of the 3 networks" in refused.err
    assert (states(project), runs(project)) == (["testing"], before)

    queued = project.start("run", "--progress", "plain", "--on-limit", "queue")
    wait_for(lambda: states(project) == ["testing", "waiting"], what="the second run in the queue")
    go.touch()
    for process in (works, queued):
        said, _ = process.communicate(timeout=90)
        assert process.returncode == 0, said
    assert "waiting for room: the pool of subnets" in said
    assert project.leases() == []
