"""The order and the part of the tests in a real pytest, with and without xdist, as its own reports say."""

from __future__ import annotations

import json
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from understudy.progress import silent
from understudy.stacks.topology import Suite
from understudy.suites.arrangement import Arrangement, SuiteOrder
from understudy.suites.contract import Contract
from understudy.suites.results import SuitesResult, SuiteStatus
from understudy.suites.runner import run_suites
from understudy.suites.shards import Durations, Shard, split

TESTS = {
    "test_a.py": "def test_one(): pass\ndef test_two(): pass",
    "test_b.py": """
        import pytest
        @pytest.fixture(scope="module")
        def made():
            print("made once")
        def test_quick(made): pass
        def test_slow(made): pass
        class TestC:
            @pytest.mark.parametrize("n", [1, 2])
            def test_three(self, n): pass
        """,
}
ALL = [
    *("test_a.py::test_one", "test_a.py::test_two", "test_b.py::test_quick", "test_b.py::test_slow"),
    *("test_b.py::TestC::test_three[1]", "test_b.py::TestC::test_three[2]"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
    for name, text in TESTS.items():
        (folder / name).write_text(textwrap.dedent(text))
    return folder


def run(project: Path, folder: Path, arrangement: Arrangement, *command: str, workers: int = 1) -> SuitesResult:
    folder.mkdir()
    return run_suites(
        [Suite("api", ("pytest", "-q", *command), python=sys.executable, timeout=60.0)],
        project=project,
        contract=Contract("e1", (), {}),
        folder=folder,
        workers=workers,
        stop_after=1,
        stop=threading.Event(),
        listener=silent,
        arrangement=arrangement,
    )


def begun(folder: Path) -> list[str]:
    """The tests in the order in which they began."""
    lines = (folder / "suites" / "api" / "results.jsonl").read_text().splitlines()
    return [event["id"] for event in map(json.loads, lines) if event["event"] == "start"]


def test_failed_tests_come_first_and_then_the_longest_file(project: Path, tmp_path: Path) -> None:
    order = SuiteOrder(True, 9.0, ("test_a.py::test_two", "test_gone.py::test_x"), {"test_b.py::test_slow": 5.0})
    result = run(project, tmp_path / "run", Arrangement({"api": order}), "-s")
    assert result.passed
    assert begun(tmp_path / "run") == [ALL[1], *ALL[2:], ALL[0]]
    assert (tmp_path / "run" / "suites" / "api" / "output.log").read_text().count("made once") == 1


def test_each_worker_of_xdist_has_the_same_order_with_the_longest_test_first(project: Path, tmp_path: Path) -> None:
    seconds = dict.fromkeys(ALL, 1.0) | {"test_b.py::test_slow": 5.0}
    order = SuiteOrder(True, 9.0, ("test_a.py::test_two",), seconds)
    result = run(project, tmp_path / "run", Arrangement({"api": order}), workers=2)
    assert result.passed
    assert sorted(case.id for case in result.suites[0].cases) == sorted(ALL)
    collected = next(
        event["ids"]
        for event in map(json.loads, (tmp_path / "run/suites/api/results.jsonl").read_text().splitlines())
        if event["event"] == "collected"
    )
    assert collected == [ALL[1], ALL[3], *ALL[4:], ALL[2], ALL[0]]


@pytest.mark.parametrize("workers", [1, 2])
def test_three_machines_with_other_memories_run_each_test_once(project: Path, tmp_path: Path, workers: int) -> None:
    made = split([("api", True)], Durations({}, {"api": {ALL[0]: 4.0, ALL[1]: 1.0, "test_gone.py::test_x": 9.0}}), 3)
    ran: list[str] = []
    for index in (1, 2, 3):
        order = SuiteOrder(False, 1.0, (ALL[index],), {ALL[index]: float(index)})
        folder = tmp_path / f"part-{index}"
        result = run(project, folder, Arrangement({"api": order}, Shard(index, 3), made), workers=workers)
        (suite,) = result.suites
        assert result.passed, suite
        mine = [case.id for case in suite.cases if case.id != "(suite)"]
        assert sorted([*mine, *suite.elsewhere]) == sorted(ALL), "each knows all that was collected"
        ran += mine
    assert sorted(ran) == sorted(ALL)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_part_without_tests_passes_and_an_empty_selection_does_not(
    project: Path, tmp_path: Path, workers: int
) -> None:
    nothing = split([("api", True)], Durations({}, {"api": dict.fromkeys(ALL, 0.0) | {ALL[0]: 1.0}}), 2)
    here = dict.fromkeys(nothing.tests["api"], 1)
    made = type(nothing)(2, {}, {"api": here}, "x")
    (suite,) = run(project, tmp_path / "none", Arrangement({}, Shard(2, 2), made), workers=workers).suites
    assert (suite.status, suite.exit_code) == (SuiteStatus.PASSED, 5)
    assert "all 6 tests are in other shards" in suite.reason
    (suite,) = run(
        project, tmp_path / "typo", Arrangement({}, Shard(2, 2), made), "-k", "no such", workers=workers
    ).suites
    assert suite.status is SuiteStatus.ERROR


def test_a_machine_whose_part_has_no_suite_runs_nothing_and_passes(project: Path, tmp_path: Path) -> None:
    made = split([("lint", False)], Durations(), 2)
    told: list[SuitesResult] = []
    for index in (1, 2):
        folder = tmp_path / f"part-{index}"
        folder.mkdir()
        told.append(
            run_suites(
                [Suite("lint", (sys.executable, "-c", "pass"), timeout=60.0)],
                project=project,
                contract=Contract("e1", (), {}),
                folder=folder,
                workers=1,
                stop_after=1,
                stop=threading.Event(),
                listener=silent,
                arrangement=Arrangement({}, Shard(index, 2), made),
            )
        )
        assert (folder / "junit.xml").is_file()
    assert [result.passed for result in told] == [True, True]
    assert sorted(len(result.suites) for result in told) == [0, 1]
