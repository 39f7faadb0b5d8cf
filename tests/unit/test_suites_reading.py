from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from understudy.redact import Redactor
from understudy.suites.reading import Collector
from understudy.suites.results import Outcome, SuiteStatus
from understudy.suites.tail import Tail
from understudy.suites.verdict import SUITE_CASE, Cause, Ending, judge, stand_in


def line(event: str, **fields: object) -> bytes:
    return json.dumps({"event": event, "worker": "gw0", "at": 10.0, **fields}).encode()


def one(identity: str, **phases: str) -> list[bytes]:
    """A test from start to finish; phases that are not named pass."""
    reports = [
        line("report", id=identity, when=when, outcome=phases.get(when, "passed"), seconds=0.5, message=f"in {when}")
        for when in ("setup", "call", "teardown")
    ]
    return [line("start", id=identity, file="t.py", line=3), *reports, line("finish", id=identity)]


def collect(*lines: bytes, collector: Collector | None = None) -> Collector:
    collector = collector or Collector()
    collector.feed(line("session", pid=1))
    for each in lines:
        collector.feed(each)
    return collector


def outcomes(collector: Collector) -> dict[str, str]:
    cases = collector.cases(unfinished=Outcome.INTERRUPTED, running="r", waiting="w")
    return {case.id: case.outcome.value for case in cases}


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ({}, "passed"),
        ({"call": "failed"}, "failed"),
        ({"setup": "failed"}, "error"),
        ({"teardown": "failed"}, "error"),
        ({"call": "failed", "teardown": "failed"}, "error"),
        ({"setup": "skipped"}, "skipped"),
    ],
)
def test_the_heaviest_phase_is_the_outcome(phases: dict[str, str], expected: str) -> None:
    assert outcomes(collect(*one("a", **phases))) == {"a": expected}


def test_a_case_has_its_time_place_and_reason() -> None:
    (case,) = collect(*one("a", call="failed")).cases(unfinished=Outcome.ERROR, running="", waiting="")

    assert (case.seconds, case.started, case.file, case.line, case.worker) == (1.5, 10.0, "t.py", 4, "gw0")
    assert case.message == "in call"


def test_expected_failures_are_told_from_skips() -> None:
    start = line("start", id="a")
    missed = line("report", id="a", when="call", outcome="skipped", xfail="bug 1")
    passed = line("report", id="b", when="call", outcome="passed", xfail="bug 2")

    collector = collect(start, missed, line("finish", id="a"), line("start", id="b"), passed, line("finish", id="b"))

    assert outcomes(collector) == {"a": "xfailed", "b": "xpassed"}


def test_what_was_collected_and_did_not_run_is_listed_with_its_cause() -> None:
    collector = collect(line("collected", ids=["a", "b", "c"]), *one("a"), line("start", id="b"))

    cases = collector.cases(unfinished=Outcome.INTERRUPTED, running="while running", waiting="before it began")

    assert [(c.id, c.outcome.value, c.message) for c in cases] == [
        ("a", "passed", "in teardown"),
        ("b", "interrupted", "while running"),
        ("c", "not-run", "before it began"),
    ]


def test_failures_after_the_stop_are_no_verdict() -> None:
    collector = Collector(stopped_at=9.0 - time.time() + time.monotonic())

    collect(*one("a", call="failed"), line("report", id="b", when="crash", outcome="failed"), collector=collector)

    assert collector.failures == []
    assert outcomes(collector) == {"a": "passed"}


def test_failures_are_kept_in_their_order() -> None:
    collector = collect(*one("a"), *one("b", call="failed"), *one("c", call="failed"))

    assert [failure.id for failure in collector.failures] == ["b", "c"]


def test_secrets_are_redacted_in_ids_and_texts() -> None:
    collector = Collector(Redactor(["hunter22"]))
    report = line(
        "report",
        id="t[hunter22]",
        when="call",
        outcome="failed",
        message="m hunter22",
        detail="d hunter22",
        sections=[["out", "s hunter22"]],
    )

    (case,) = collect(report, collector=collector).cases(unfinished=Outcome.ERROR, running="", waiting="")

    assert "hunter22" not in repr(case)
    assert case.sections == (("out", "s [secret]"),)


