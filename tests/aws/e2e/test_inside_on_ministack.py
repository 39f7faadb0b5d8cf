"""Suites inside on an emulator of AWS that starts real containers: they call names that only the environment has.

The service's secret is a parameter of Systems Manager.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Project

from .account import holdings
from .conftest import Ministack, containers_of, volumes_of

pytestmark = [pytest.mark.docker, pytest.mark.images, pytest.mark.pulumi]

PYTHON = "python:3.11-slim"

COMPOSE = f"""\
services:
  web:
    image: {PYTHON}
    command:
      - sh
      - -c
      - 'cd /tmp; printf "%s" "$$TOKEN" | sha256sum > token; exec python3 -m http.server 8000'
    ports: ["80:8000"]
    environment: {{TOKEN: "${{TOKEN:-dev}}"}}
x-understudy:
  secrets: {{TOKEN: {{on_aws: parameter}}}}
  tests:
    tests: {{command: [pytest, -q, -p, "no:cacheprovider"], folder: tests, image: {PYTHON},
            environment: {{PYTHONPATH: /understudy-suite/files/shop/site}}}}
    checks: {{command: [./checks.sh], folder: tests, image: web}}
"""

TESTS = """\
import hashlib, os, pathlib, urllib.request

def test_the_environment_answers_by_its_own_name():
    assert os.environ["UNDERSTUDY_WEB_8000_URL"] == "http://web:8000"
    with urllib.request.urlopen("http://web:8000/", timeout=10) as answer:
        assert answer.status == 200

def test_the_service_has_the_secret_that_the_suite_is_told():
    with urllib.request.urlopen("http://web:8000/token", timeout=10) as answer:
        had = answer.read().split()[0].decode()
    assert had == hashlib.sha256(os.environ["UNDERSTUDY_SECRET_TOKEN"].encode()).hexdigest()

def test_the_secret_is_there_and_files_are_brought_out():
    assert len(os.environ["UNDERSTUDY_SECRET_TOKEN"]) > 5
    print(os.environ["UNDERSTUDY_SECRET_TOKEN"])
    folder = pathlib.Path(os.environ["UNDERSTUDY_RESULTS"]).parent
    (folder / "shots").mkdir()
    (folder / "shots" / "page.txt").write_text("seen")
"""

FAILING = """\
def test_that_nothing_answers():
    assert not "anything"
"""

CHECKS = """\
#!/bin/sh
set -e
python3 -c 'import urllib.request as r; r.urlopen("http://web:8000/", timeout=10)'
echo "checked $UNDERSTUDY_SUITE"
echo '<testsuite><testcase classname="checks" name="answers" time="0.1"/></testsuite>' > "$UNDERSTUDY_JUNIT"
"""


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Project]) -> Project:
    """A service and two suites inside, of which pytest lies in the tree."""
    project = new_project("shop")
    tests, site = project.folder / "tests", project.folder / "site"
    tests.mkdir(parents=True)
    site.mkdir()
    (project.folder / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    (tests / "test_it.py").write_text(TESTS, encoding="utf-8")
    (tests / "checks.sh").write_text(CHECKS, encoding="utf-8")
    (tests / "checks.sh").chmod(0o755)
    for package in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        shutil.copytree(_place(package), site / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_place("pytest").parent / "py.py", site)
    project.commit("Open the shop")
    return project


def _place(package: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def run(ministack: Ministack, project: Project, code: int) -> None:
    """A run that ends with this code and leaves nothing behind."""
    before = (holdings(), containers_of(ministack), volumes_of(ministack))
    done = project.understudy("run", "--target", "aws", "--history", "off", limit=900)
    assert done.code == code, done.text + ministack.log.read_text()[-4000:]
    assert project.record()["receipt"]["outcome"] == "CLEAN"
    assert (holdings(), containers_of(ministack), volumes_of(ministack)) == before
    assert not project.leases()


def test_suites_inside_pass_with_their_files_in_the_run_folder(ministack: Ministack, project: Project) -> None:
    run(ministack, project, 0)
    found = {each["name"]: each for each in project.record()["suites"]}
    assert {name: (each["status"], each["exit_code"]) for name, each in found.items()} == {
        "tests": ("passed", 0),
        "checks": ("passed", 0),
    }
    assert [test["outcome"] for test in found["tests"]["tests"]] == ["passed"] * 3
    assert [test["id"] for test in found["checks"]["tests"]] == ["checks::answers"]
    suites = project.latest() / "suites"
    assert (suites / "tests" / "shots" / "page.txt").read_text() == "seen"
    assert "3 passed" in (suites / "tests" / "output.log").read_text()
    assert (suites / "checks" / "output.log").read_text() == "checked checks\n"
    assert 'name="answers"' in (suites / "checks" / "reported.xml").read_text()
    assert all("answers" in (path / "junit.xml").read_text() for path in (suites / "checks", suites / "tests"))
    assert {path.stem for path in (project.latest() / "logs").glob("*.log")} == {"web"}


def test_a_failed_test_inside_ends_the_other_suite_inside(ministack: Ministack, project: Project) -> None:
    (project.folder / "tests" / "test_it.py").write_text(FAILING, encoding="utf-8")
    (project.folder / "tests" / "checks.sh").write_text("#!/bin/sh\necho at work\nsleep 600\n", encoding="utf-8")
    project.commit("Fail")
    run(ministack, project, 1)
    found = {each["name"]: each for each in project.record()["suites"]}
    assert (found["tests"]["status"], found["tests"]["tests"][0]["outcome"]) == ("failed", "failed")
    assert found["checks"]["status"] == "stopped"
    assert "anything" in (project.latest() / "suites" / "tests" / "junit.xml").read_text()
