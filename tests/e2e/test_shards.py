"""`--shards 2` on a real daemon: two clones side by side, each with its part of the tests, joined in one run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support import Project

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
    healthcheck: {test: [CMD, "true"], interval: 5m}
x-understudy: {tests: {api: {command: [pytest, -q, test_api.py]}}}
"""

TESTS = """\
import time

def test_first(): {first}
def test_second(): {second}
def test_third(): pass
"""


def split(small: Callable[[str], Project], first: str, second: str) -> Project:
    project = small(COMPOSE)
    (project.folder / "test_api.py").write_text(TESTS.format(first=first, second=second))
    usual = {"test_api.py::test_first": 3.0, "test_api.py::test_second": 3.0}
    durations = {"schema": 1, "suites": {"api": {"seconds": 6.0, "tests": usual}}}
    (project.folder / "understudy-durations.json").write_text(json.dumps(durations))
    (project.folder / "understudy.toml").write_text("shards = 2\n")
    project.commit("Split the tests")
    return project


def test_each_part_has_its_own_clone_and_one_failure_ends_them_all(small: Callable[[str], Project]) -> None:
    project = split(small, "pass", "pass")
    done = project.understudy("run")
    assert done.code == 0, done.text
    record = project.record()
    (api,) = record["suites"]
    assert sorted(test["id"].partition("::")[2] for test in api["tests"]) == ["test_first", "test_second", "test_third"]
    assert api["counts"]["passed"] == 3
    assert [(part["shard"], part["exit_code"], part["receipt"]) for part in record["parts"]] == [
        ("1/2", 0, "CLEAN"),
        ("2/2", 0, "CLEAN"),
    ]
    assert len({part["environment"] for part in record["parts"]}) == 2
    assert {each["part"] for each in record["containers"]} == {each["folder"] for each in record["parts"]}
    assert [each["name"] for each in record["phases"]].count("provision") == 2
    webs = [each["facts"]["health"]["status"] for each in record["containers"] if each["service"] == "web"]
    assert webs == ["starting", "starting"], "Docker's first check comes after five minutes"
    assert [node["health"] for node in record["graph"]["nodes"]] == ["healthy"]
    runs = [path.name for path in project.latest().parent.iterdir() if path.is_dir() and not path.is_symlink()]
    assert runs == [record["run"]], "the parts lie below the whole"

    (project.folder / "test_api.py").write_text(TESTS.format(first="assert False", second="time.sleep(120)"))
    project.commit("Break the first")
    failed = project.understudy("run")
    assert failed.code == 1, failed.text
    record = project.record()
    ends = {
        test["id"].partition("::")[2]: (test["outcome"], test["message"])
        for suite in record["suites"]
        for test in suite["tests"]
    }
    assert ends["test_first"][0] == "failed"
    assert ends["test_second"][0] in {"interrupted", "not-run"}
    assert ends["test_second"][1].endswith(": part 1/2: test test_api.py::test_first failed in suite api")
    assert record["stop_seconds"] is not None
    assert [part["exit_code"] for part in record["parts"]] == [1, 1]
    assert [part["receipt"] for part in record["parts"]] == ["CLEAN", "CLEAN"]
    assert record["causes"][0]["message"].startswith("part 1/2: Tests failed")
