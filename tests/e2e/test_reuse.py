"""Suites that passed are not run again while nothing has changed that their result depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support import Project

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """\
services:
  web:
    image: busybox:1.35
    init: true
    command: [httpd, -f, -p, "8080", -h, /www]
    expose: ["8080"]
    volumes: ["./www:/www:ro"]
x-understudy:
  tests:
    near: {command: [sh, check.sh], folder: near, image: web, inputs: []}
    far: {command: [sh, check.sh], folder: far, image: "busybox:1.35", inputs: []}
"""


def suites(project: Project) -> dict[str, Any]:
    record: Any = project.record()
    return {suite["name"]: suite for suite in record["suites"]}


def test_only_what_changed_is_run_again(small: Callable[[str], Project]) -> None:
    project = small(COMPOSE)
    for name in ("near", "far"):
        (project.folder / name).mkdir()
        (project.folder / name / "check.sh").write_text("wget -q -O - http://web:8080/index.html\n")
    (project.folder / "www").mkdir()
    (project.folder / "www" / "index.html").write_text("hello\n")
    project.commit("Check what it says")
    done = project.understudy("run", "--reuse")
    assert done.code == 0, done.text
    first = suites(project)
    run = project.latest().name
    for suite in first.values():
        assert (suite["counts"]["passed"], suite["reuse"]["run"], len(suite["reuse"]["key"])) == (1, "", 64)
        assert "no run of the last 7 days passed it" in suite["reuse"]["why"]
    assert first["near"]["reuse"]["key"] != first["far"]["reuse"]["key"]

    (project.folder / "README.md").write_text("What no suite reads.\n")
    project.commit("Describe it")
    done = project.understudy("run", "--reuse")
    assert done.code == 0, done.text
    assert f"reused from run {run}" in done.text
    record: Any = project.record()
    second = suites(project)
    for name, suite in second.items():
        assert (suite["status"], suite["started"], suite["exit_code"]) == ("passed", None, None)
        assert {outcome: count for outcome, count in suite["counts"].items() if count} == {"reused": 1}
        assert (suite["reuse"]["run"], suite["reuse"]["key"]) == (run, first[name]["reuse"]["key"])
        assert f"reused from run {run}" in suite["reason"]
    assert {phase["name"] for phase in record["phases"]} == {"clone", "test", "export", "destroy"}
    assert (record["containers"], record["endpoints"], record["receipt"]["outcome"]) == ([], [], "CLEAN")
    root = ET.parse(project.latest() / "junit.xml").getroot()  # noqa: S314 - our own writer made it
    assert (root.get("tests"), root.get("skipped"), root.get("failures"), root.get("errors")) == ("2", "2", "0", "0")
    assert {each.get("type") for each in root.iter("skipped")} == {"reused"}
    for page in ("summary.md", "report.html"):
        assert f"reused from run {run[:16]}" in (project.latest() / page).read_text()

    (project.folder / "far" / "check.sh").write_text("wget -q -O - http://web:8080/missing.html\n")
    project.commit("Ask for what is not there")
    done = project.understudy("run", "--reuse")
    assert done.code == 1, done.text
    third = suites(project)
    assert (third["near"]["reuse"]["run"], third["near"]["status"]) == (run, "passed")
    assert (third["far"]["reuse"]["run"], third["far"]["reuse"]["key"], third["far"]["status"]) == ("", "", "failed")
    assert "not kept: it did not pass" in third["far"]["reuse"]["why"]
