"""A project in a folder of its own, and its suites run by the test stage with real processes."""

from __future__ import annotations

import sys
import textwrap
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from understudy.progress import Progress
from understudy.stacks.topology import Suite
from understudy.suites.contract import Contract, EndpointAddress
from understudy.suites.results import SuiteResult, SuitesResult
from understudy.suites.runner import run_suites

VALUE = "generated-0123456789"
CONTRACT = Contract("e1", (EndpointAddress("db", 5432, "127.0.0.1", 32001),), {"DB_PASSWORD": VALUE})
SLOW = """
    import os, pathlib, time
    def test_slow():
        pathlib.Path("pid").write_text(str(os.getpid()))
        pathlib.Path("begun").touch()
        time.sleep(30)
        pathlib.Path("ended").touch()
    def test_later():
        pathlib.Path("later").touch()
"""
WAIT = """
    import pathlib, time
    def wait_for(path):
        deadline = time.monotonic() + 20
        while not pathlib.Path(path).exists():
            assert time.monotonic() < deadline, f"{path} did not appear"
            time.sleep(0.01)
"""
FAILS = (
    WAIT
    + """
    def test_fails():
        wait_for("../slow/begun")
        assert False, "broken"
"""
)


class Stage:
    """A project in a folder of its own, and runs of its suites."""

    def __init__(self, base: Path) -> None:
        self.project = base / "project"
        self.project.mkdir()
        self.folder = base / "run"
        self.folder.mkdir()
        self.stop = threading.Event()
        self.events: list[Progress] = []

    def suite(self, name: str, *files: str, **options: Any) -> Suite:
        """A pytest suite of one folder with one test file for each text."""
        folder = self.project / name
        folder.mkdir()
        (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
        for number, text in enumerate(files):
            (folder / f"test_{number}.py").write_text(textwrap.dedent(text))
        return Suite(name, ("pytest", "-q"), **{"folder": name, "python": sys.executable, "timeout": 60.0, **options})

    def command(self, name: str, code: str, **options: Any) -> Suite:
        """A suite that is another command than pytest."""
        folder = self.project / name
        folder.mkdir()
        (folder / "check.py").write_text(textwrap.dedent(code))
        return Suite(name, (sys.executable, "check.py"), **{"folder": name, "timeout": 60.0, **options})

    def run(self, *suites: Suite, **options: Any) -> SuitesResult:
        given = {"workers": len(suites), "stop_after": 1, "listener": self.events.append, **options}
        return run_suites(suites, project=self.project, contract=CONTRACT, folder=self.folder, stop=self.stop, **given)

    def one(self, suite: Suite, **options: Any) -> SuiteResult:
        (result,) = self.run(suite, **options).suites
        return result


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def junit(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - our own document


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def outcomes(suite: SuiteResult) -> dict[str, str]:
    return {case.id.rpartition("::")[2]: case.outcome.value for case in suite.cases}


def message(suite: SuiteResult, name: str) -> str:
    return next(case.message for case in suite.cases if case.id.endswith(name))
