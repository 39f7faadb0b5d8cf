from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from support import Project, labelled

ROOT = Path(__file__).resolve().parents[2]
PATCHES = ROOT / "tests" / "e2e" / "patches"
pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]


def counts(junit: Path) -> dict[str, int]:
    cases = ET.parse(junit).getroot().iter("testcase")  # noqa: S314 - our own writer made it
    found = {"passed": 0, "failure": 0, "error": 0, "skipped": 0}
    for case in cases:
        kinds = [child.tag for child in case if child.tag in found]
        found[kinds[0] if kinds else "passed"] += 1
    return found


def apply(project: Project, patch: str) -> None:
    project.git("apply", str(PATCHES / patch))
    project.commit(f"Apply {patch}")


def test_a_commit_is_cloned_tested_exported_and_gone(shop: Project) -> None:
    done = shop.understudy("run")
    assert done.code == 0, done.text
    folder = shop.latest()
    assert str(folder) in done.out
    assert "CLEAN" in done.out
    record = shop.record()
    schema = json.loads((ROOT / "understudy" / "schemas" / "run.schema.json").read_text())
    Draft202012Validator(schema).validate(record)
    assert record["exit_code"] == 0
    assert record["commit"] == shop.git("rev-parse", "HEAD")
    assert {change["fidelity"] for change in record["changes"]} >= {"mocked", "missing", "changed"}
    assert counts(folder / "junit.xml")["passed"] >= 10
    logs = {path.stem for path in (folder / "logs").glob("*.log")}
    assert logs >= {"gateway", "catalog", "orders", "worker", "db", "queue", "migrate", "payments", "relay"}
    first = (folder / "logs" / "db.log").read_text().splitlines()[0]
    assert first[:2] == "20", "each line begins with its time stamp"
    asked = json.loads((folder / "mocks" / "payments.json").read_text())
    assert "/v1/charges" in json.dumps(asked)
    receipt = json.loads((folder / "receipt.json").read_text())
    assert receipt["outcome"] == "CLEAN"
    assert {node["health"] for node in record["graph"]["nodes"]} <= {"healthy", "running", "completed"}
    page = (folder / "report.html").read_bytes()
    assert b"<h1>Passed</h1>" in page
    assert shop.understudy("report").out.strip() == str(folder / "report.html")
    assert (folder / "report.html").read_bytes() == page, "a page made later is the same"
    assert shop.leases() == []
    assert "no environments" in shop.understudy("list").out


TELLING = """\
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "echo $$PASSWORD; httpd -f -p 8080"]
    environment: {{PASSWORD: "${{PASSWORD:-of-production}}"}}
    ports: ["8080"]
x-understudy:
  secrets: [PASSWORD]
  tests:
    tell: {{command: [pytest, -q], environment: {{TELL: {told}}}}}
"""


