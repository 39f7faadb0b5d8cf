"""Suites start when what they need is ready, while the rest is still being made; each side's failure ends the other."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support import Project

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """\
services:
  switch:
    image: busybox:1.35
    command:
      - sh
      - -c
      - |
        mkdir -p /www/cgi-bin
        printf '#!/bin/sh\\ntouch /www/$${0##*/}\\nprintf "Content-Type: text/plain\\\\n\\\\non"\\n' > /www/cgi-bin/on
        chmod +x /www/cgi-bin/on
        cp /www/cgi-bin/on /www/cgi-bin/in
        httpd -f -p 8080 -h /www
    expose: ["8080"]
  slow:
    image: busybox:1.35
    command:
      - sh
      - -c
      - |
        for mark in {marks}; do until wget -q -O /dev/null http://switch:8080/$$mark; do sleep 0.1; done; done
        {then}
    expose: ["8081"]
"""
"""`slow` gets no further before the switch was asked for `/cgi-bin/on`, or whatever else the marks are."""

ASK = """\
import os, time, urllib.request

def ask(path):
    with urllib.request.urlopen(os.environ["UNDERSTUDY_SWITCH_8080_URL"] + path) as answer:
        return answer.read()

"""


def staged(small: Callable[[str], Project], then: str, early: str, marks: str = "on") -> Project:
    project = small(COMPOSE.replace("{then}", then).replace("{marks}", marks))
    (project.folder / "understudy.toml").write_text(
        '[tests.early]\ncommand = ["pytest", "-q", "test_early.py"]\nneeds = ["switch"]\n\n'
        '[tests.late]\ncommand = ["pytest", "-q", "test_late.py"]\nneeds = ["slow:8081"]\n\n'
        '[tests.last]\ncommand = "true"\n'
    )
    (project.folder / "test_early.py").write_text(ASK + early)
    (project.folder / "test_late.py").write_text("def test_late():\n    pass\n")
    project.commit("Test it in stages")
    return project


def suites(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {suite["name"]: suite for suite in record["suites"]}


def test_a_suite_has_ended_before_what_another_one_needs_is_ready(small: Callable[[str], Project]) -> None:
    early = "def test_first():\n    assert 'UNDERSTUDY_SWITCH_8080_URL' in os.environ\n"
    project = staged(small, "httpd -f -p 8081", early, marks="on in")
    with (project.folder / "understudy.toml").open("a") as file:  # in a container, before `slow` is ready
        file.write(
            '\n[tests.inside]\nimage = "busybox:1.35"\nneeds = ["switch"]\n'
            'command = ["wget", "-q", "-O", "/dev/null", "http://switch:8080/cgi-bin/in"]\n'
        )
    (project.folder / "conftest.py").write_text(ASK + "def pytest_sessionfinish():\n    ask('/cgi-bin/on')\n")
    project.commit("Let the slow one go when the tests are over")
    plan = project.understudy("plan").out
    assert "early on the host, needs switch" in plan
    assert "last on the host, needs everything" in plan
    done = project.understudy("run")
    assert done.code == 0, done.text
    record = project.record()
    found = suites(record)
    waited = {name: {each["name"]: each["offset"] for each in suite["waited"]} for name, suite in found.items()}
    assert {name: set(each) for name, each in waited.items()} == {
        "early": {"relay", "switch"},
        "late": {"relay", "slow"},
        "last": {"relay", "switch", "slow"},
        "inside": {"relay", "switch"},
    }
    assert found["inside"]["offset"] < waited["late"]["slow"], "its request let `slow` go, and its end comes after that"
    (test,) = found["early"]["tests"]
    early_end = test["offset"] + test["seconds"]
    assert early_end < waited["late"]["slow"] <= found["late"]["offset"]
    for name, each in waited.items():
        assert max(each.values()) <= found[name]["offset"], "it starts when what it needs is there"
    phases = {phase["name"]: phase for phase in record["phases"]}
    provisioned = phases["provision"]["offset"] + phases["provision"]["seconds"]
    assert phases["test"]["offset"] < early_end < provisioned <= found["last"]["offset"]
    assert [found[name]["needs"] for name in ("early", "late", "last")] == [["switch"], ["slow:8081"], []]
    published = [change for change in record["changes"] if change["path"] == "services.switch.ports.8080/tcp"]
    assert [change["clone"] for change in published] == ["relay:8080"]
    assert published[0]["rule"] == "understudy.toml:3:1"


def test_what_cannot_be_made_ends_the_suites_that_run(small: Callable[[str], Project]) -> None:
    early = "def test_first():\n    ask('/cgi-bin/on')\n    time.sleep(120)\n\ndef test_second():\n    pass\n"
    project = staged(small, "echo gave up; exit 3", early)
    done = project.understudy("run")
    assert done.code == 3, done.text
    record = project.record()
    assert [(cause["kind"], cause["phase"]) for cause in record["causes"]] == [("ResourceFailedError", "provision")]
    found = suites(record)
    outcomes = {name: [(case["id"], case["outcome"]) for case in suite["tests"]] for name, suite in found.items()}
    assert outcomes["early"] == [
        ("test_early.py::test_first", "interrupted"),
        ("test_early.py::test_second", "not-run"),
    ]
    assert {outcome for name in ("late", "last") for _, outcome in outcomes[name]} == {"not-run"}
    assert "slow" in record["stopped_by"]
    root = ET.parse(project.latest() / "junit.xml").getroot()  # noqa: S314 - our own writer made it
    skipped = [case.find("skipped") for case in root.iter("testcase")]
    assert len(skipped) == 4
    assert all(each is not None and "slow" in each.attrib["message"] for each in skipped)
    assert record["receipt"]["outcome"] == "CLEAN"


def test_a_failed_test_ends_what_is_still_being_made(small: Callable[[str], Project]) -> None:
    project = staged(small, "true", "def test_first():\n    assert ask('/') == b'something else'\n")
    done = project.understudy("run")
    assert done.code == 1, done.text
    record = project.record()
    told = [line.split(maxsplit=2)[1:] for line in done.text.splitlines() if "  provision  " in line]
    assert ["provision", "stopped container slow"] in told
    assert not any("FAILED" in words for _, words in told), done.text
    assert [(cause["kind"], cause["phase"]) for cause in record["causes"]] == [("TestsFailedError", "test")]
    assert record["ready_at"] is None
    assert {suite["name"]: suite["status"] for suite in record["suites"]} == {
        "early": "failed",
        "late": "stopped",
        "last": "stopped",
    }
    assert record["receipt"]["outcome"] == "CLEAN"


def test_a_signal_while_some_is_made_and_some_is_tested_ends_both(small: Callable[[str], Project]) -> None:
    project = staged(small, "true", "def test_first():\n    time.sleep(120)\n")
    process = project.start("run", "--progress", "json")
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line) if line.startswith("{") else {}
        if (event.get("phase"), event.get("subject")) == ("test", "early"):
            break
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    record = project.record()
    assert record["exit_code"] == 130
    assert (project.latest() / "logs" / "switch.log").exists()
    assert record["ready_at"] is None
    assert {name: suite["status"] for name, suite in suites(record).items()} == {
        "early": "interrupted",
        "late": "interrupted",
        "last": "interrupted",
    }
    assert record["receipt"]["outcome"] == "CLEAN"
    assert project.leases() == []


def test_a_build_that_fails_lets_no_suite_begin_and_the_counts_add_up(small: Callable[[str], Project]) -> None:
    project = small(
        "services: {web: {build: web}}\nx-understudy: {tests: {a: {command: [pytest]}, b: {command: make}}}\n"
    )
    (project.folder / "web").mkdir()
    (project.folder / "web" / "Dockerfile").write_text("FROM busybox:1.35\nRUN echo no such luck && exit 3\n")
    (project.folder / "test_a.py").write_text("def test_a(): pass\n")
    project.commit("Break the build")
    done = project.understudy("run")
    assert done.code == 3, done.text
    record = project.record()
    assert [cause["phase"] for cause in record["causes"]] == ["build"]
    assert "no such luck" in record["causes"][0]["message"]
    assert {each["kind"] for each in record["resources"]} == {"build"}
    root = ET.parse(project.latest() / "junit.xml").getroot()  # noqa: S314 - our own writer made it
    cases = list(root.iter("testcase"))
    assert [case.get("classname") for case in cases] == ["a", "b"]
    assert (root.get("tests"), root.get("skipped"), root.get("failures"), root.get("errors")) == ("2", "2", "0", "0")
    for case in cases:
        skipped = case.find("skipped")
        assert skipped is not None
        assert "web" in skipped.attrib["message"]
    assert record["receipt"]["outcome"] == "CLEAN"