@pytest.mark.parametrize(
    "hostile",
    [
        b"no json",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"event": "report"}',
        b'{"event": "start", "id": 3, "at": 1}',
        b'{"event": "start", "id": "x", "at": NaN}',
        b'{"event": "report", "id": "x", "at": 1, "outcome": "passed", "when": "call", "seconds": Infinity}',
        b'{"event": "start", "id": "x", "at": 1' + b"0" * 400 + b"}",
        b'{"event": "collected", "ids": "abc"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_event_is_counted_and_changes_no_verdict(hostile: bytes) -> None:
    collector = collect(*one("a"), hostile)

    assert collector.unreadable == 1
    assert outcomes(collector)["a"] == "passed"


def test_a_tail_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    tail = Tail(path)

    assert list(tail.lines()) == []
    path.write_bytes(b"one\ntw")
    assert list(tail.lines()) == [b"one"]
    with path.open("ab") as out:
        out.write(b"o\nthree\n")
    assert list(tail.lines()) == [b"two", b"three"]
    assert list(tail.lines()) == []


def test_a_tail_follows_no_link_and_waits_for_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x\n")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")

    assert list(Tail(tmp_path / "link").lines()) == []
    assert list(Tail(tmp_path / "pipe").lines()) == []


def test_a_line_without_end_does_not_grow_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"x" * (9 << 20))

    lengths = [len(each) for each in Tail(path).lines()]

    assert sum(lengths) >= 8 << 20
    assert max(lengths) <= 8 << 20


def test_verdicts() -> None:
    good = collect(*one("a"))
    bad = collect(*one("a", call="failed"))
    idle = collect(line("collected", ids=["a", "b"]), *one("a"))
    silent = Collector()
    table = [
        (Ending(0), good, SuiteStatus.PASSED, ""),
        (Ending(1), bad, SuiteStatus.FAILED, "1 of 1 tests failed"),
        (Ending(0), bad, SuiteStatus.FAILED, "1 of 1 tests failed"),
        (Ending(0), idle, SuiteStatus.ERROR, "exit code 0, and 1 of 2 tests did not run"),
        (Ending(0), silent, SuiteStatus.ERROR, "pytest ended with exit code 0 and reported nothing"),
        (Ending(0), collect(), SuiteStatus.ERROR, "no tests were collected"),
        (Ending(5), collect(), SuiteStatus.ERROR, "exit code 5: no tests were collected, and no test failed"),
        (Ending(1), good, SuiteStatus.ERROR, "exit code 1: tests failed, and no test failed"),
        (Ending(-11), good, SuiteStatus.ERROR, "SIGSEGV: unknown, and no test failed"),
        (Ending(-15, Cause.FAILURE, "other failed"), good, SuiteStatus.STOPPED, "other failed"),
        (Ending(-15, Cause.ELSEWHERE, "part 1/2"), good, SuiteStatus.STOPPED, "part 1/2"),
        (Ending(-15, Cause.FAILURE, "own"), bad, SuiteStatus.FAILED, "1 of 1 tests failed"),
        (Ending(-15, Cause.INTERRUPT, "asked"), bad, SuiteStatus.INTERRUPTED, "asked"),
        (Ending(-9, Cause.TIMEOUT, "too long"), good, SuiteStatus.TIMEOUT, "too long"),
    ]
    for ending, collector, status, reason in table:
        found = judge(ending, collector, pytest=True)
        assert (found[0], found[1]) == (status, reason), (ending, reason)


