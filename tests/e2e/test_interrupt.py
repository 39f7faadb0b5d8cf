from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from support import Project, docker, make_project, wait_for

from understudy.report import RunRecord

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

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


def started(project: Project, name: str) -> bool:
    """Whether the project's container of that name has been started."""
    labels = (f"label=dev.understudy.project={project.root.name}", f"label=dev.understudy.service={name}")
    return bool(docker("ps", "-q", "--filter", labels[0], "--filter", labels[1]).strip())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])  # SIGTERM: test_staged.py
def test_a_signal_while_provisioning_leaves_nothing(small: Callable[[str], Project], number: signal.Signals) -> None:
    project = small(SLOW)
    process = project.start("run", "--progress", "plain")
    wait_for(lambda: started(project, "late"), what="the container that never gets ready")
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "CLEAN" in out
    assert project.leases() == []
    assert project.record()["exit_code"] == 130


KILLED = """\
services:
  early:
    image: busybox:1.35
    command: [sh, -c, "echo my password is $$PASSWORD; httpd -f -p 8080"]
    environment: {PASSWORD: "${PASSWORD:-of-production}"}
    ports: ["8080"]
  job:
    image: busybox:1.35
    command: [sh, -c, "echo done >&2"]
    x-understudy: {kind: job}
x-understudy:
  secrets: [PASSWORD]
  tests:
    long: {command: [pytest, -s, -n, "0"]}
"""

ONE_OF_TWO = """\
import base64, os, pathlib, time

def test_quick():
    secret = os.environ["UNDERSTUDY_SECRET_PASSWORD"]
    pathlib.Path(PLACE).write_text(secret)
    print("password", secret, "in base64", base64.b64encode(secret.encode()).decode(), end=";", flush=True)

def test_endless():
    time.sleep(600)
"""


def test_a_killed_run_leaves_its_evidence_and_nothing_else(small: Callable[[str], Project]) -> None:
    project = small(KILLED)
    told, temporary = project.root / "told", project.root / "temporary"
    temporary.mkdir()
    (project.folder / "test_two.py").write_text(ONE_OF_TWO.replace("PLACE", repr(str(told))))
    project.commit("Test without end")
    project.env["TMPDIR"] = str(temporary)
    process = project.start("run", "--progress", "plain")

    def record() -> RunRecord | None:
        path = project.latest() / "run.json"
        return RunRecord.from_json(path.read_text(encoding="utf-8")) if path.exists() else None

    def at_work() -> bool:
        assert process.poll() is None, process.communicate()[0]
        seen = record()
        log = project.latest() / "logs" / "early.log"
        done = {test.outcome for suite in seen.suites for test in suite.tests} if seen else set()
        return "passed" in done and log.exists() and b"my password" in log.read_bytes()

    wait_for(at_work, what="the suite, in the record")
    assert list(temporary.rglob("contract.json")) != []
    process.kill()
    process.communicate(timeout=60)
    folder, left = project.latest(), record()
    wait_for(lambda: not list(temporary.glob("understudy-*")), what="the end of all private folders")
    secret = told.read_bytes()
    for path in (path for place in (folder, temporary) for path in place.rglob("*") if path.is_file()):
        assert secret not in path.read_bytes(), path
    assert b"password [secret] in base64 [secret]" in (folder / "suites" / "long" / "output.log").read_bytes()
    assert left is not None
    Draft202012Validator(RunRecord.json_schema()).validate(json.loads((folder / "run.json").read_text()))
    assert (left.ended, left.running) == (None, ("test",))
    outcomes = [(test.id.rpartition("::")[2], test.outcome.value) for test in left.suites[0].tests]
    assert outcomes == [("test_quick", "passed"), ("test_endless", "interrupted")]
    assert all(test.offset and test.offset > left.suites[0].offset > 0 for test in left.suites[0].tests)
    junit = ET.parse(folder / "junit.xml")  # noqa: S314 - our own writer made it
    assert [case.get("name") for case in junit.iter("testcase")] == ["test_quick", "test_endless"]
    assert left.seconds > left.phases[-1].offset > 0
    assert [phase.name for phase in left.phases] == ["clone", "build", "provision", "ready"]
    assert {(each.kind, each.name) for each in left.resources} >= {("container", "early"), ("wait", "job")}
    assert "my password is [secret]" in (folder / "logs" / "early.log").read_text(encoding="utf-8")
    assert (folder / "logs" / "job.log").read_text(encoding="utf-8").endswith("Z done\n")
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["offset"] for event in events] == sorted(event["offset"] for event in events)
    wait_for(lambda: project.leases() == [], what="the watchdog's work")