def test_no_secret_made_anew_is_in_the_evidence(small: Callable[[str], Project], tmp_path: Path) -> None:
    told = tmp_path / "told"
    project = small(TELLING.format(told=told))
    (project.folder / "test_tell.py").write_text(
        "import os\n\ndef test_tell():\n    secret = os.environ['UNDERSTUDY_SECRET_PASSWORD']\n"
        "    open(os.environ['TELL'], 'w').write(secret)\n    print(secret)\n    raise AssertionError(secret)\n"
    )
    project.commit("Tell the secret")
    done = project.understudy("run")
    assert done.code == 1, done.text
    secret = told.read_bytes()
    assert len(secret) >= 20
    assert secret not in done.text.encode()
    assert "[secret]" in (project.latest() / "logs" / "web.log").read_text()
    holders = [path for path in project.latest().rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert holders == []


CRASH = """\
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "echo my password is $$PASSWORD; exit 3"]
    environment: {PASSWORD: "${PASSWORD:-of-production}"}
x-understudy:
  secrets: [PASSWORD]
  tests:
    none: {command: ["true"]}
"""


def test_a_service_that_dies_fails_at_once_with_its_last_words_and_no_secret(small: Callable[[str], Project]) -> None:
    project = small(CRASH)
    for verb in ("up", "run"):
        done = project.understudy(verb)
        assert done.code == 3, done.text
        assert "my password is [secret]" in done.text
        assert "Traceback" not in done.text
        assert project.leases() == []
    assert "my password is [secret]" in (project.latest() / "logs" / "web.log").read_text()
    assert counts(project.latest() / "junit.xml") == {"passed": 0, "failure": 0, "error": 0, "skipped": 1}
    assert project.record()["receipt"]["outcome"] == "CLEAN"


KILLED = """\
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "echo up and about; httpd -f -p 8080"]
    ports: ["8080"]
    restart: unless-stopped
x-understudy:
  tests:
    kills: {command: [pytest, -q], workers: 1}
"""
KILLS = """\
import os, subprocess, time

def test_before(): pass

def test_kills():
    owned = f"label=dev.understudy.environment={os.environ['UNDERSTUDY_ENVIRONMENT']}"
    ids = subprocess.run(["docker", "ps", "-q", "--filter", owned, "--filter", "label=dev.understudy.service=web"],
                         capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["docker", "kill", *ids], check=True)
    time.sleep(120)

def test_after(): pass
"""


def test_a_service_that_is_killed_while_tests_run_is_no_tests_failure(small: Callable[[str], Project]) -> None:
    project = small(KILLED)
    (project.folder / "test_kills.py").write_text(KILLS)
    project.commit("Kill it")
    done = project.understudy("run")
    assert done.code == 3, done.text
    reason = "service web exited with code 137 (restart policy: unless-stopped)"
    record = project.record()
    (suite,) = record["suites"]
    outcomes = [(test["id"].rpartition(":")[2], test["outcome"], test["message"]) for test in suite["tests"]]
    assert outcomes == [
        ("test_before", "passed", ""),
        ("test_kills", "environment-failed", reason),
        ("test_after", "not-run", f"not run: {reason}"),
    ]
    (death,) = record["deaths"]
    assert (death["service"], death["exit_code"]) == ("web", 137)
    assert "up and about" in death["log"]
    assert [cause["kind"] for cause in record["causes"]] == ["EnvironmentFailedError"]
    assert record["stop_seconds"] is not None
    assert f"stopped: {reason}; no test process was left" in done.out
    assert project.leases() == []


def test_the_working_folder_as_it_lies(small: Callable[[str], Project]) -> None:
    project = small(CRASH)
    (project.folder / "compose.yaml").write_text(CRASH.replace("exit 3", "sleep 600"))
    done = project.understudy("run", "--dirty")
    assert done.code == 0, done.text
    assert project.record()["dirty"] is True
    assert project.git("status", "--porcelain") == "M compose.yaml"


def test_a_broken_service_fails_the_run_and_leaves_its_evidence(shop: Project) -> None:
    apply(shop, "break-orders.patch")
    done = shop.understudy("run")
    assert done.code == 1, done.text
    found = counts(shop.latest() / "junit.xml")
    assert found["failure"] >= 1
    record = shop.record()
    assert record["exit_code"] == 1
    assert record["receipt"]["outcome"] == "CLEAN"
    assert (shop.latest() / "logs" / "orders.log").stat().st_size > 0
    assert shop.leases() == []


def test_up_test_down_and_an_update_that_replaces_only_what_changed(shop: Project) -> None:
    shop.git("checkout", "-q", "-b", "a$(touch${IFS}x)")
    try:
        done = shop.understudy("up")
        assert done.code == 0, done.text
        before = running(shop)
        assert labelled("project", shop.root.name) != [], "the fixture looks for the right name"
        worker = shop.folder / "worker" / "app.py"
        worker.write_text(worker.read_text() + "\n# the same, said again\n")
        shop.commit("Touch the worker")
        done = shop.understudy("up")
        assert done.code == 0, done.text
        after = running(shop)
        assert {name for name in before if before[name] != after[name]} == {"worker"}
        done = shop.understudy("test")
        assert done.code == 0, done.text
        shown = shop.understudy("logs", str(shop.leases()[0]["id"]), "orders")
        assert "orders | " in shown.out
    finally:
        done = shop.understudy("down")
    assert done.code == 0, done.text
    assert "CLEAN" in done.out
    assert not (shop.folder / "x").exists()
    assert shop.leases() == []


def running(project: Project) -> dict[str, str]:
    """Service -> container id of the project's one environment."""
    environment = project.leases()[0]["id"]
    shown = subprocess.run(
        [
            *("docker", "ps", "--no-trunc", "--filter", f"label=dev.understudy.environment={environment}"),
            *("--format", '{{.Label "dev.understudy.service"}} {{.ID}}'),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in shown.stdout.splitlines())
