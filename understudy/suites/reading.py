"""Reading a suite's results while they grow: JSON lines -> cases, whatever a hostile test wrote among them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from understudy.files import open_regular
from understudy.redact import Redactor
from understudy.suites.results import BAD, Case, Outcome

__all__ = ["Collector", "Failure", "Tail"]

_READ = 4 << 20
_LONGEST_LINE = 4 << 20
_MOST_CASES = 1_000_000


@dataclass(frozen=True, slots=True)
class Failure:
    """The first failed report of a suite: which test, when (seconds since the epoch), and its message."""

    id: str
    at: float
    message: str


class Tail:
    """The new whole lines of a growing file at each call; a file that is not there yet has none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def lines(self) -> Iterator[bytes]:
        """Every line that was finished since the last call; one longer than 4 MiB is cut there."""
        try:
            source = open_regular(self._path)
        except OSError:
            return
        with source:
            source.seek(self._offset)
            while chunk := source.read(_READ):
                self._offset += len(chunk)
                *whole, self._rest = (self._rest + chunk).split(b"\n")
                yield from whole
                if len(self._rest) > _LONGEST_LINE:
                    yield self._rest
                    self._rest = b""


@dataclass(slots=True)
class _Open:
    """A test as far as it is known."""

    started: float | None = None
    clock: float | None = None
    seconds: float = 0.0
    outcome: Outcome | None = None
    finished: bool = False
    worker: str = ""
    message: str = ""
    detail: str = ""
    sections: tuple[tuple[str, str], ...] = ()
    file: str = ""
    line: int | None = None


_WEIGHT = (Outcome.PASSED, Outcome.XPASSED, Outcome.XFAILED, Outcome.SKIPPED, Outcome.FAILED, Outcome.ERROR)
"""A test with several reports is what the heaviest of them says."""


@dataclass(slots=True)
class Collector:
    """Cases from results lines. Reports of failure later than `stopped_at` are no verdict: the stop caused them."""

    redactor: Redactor = field(default_factory=Redactor)
    stopped_at: float | None = None
    first: Failure | None = None
    seen: bool = False
    unreadable: int = 0
    _tests: dict[str, _Open] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Tests known so far."""
        return len(self._tests)

    @property
    def done(self) -> int:
        """Tests that are over."""
        return sum(1 for test in self._tests.values() if test.finished)

    def feed(self, line: bytes) -> None:
        """Take one line; what is no event of the plugin is counted, never trusted."""
        if not line.strip():
            return
        try:
            event = json.loads(line)
            self._take(event)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            self.unreadable += 1

    def _take(self, event: dict[str, object]) -> None:
        kind = event["event"]
        if kind == "session":
            self.seen = True
        elif kind == "collected":
            for identity in _list(event["ids"]):
                self._test(identity)
        elif kind == "start":
            self._start(event)
        elif kind in ("report", "collect"):
            self._report(event)
        elif kind == "finish":
            self._test(event["id"]).finished = True

    def _test(self, identity: object) -> _Open:
        name = self.redactor.text(_text(identity))
        if len(self._tests) >= _MOST_CASES and name not in self._tests:
            raise ValueError(f"more than {_MOST_CASES} tests")
        return self._tests.setdefault(name, _Open())

    def _start(self, event: dict[str, object]) -> None:
        test = self._test(event["id"])
        if test.started is None:
            test.started = _number(event["at"])
            test.clock = _number(event["clock"]) if "clock" in event else None
        test.finished = False
        test.worker = _text(event.get("worker", ""))
        test.file = _text(event.get("file") or "")
        line = event.get("line")
        test.line = int(_number(line)) + 1 if line is not None else None

    def _report(self, event: dict[str, object]) -> None:
        outcome = _outcome(event)
        at = _number(event["at"])
        if outcome is None or (outcome in BAD and self.stopped_at is not None and at >= self.stopped_at):
            return
        test = self._test(event["id"])
        test.seconds += _number(event.get("seconds", 0.0))
        test.finished |= event.get("when", "collect") in ("collect", "crash")
        if test.outcome is not None and _WEIGHT.index(outcome) < _WEIGHT.index(test.outcome):
            return
        if test.outcome not in BAD:
            self._explain(test, event)
        test.outcome = outcome
        if outcome in BAD and self.first is None:
            self.first = Failure(self.redactor.text(_text(event["id"])), at, test.message)

    def _explain(self, test: _Open, event: dict[str, object]) -> None:
        say = self.redactor.text
        test.message = say(_text(event.get("message") or event.get("xfail") or ""))
        test.detail = say(_text(event.get("detail", "")))
        pairs = [_list(pair) for pair in _list(event.get("sections", []))]
        test.sections = tuple((say(_text(title)), say(_text(text))) for title, text in pairs)

    def cases(self, *, unfinished: Outcome, running: str, waiting: str) -> tuple[Case, ...]:
        """Every known test as a case, in the order in which it became known.

        Args:
            unfinished: what a test is that began and did not end.
            running: the cause for such a test.
            waiting: the cause for a test that did not begin.
        """
        return tuple(self._case(name, test, unfinished, running, waiting) for name, test in self._tests.items())

    def _case(self, name: str, test: _Open, unfinished: Outcome, running: str, waiting: str) -> Case:
        outcome, message = test.outcome, test.message
        ended = outcome is not None and (test.finished or outcome in BAD)
        if not ended:
            begun = test.started is not None
            outcome, message = (unfinished, running) if begun else (Outcome.NOT_RUN, waiting)
        return Case(
            id=name,
            outcome=outcome or Outcome.NOT_RUN,
            seconds=test.seconds,
            started=test.started,
            clock=test.clock,
            worker=test.worker,
            message=message,
            detail=test.detail if ended else "",
            sections=test.sections if ended else (),
            file=test.file,
            line=test.line,
        )


def _outcome(event: dict[str, object]) -> Outcome | None:
    """The outcome of one phase; None says nothing (a retry announced by pytest-rerunfailures)."""
    said, when, expected = event["outcome"], event.get("when"), "xfail" in event
    if said == "passed":
        return Outcome.XPASSED if expected else Outcome.PASSED
    if said == "skipped":
        return Outcome.XFAILED if expected else Outcome.SKIPPED
    if said == "failed":
        return Outcome.FAILED if when == "call" else Outcome.ERROR
    return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number expected")
    if not math.isfinite(value):
        raise ValueError("a finite number expected")
    return float(value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list expected")
    return value