def test_an_interrupted_first_up_is_removed_and_says_so(small: Callable[[str], Project]) -> None:
    project = small(SLOW)
    process = project.start("up", "--progress", "plain")
    wait_for(lambda: started(project, "late"), what="the container that never gets ready")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert project.leases() == []


def test_a_second_signal_leaves_the_rest_to_the_watchdog(
    small: Callable[[str], Project],
) -> None:
    project = small(SLOW)
    process = project.start("run", "--progress", "plain")
    wait_for(lambda: started(project, "late"), what="the container that never gets ready")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    before = [*takewhile(lambda line: "stopping, then cleaning up. Once more" not in line, process.stdout)]
    assert process.poll() is None, "".join(before)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    proof = re.search(r"SIGINT again: the watchdog removes environment (\S+);", out)
    assert proof is not None, out
    wait_for(lambda: project.leases() == [], what="the watchdog's work")
    assert "CLEAN" in project.understudy("receipt", proof[1]).out


def test_a_reader_that_goes_away_does_not_end_the_clean_up(small: Callable[[str], Project]) -> None:
    project = small(TESTING.replace('sleep, "60"', '"true"'))
    process = project.start("run", "--progress", "plain")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=90) == 0
    assert project.leases() == []
    assert project.record()["receipt"]["outcome"] == "CLEAN"


def test_two_at_once_and_down_elsewhere(small: Callable[[str], Project], tmp_path: Path) -> None:
    project = small(SLOW)
    process = project.start("up", "--progress", "plain")
    wait_for(lambda: started(project, "late"), what="the container that never gets ready")
    (lease,) = project.leases()
    for verb in (["up"], ["test", str(lease["id"])]):
        done = project.understudy(*verb, "--lock-timeout", "0")
        assert done.code == 7, done.text
        assert str(process.pid) in done.text
    other = make_project(tmp_path / "other", tmp_path / "state")
    (other.folder / "compose.yaml").write_text(SLOW)
    other.commit("Another repository")
    done = other.understudy("down")
    assert done.code == 7, done.text
    done = project.understudy("down", str(lease["id"]), "--format", "json")
    assert done.code == 0, done.text
    assert json.loads(done.out)["outcome"] == "CLEAN"
    assert f"provisioning by process {process.pid}" in done.err
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "another command asked for it (understudy down, by" in out
    assert project.leases() == []


def test_down_stops_a_run_and_waits_for_its_own_clean_up(small: Callable[[str], Project]) -> None:
    project = small(TESTING)
    process = project.start("run", "--progress", "plain")
    wait_for(lambda: [lease["state"] for lease in project.leases()] == ["testing"], what="the tests")
    (lease,) = project.leases()
    done = project.understudy("down", str(lease["id"]))
    assert done.code == 0, done.text
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    (cause, *_) = project.record()["causes"]
    assert "understudy down, by" in cause["message"]
    assert project.record()["receipt"]["outcome"] == "CLEAN"
    assert project.leases() == []


def test_an_owner_that_does_not_stop_is_left_alone(small: Callable[[str], Project]) -> None:
    project = small(TESTING)
    process = project.start("run", "--progress", "plain")
    wait_for(lambda: [lease["state"] for lease in project.leases()] == ["testing"], what="the tests")
    (lease,) = project.listed()  # by a command: while the owner writes it, it holds the lock of all leases
    process.send_signal(signal.SIGSTOP)
    try:
        done = project.understudy("down", str(lease["id"]), "--lock-timeout", "3")
        assert done.code == 7, done.text
        assert f"process {process.pid}" in done.text
        assert "nothing was touched" in done.text
        assert started(project, "early")
    finally:
        process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert project.leases() == []
