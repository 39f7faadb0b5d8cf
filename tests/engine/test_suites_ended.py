"""Suites that are ended early, with real processes: nothing goes on, and what they had to tell is told."""

from __future__ import annotations

import textwrap
import threading

import pytest

from understudy.progress import Progress, State
from understudy.suites.results import SuiteStatus

from .suite_stages import FAILS, SLOW, WAIT, Stage, junit, message, outcomes, running


@pytest.mark.parametrize("workers", [2, 4])
def test_the_first_failure_stops_every_suite_and_worker(stage: Stage, workers: int) -> None:
    slow = stage.suite("slow", SLOW, SLOW.replace('"pid"', '"pid2"').replace('"begun"', '"begun2"'))
    failing = stage.suite(
        "failing",
        FAILS,
        SLOW,
    )

    result = stage.run(slow, failing, workers=workers)

    slow_result, failing_result = result.suites
    assert failing_result.status is SuiteStatus.FAILED
    assert slow_result.status is SuiteStatus.STOPPED
    assert result.stopped_by == "test test_0.py::test_fails failed in suite failing"
    assert result.stop_seconds is not None
    assert not list(stage.project.glob("*/ended"))
    assert not list(stage.project.glob("*/later"))
    for path in stage.project.glob("*/pid*"):
        assert not running(int(path.read_text())), path
    assert outcomes(slow_result)["test_slow"] in {"interrupted", "not-run"}
    assert slow_result.counts()["passed"] == 0
    assert sum(slow_result.counts().values()) == 4
    assert message(slow_result, "test_1.py::test_later").startswith("not run: test test_0.py::test_fails failed")
    root = junit(stage.folder / "junit.xml")
    assert root.get("tests") == str(len(list(root.iter("testcase")))) == "7"
    assert (root.get("failures"), root.get("skipped")) == ("1", "6")


def test_a_stopped_suite_tears_down_and_writes_its_summary(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.suites.process.GRACE", 20.0)
    slow = stage.suite(
        "slow",
        """
        import pathlib, pytest, time
        @pytest.fixture
        def kept():
            yield
            pathlib.Path("torn").touch()
        def test_slow(kept):
            pathlib.Path("begun").touch()
            time.sleep(30)
        """,
    )
    failing = stage.suite(
        "failing", WAIT + '    def test_fails():\n        wait_for("../slow/begun")\n        assert 0\n'
    )

    stage.run(slow, failing)

    assert (stage.project / "slow" / "torn").exists()
    assert "stopped by Understudy" in (stage.folder / "suites/slow/output.log").read_text()
    assert "1 failed" in (stage.folder / "suites/failing/output.log").read_text()


def test_a_suite_that_ignores_sigterm_is_killed(stage: Stage) -> None:
    slow = stage.suite("slow", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + textwrap.dedent(SLOW))
    failing = stage.suite(
        "failing", WAIT + '    def test_fails():\n        wait_for("../slow/begun")\n        assert 0\n'
    )

    slow_result, _failing = stage.run(slow, failing).suites

    assert slow_result.exit_code == -9
    assert outcomes(slow_result) == {"test_slow": "interrupted", "test_later": "not-run"}
    assert not running(int((stage.project / "slow" / "pid").read_text()))


FORKS = """
    import os, pathlib, time
    def fork(name, own_group, ignore):
        if os.fork():
            return
        if os.fork():
            os._exit(0)
        if own_group:
            os.setpgid(0, 0)
        if ignore:
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path(name + ".new").write_text(str(os.getpid()))
        os.rename(name + ".new", name)
        time.sleep(60)
        os._exit(0)
    def test_forks():
        for name, own_group, ignore in (("a", False, False), ("b", True, False), ("c", False, True)):
            fork(name, own_group, ignore)
            wait_for(name)
"""
LEAVES = """
    import subprocess, sys
    def test_leaves_its_session():
        code = (
            "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork() or os.setsid();"
            "open(f'left.{os.getpid()}', 'w').close(); time.sleep(60)"
        )
        subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        wait_for_two()
    def wait_for_two():
        deadline = time.monotonic() + 20
        while len(list(pathlib.Path().glob("left.*"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
"""


def test_nothing_that_a_suite_started_survives_it(stage: Stage) -> None:
    result = stage.one(stage.suite("forks", textwrap.dedent(WAIT) + textwrap.dedent(FORKS)))

    assert result.status is SuiteStatus.PASSED
    for name in "abc":
        assert not running(int((stage.project / "forks" / name).read_text())), name


def test_what_left_its_session_does_not_survive_either(stage: Stage) -> None:
    result = stage.one(stage.suite("leaves", textwrap.dedent(WAIT) + textwrap.dedent(LEAVES)))

    assert result.status is SuiteStatus.PASSED
    left = [int(path.suffix[1:]) for path in (stage.project / "leaves").glob("left.*")]
    assert len(left) == 2
    assert not [pid for pid in left if running(pid)]


def test_the_time_limit_of_a_suite_ends_it(stage: Stage) -> None:
    result = stage.run(
        stage.suite("slow", SLOW, timeout=3.0), stage.suite("good", "def test_a(): pass\n"), stop_after=None
    )

    slow, good = result.suites
    assert slow.status is SuiteStatus.TIMEOUT
    assert slow.counts()["error"] == 1
    assert slow.counts()["passed"] == 0
    assert all("time limit of 3 s" in case.message for case in slow.cases)
    assert good.status is SuiteStatus.PASSED
    assert not (stage.project / "slow" / "ended").exists()


def test_a_stop_from_outside_ends_everything(stage: Stage) -> None:
    suite = stage.suite("slow", SLOW)

    def watch() -> None:
        begun = stage.project / "slow" / "begun"
        while not begun.exists() and not given_up.wait(0.01):
            pass
        stage.stop.set()

    given_up = threading.Event()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        result = stage.run(suite)
    finally:
        given_up.set()
        thread.join()

    assert result.interrupted
    assert outcomes(result.suites[0]) == {"test_slow": "interrupted", "test_later": "not-run"}
    assert not running(int((stage.project / "slow" / "pid").read_text()))


def test_an_interrupt_in_the_listener_leaves_no_process_and_the_evidence(stage: Stage) -> None:
    suite = stage.suite("slow", SLOW)

    def listener(event: Progress) -> None:
        if event.state is State.INFO:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.run(suite, listener=listener)

    pid = stage.project / "slow" / "pid"
    assert not pid.exists() or not running(int(pid.read_text()))
    assert not (stage.project / "slow" / "ended").exists()
    assert junit(stage.folder / "junit.xml").find(".//testcase") is not None
