"""Reading a suite's results while they grow: JSON lines -> cases, whatever a hostile test wrote among them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from understudy.redact import Redactor
from understudy.suites.results import BAD, Attempt, Case, Outcome

__all__ = ["Collector", "Failure"]

_MOST_CASES = 1_000_000
_ROOM = 256 << 20
"""Characters of names and texts that are kept of one suite; after them outcomes count, and what is said is left out."""

_ID, _MESSAGE, _DETAIL, _SECTION, _SECTIONS = 64 << 10, 8 << 10, 128 << 10, 32 << 10, 16
"""Characters that are kept of each text, and sections of a test: the plugin writes less, a hostile test does not."""

_LATEST = 5e10
"""Seconds: in the year 3554. Later ones are no moments in a record, and sums of them none either."""

_MOST_ATTEMPTS = 1_000
_SAME_CLOCK = 1.0
"""Seconds by which two clocks may seem apart because a line is read later than it was written."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The failed report that made a test fail: which, when (by this machine's monotonic clock), and its message."""

    id: str
    clock: float
    message: str


@dataclass(slots=True)
class _Open:
    """A test as far as it is known."""

    started: float | None = None
    clock: float | None = None
    ended: float | None = None
    seconds: float = 0.0
    outcome: Outcome | None = None
    finished: bool = False
    worker: str = ""
    message: str = ""
    detail: str = ""
    sections: tuple[tuple[str, str], ...] = ()
    file: str = ""
    line: int | None = None
    earlier: tuple[Attempt, ...] = ()


_WEIGHT = (Outcome.PASSED, Outcome.XPASSED, Outcome.XFAILED, Outcome.SKIPPED, Outcome.FAILED, Outcome.ERROR)
"""A test with several reports is what the heaviest of them says."""


@dataclass(slots=True)
class Collector:
    """Cases from results lines, and the failures among them in their order.

    Reports of failure later than `stopped_at`, by the monotonic clock, are no verdict: the stop caused them.
    """

    redactor: Redactor = field(default_factory=Redactor)
    stopped_at: float | None = None
    failures: list[Failure] = field(default_factory=list)
    seen: bool = False
    unreadable: int = 0
    elsewhere: set[str] = field(default_factory=set)
    _tests: dict[str, _Open] = field(default_factory=dict)
    _here: bool = False
    _room: int = _ROOM

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
            self._here = _is_here(event)
        elif kind == "collected":
            for identity in _list(event["ids"]):
                self._test(identity)
        elif kind == "elsewhere":
            self._leave(event)
        elif kind == "start":
            self._start(event)
        elif kind in ("report", "collect"):
            self._report(event)
        elif kind == "attempt":
            self._attempt(event)
        elif kind == "finish":
            self._test(event["id"]).finished = True

    def _leave(self, event: dict[str, object]) -> None:
        for identity in _list(event["ids"]):
            if len(self.elsewhere) >= _MOST_CASES:
                raise ValueError(f"more than {_MOST_CASES} tests")
            name = self._name(identity)
            if name not in self.elsewhere and not self._holds(name):
                raise ValueError("names longer than there is room for")
            self.elsewhere.add(name)

    def _test(self, identity: object) -> _Open:
        name = self._name(identity)
        if name not in self._tests:
            if len(self._tests) >= _MOST_CASES or not self._holds(name):
                raise ValueError(f"more than {_MOST_CASES} tests, or names longer than there is room for")
            self._tests[name] = _Open()
        return self._tests[name]

    def _name(self, identity: object) -> str:
        return self.redactor.text(_text(identity))[:_ID]

    def _holds(self, *texts: str) -> bool:
        """Whether there is room for texts, which they take then."""
        size = sum(map(len, texts))
        if size > self._room:
            return False
        self._room -= size
        return True

    def _start(self, event: dict[str, object]) -> None:
        test = self._test(event["id"])
        if test.started is None:
            test.started, test.clock = _number(event["at"]), self._clock(event)
        test.finished = False
        test.worker, test.file = _text(event.get("worker", ""))[:_MESSAGE], _text(event.get("file") or "")[:_MESSAGE]
        if not self._holds(test.worker, test.file):
            test.worker = test.file = ""
        line = event.get("line")
        test.line = int(_number(line)) + 1 if line is not None else None

    def _report(self, event: dict[str, object]) -> None:
        outcome = _outcome(event)
        at, clock = _number(event["at"]), self._clock(event)
        late = self.stopped_at is not None and clock >= self.stopped_at
        if outcome is None or (outcome in BAD and late):
            return
        test = self._test(event["id"])
        test.seconds += _number(event.get("seconds", 0.0))
        test.ended = at
        test.finished |= event.get("when", "collect") in ("collect", "crash")
        if test.outcome is not None and _WEIGHT.index(outcome) < _WEIGHT.index(test.outcome):
            return
        if test.outcome not in BAD:
            self._explain(test, event)
            if outcome in BAD:
                self.failures.append(Failure(self._name(event["id"]), clock, test.message))
        test.outcome = outcome

    def _attempt(self, event: dict[str, object]) -> None:
        """A failed attempt, after which the test begins anew."""
        test, fresh = self._test(event["id"]), _Open()
        self._explain(fresh, event)
        outcome = Outcome.FAILED if event.get("when") == "call" else Outcome.ERROR
        seconds = test.seconds + _number(event.get("seconds", 0.0))
        attempt = Attempt(outcome, seconds, test.started, fresh.message, fresh.detail, fresh.sections)
        if len(test.earlier) >= _MOST_ATTEMPTS:
            raise ValueError(f"more than {_MOST_ATTEMPTS} attempts")
        test.earlier += (attempt,)
        test.seconds, test.outcome, test.message = 0.0, None, ""
        test.started, test.clock = _number(event["at"]), self._clock(event)

    def _clock(self, event: dict[str, object]) -> float:
        """When an event was, by this machine's monotonic clock."""
        if self._here and "clock" in event:
            return _number(event["clock"])
        return _number(event["at"]) - time.time() + time.monotonic()

    def _explain(self, test: _Open, event: dict[str, object]) -> None:
        say = self.redactor.text
        message = say(_text(event.get("message") or event.get("xfail") or ""))[:_MESSAGE]
        detail = say(_text(event.get("detail", "")))[:_DETAIL]
        pairs = [_list(pair) for pair in _list(event.get("sections", []))[:_SECTIONS]]
        sections = tuple((say(_text(title))[:_MESSAGE], say(_text(text))[:_SECTION]) for title, text in pairs)
        if self._holds(message, detail, *(part for pair in sections for part in pair)):
            test.message, test.detail, test.sections = message, detail, sections
        else:
            test.message, test.detail, test.sections = "", "", ()

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
        if outcome is Outcome.PASSED and test.earlier:
            outcome = Outcome.FLAKY
            message = f"passed at attempt {len(test.earlier) + 1}; before: {test.earlier[-1].message}"
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
            earlier=test.earlier,
            ended=test.ended if ended else None,
        )


def _is_here(event: dict[str, object]) -> bool:
    """Whether a process that just wrote this has the monotonic clock that we have: the same machine, commonly."""
    if "clock" not in event:
        return False
    ahead = _number(event["clock"]) - _number(event["at"])
    return abs(ahead - (time.monotonic() - time.time())) < _SAME_CLOCK


def _outcome(event: dict[str, object]) -> Outcome | None:
    """The outcome of one phase; None: it says nothing."""
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
    if not -1 <= value <= _LATEST:
        raise ValueError("a number of this age expected")
    return float(value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list expected")
    return value
