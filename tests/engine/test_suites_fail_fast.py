"""What ends a test stage early, with real processes: failures over all suites, a dead service, a broken environment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from understudy.halts import Halt, Halted
from understudy.stacks.topology import Suite
from understudy.suites.arrangement import Arrangement, SuiteOrder
from understudy.suites.results import SuiteStatus
from understudy.suites.runner import run_nothing
from understudy.targets.watching import Death, How, StillWatch

from .suite_stages import WAIT, Stage, junit, message, outcomes

FIFTY = (
    WAIT
    + """
    import pytest
    @pytest.mark.parametrize("n", range(50))
    def test_n(n):
        if n == LAST:
            END
"""
)
HANGS = FIFTY.replace("LAST", "3").replace("END", 'pathlib.Path("reached").touch(); time.sleep(60)')
FAILS = FIFTY.replace("LAST", "5").replace("END", '[wait_for(f"../{name}/reached") for name in "acd"]; assert n == 0')


def test_one_failure_among_200_tests_in_4_suites_stops_all_and_every_test_is_accounted_for(stage: Stage) -> None:
    suites = [stage.suite(name, FAILS if name == "b" else HANGS) for name in "abcd"]

    result = stage.run(*suites)

    assert result.stopped_by == "test test_0.py::test_n[5] failed in suite b"
    counts = {suite.name: {key: value for key, value in suite.counts().items() if value} for suite in result.suites}
    stopped = {"passed": 3, "interrupted": 1, "not-run": 46}
    assert counts == {"a": stopped, "b": {"passed": 5, "failed": 1, "not-run": 44}, "c": stopped, "d": stopped}
    assert [suite.status.value for suite in result.suites] == ["stopped", "failed", "stopped", "stopped"]
    root = junit(stage.folder / "junit.xml")
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["200", "1", "0", "185"]
    for suite in root:
        names = [case.get("name") for case in suite]
        assert names == [f"test_n[{number}]" for number in range(50)], "in the order in which they were collected"
    told = {skipped.get("message") for skipped in root.iter("skipped")}
    assert told == {f"{how}: {result.stopped_by}" for how in ("not run", "stopped while it ran")}
    assert result.stop_seconds is not None


class Told(Halt):
    """Another part fails once a test has been reached."""

    def __init__(self, reached: Path) -> None:
        super().__init__()
        self.reached = reached

    @property
    def said(self) -> Halted | None:
        return Halted("part 2/2: test t failed in suite s", time.monotonic()) if self.reached.exists() else None

    @said.setter
    def said(self, _: Halted | None) -> None:
        """As a part begins: nothing is said."""


def test_a_failure_in_another_part_stops_what_runs_and_what_waits(stage: Stage) -> None:
    hangs, waits = stage.suite("a", HANGS), stage.suite("b", HANGS)
    result = stage.run(hangs, waits, workers=1, halt=Told(stage.project / "a" / "reached"))
    assert [suite.status for suite in result.suites] == [SuiteStatus.STOPPED, SuiteStatus.STOPPED]
    assert (result.halted, result.failed, result.interrupted) == (True, False, False)
    assert result.stopped_by == "part 2/2: test t failed in suite s"
    assert {each.get("message") for each in junit(stage.folder / "junit.xml").iter("skipped")} == {
        f"{how}: {result.stopped_by}" for how in ("not run", "stopped while it ran")
    }
    assert result.stop_seconds is not None


def test_failures_count_over_all_suites(stage: Stage) -> None:
    fails = "    def test_{n}(): assert wait_for('{path}') or 0, 'no'\n"
    touch = "    def test_t{n}(): pathlib.Path('{path}').touch()\n"
    hang = "    def test_z(): time.sleep(60)\n"
    one = stage.suite("one", WAIT + fails.format(n="a", path=".") + touch.format(n=1, path="done") + hang)
    two = stage.suite(
        "two", WAIT + fails.format(n="b", path="../one/done") + fails.format(n="c", path="../one/done") + hang
    )

    result = stage.run(one, two, stop_after=3)

    assert result.stopped_by == "3 tests failed, the last of them: test test_0.py::test_c failed in suite two"
    assert outcomes(result.suites[0]) == {"test_a": "failed", "test_t1": "passed", "test_z": "interrupted"}
    assert outcomes(result.suites[1])["test_c"] == "failed"
    assert sum(suite.counts()["failed"] for suite in result.suites) == 3


def times(stage: Stage, names: str) -> list[tuple[float, float]]:
    return [
        (float((stage.project / name / "began").read_text()), float((stage.project / name / "ended").read_text()))
        for name in names
    ]


TIMED = """
    import pathlib, time
    def test_t():
        pathlib.Path("began").write_text(repr(time.monotonic()))
        time.sleep(0.2)
        pathlib.Path("ended").write_text(repr(time.monotonic()))