def test_a_test_during_which_the_process_died_is_an_error() -> None:
    collector = collect(line("collected", ids=["a", "b"]), line("start", id="a"))

    _status, _reason, cases = judge(Ending(-11), collector, pytest=True)

    assert [(c.outcome.value, c.message) for c in cases] == [
        ("error", "the test process ended while this test ran: SIGSEGV"),
        ("not-run", "not run: the test process ended before it: SIGSEGV"),
    ]


def test_a_suite_that_failed_without_a_failed_test_gets_a_case_of_its_own() -> None:
    (case,) = stand_in(SuiteStatus.ERROR, "exit code 3", (), 2.0, "tail of the log")

    assert (case.id, case.outcome, case.message, case.detail) == (
        SUITE_CASE,
        Outcome.ERROR,
        "exit code 3",
        "tail of the log",
    )


def test_an_attempt_that_is_tried_again_is_kept_and_counts_no_failure() -> None:
    again = line("attempt", id="a", when="call", seconds=0.5, message="no", detail="trace")

    collector = collect(line("start", id="a"), again, *one("a"), line("start", id="b"), again.replace(b'"a"', b'"b"'))

    passed, running = collector.cases(unfinished=Outcome.INTERRUPTED, running="r", waiting="w")
    assert collector.failures == []
    assert (passed.outcome, passed.attempts, passed.message) == (Outcome.FLAKY, 2, "passed at attempt 2; before: no")
    assert (passed.earlier[0].outcome, passed.earlier[0].detail) == (Outcome.FAILED, "trace")
    assert (running.outcome, running.attempts) == (Outcome.INTERRUPTED, 2)


def test_a_clock_that_is_not_ours_is_not_believed() -> None:
    now, here = time.time(), time.monotonic()
    report = {"id": "a", "when": "call", "outcome": "failed", "at": now}
    ours, foreign = Collector(), Collector()
    ours.feed(line("session", at=now, clock=here))
    ours.feed(line("report", **report, clock=here - 7.0))
    foreign.feed(line("session", at=now, clock=here + 10_000.0))
    foreign.feed(line("report", **report, clock=here + 10_000.0))

    assert ours.failures[0].clock == here - 7.0
    assert foreign.failures[0].clock == pytest.approx(here, abs=1.0)


def test_who_writes_faster_than_is_read_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"a\n" * 10)
    tail = Tail(path, at_once=8)
    seen = 0
    for each in tail.lines():
        with path.open("ab") as more:
            more.write(each + b"\n")
        seen += 1

    assert seen == 4
    assert len(list(tail.all())) == 10


def test_a_file_with_holes_is_not_read_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"one\ntwo\n")
    os.truncate(path, 1 << 40)
    tail = Tail(path, most=1 << 20)

    assert list(tail.all())[:2] == [b"one", b"two"]
    assert tail.cut


def test_texts_without_end_leave_the_outcomes() -> None:
    collector = Collector(_room=500_000)
    for number in range(10):
        lines = one(f"t{number}", call="failed")
        lines[2] = line("report", id=f"t{number}", when="call", outcome="failed", seconds=0.5, detail="x" * 1_000_000)
        collect(*lines, collector=collector)
    cases = collector.cases(unfinished=Outcome.INTERRUPTED, running="r", waiting="w")

    assert [case.outcome for case in cases] == [Outcome.FAILED] * 10
    assert sum(len(case.detail) for case in cases) <= 500_000
    assert len(collector.failures) == 10


def test_names_without_end_have_an_end() -> None:
    collector = collect(line("collected", ids=["x" * 1_000_000]), collector=Collector(_room=100_000))
    collect(line("collected", ids=["y" * 1_000_000]), collector=collector)

    assert collector.total == 1
    assert collector.unreadable == 1


@pytest.mark.parametrize("at", [1e12, 1e300, -1e12])
def test_moments_that_no_calendar_has_are_not_taken(at: float) -> None:
    event = {"event": "start", "id": "b", "file": "t.py", "line": 3, "at": at}
    collector = collect(*one("a"), json.dumps(event).encode())

    assert collector.unreadable == 1
    assert outcomes(collector)["a"] == "passed"