"""


def test_one_cap_holds_suites_and_workers_together(stage: Stage) -> None:
    suites = [stage.suite(name, TIMED) for name in "abc"]

    first = {"c": SuiteOrder(failed=True, seconds=2.0), "a": SuiteOrder(failed=True, seconds=1.0)}

    result = stage.run(*suites, workers=1, arrangement=Arrangement(first))

    assert result.passed
    spans = times(stage, "cab")
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans)), "c, a, then b"
    assert [suite.workers for suite in result.suites] == [1, 1, 1]


def test_a_suite_that_never_started_is_named_with_the_cause(stage: Stage) -> None:
    failing = stage.suite("failing", "def test_a(): assert 0\n")
    waiting = stage.suite("waiting", "def test_b(): pass\n")

    result = stage.run(failing, waiting, workers=1)

    queued = result.suites[1]
    assert (queued.status, queued.started, queued.attempts) == (SuiteStatus.STOPPED, None, 0)
    assert [(case.id, case.outcome.value) for case in queued.cases] == [("(suite)", "not-run")]
    assert queued.cases[0].message == "not run: test test_0.py::test_a failed in suite failing"
    root = junit(stage.folder / "junit.xml")
    assert (root.get("tests"), root.get("skipped")) == ("2", "1")


class Barrier:
    """A gate that opens for a suite once a file is there, or breaks."""

    def __init__(self, waiting: str, path: Path, broken: str = "") -> None:
        self.waiting, self.path, self.why = waiting, path, broken

    def is_open(self, suite: Suite) -> bool:
        return suite.name != self.waiting or self.path.exists()

    def broken(self) -> str:
        return self.why if self.path.exists() else ""


def test_a_suite_that_waits_for_its_needs_holds_no_place(stage: Stage) -> None:
    late, ready = stage.suite("late", TIMED), stage.suite("ready", TIMED)
    gate = Barrier("late", stage.project / "ready" / "ended")

    result = stage.run(late, ready, workers=1, gate=gate, arrangement=Arrangement({"late": SuiteOrder(failed=True)}))

    assert result.passed
    (ready_span, late_span) = [times(stage, [name])[0] for name in ("ready", "late")]  # type: ignore[arg-type]  # - names
    assert ready_span[1] <= late_span[0]


def test_an_environment_that_will_never_be_there_stops_everything(stage: Stage) -> None:
    late, running = stage.suite("late", TIMED), stage.suite("running", HANGS)
    gate = Barrier("late", stage.project / "running" / "reached", "container db could not be made")
    gate.is_open = lambda suite: suite.name == "running"  # type: ignore[method-assign]  # - closed for good

    result = stage.run(late, running, gate=gate)

    assert [suite.status for suite in result.suites] == [SuiteStatus.STOPPED, SuiteStatus.STOPPED]
    assert result.stopped_by == "container db could not be made"
    assert not result.failed


class Seen(StillWatch):
    """A watch that notices a death as soon as a file is there."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.found: tuple[Death, ...] = ()

    def deaths(self) -> Sequence[Death]:
        if not self.found and self.path.exists():
            log = "the password is generated-0123456789"
            reason = "exited with code 137, killed because it ran out of memory"
            at = self.path.stat().st_mtime
            self.found = (Death("db", "e1-db", How.MEMORY, at, reason, time.monotonic(), 137, log=log),)
        return self.found

    def settle(self, seconds: float) -> Sequence[Death]:  # noqa: ARG002 - it has nothing to wait for
        return self.deaths()


def test_a_death_stops_everything_and_no_test_is_to_blame(stage: Stage) -> None:
    running = stage.suite("running", HANGS)

    result = stage.run(running, watch=Seen(stage.project / "running" / "reached"))

    (found,) = result.suites
    assert found.status is SuiteStatus.ENVIRONMENT
    counts = {key: value for key, value in found.counts().items() if value}
    assert counts == {"passed": 3, "environment-failed": 1, "not-run": 46}
    assert found.reason == result.stopped_by == str(result.deaths[0])
    assert message(found, "test_n[4]") == f"not run: {result.stopped_by}"
    assert not result.failed
    assert result.deaths[0].log == "the password is [secret]"
    root = junit(stage.folder / "junit.xml")
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["50", "0", "1", "46"]
    assert result.stop_seconds is not None


def test_a_failure_that_a_death_caused_before_it_was_noticed_is_the_environments(stage: Stage) -> None:
    fails = "    def test_a(): pathlib.Path('reached').touch(); assert 0, 'connection reset'\n    def test_b(): pass\n"
    failing = stage.suite("failing", WAIT + fails)

    class Late(Seen):
        def deaths(self) -> Sequence[Death]:
            return self.found

        def settle(self, seconds: float) -> Sequence[Death]:
            return Seen.deaths(self) or super().settle(seconds)

    result = stage.run(failing, watch=Late(stage.project / "failing" / "reached"))

    (suite,) = result.suites
    assert outcomes(suite) == {"test_a": "environment-failed", "test_b": "not-run"}
    assert "connection reset" in suite.cases[0].detail
    assert result.stopped_by.startswith("service db exited")
    assert message(suite, "test_b").startswith("not run: service db exited")


@pytest.mark.parametrize("status", [SuiteStatus.STOPPED, SuiteStatus.INTERRUPTED])
def test_suites_of_a_run_that_came_to_no_tests_are_in_the_report(tmp_path: Path, status: SuiteStatus) -> None:
    result = run_nothing([Suite("a", ("pytest",)), Suite("b", ("make",))], tmp_path, "db did not get ready", status)

    assert [suite.status for suite in result.suites] == [status, status]
    root = junit(tmp_path / "junit.xml")
    assert [(case.get("name"), case[0].get("message")) for case in root.iter("testcase")] == [
        ("(suite)", "not run: db did not get ready")
    ] * 2
