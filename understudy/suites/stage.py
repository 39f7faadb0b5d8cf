"""The loop over all suites: it starts each when there is room, stops all at a failure, and leaves no process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from understudy.halts import Halt
from understudy.progress import Phase, Progress, ProgressListener, State
from understudy.suites.gate import Gate
from understudy.suites.launch import Launcher
from understudy.suites.reading import Failure
from understudy.suites.results import Outcome, SuiteResult, SuiteStatus
from understudy.suites.running import RunningSuite, Terms
from understudy.suites.slots import allot, cap_of, processors, wish_of
from understudy.suites.verdict import Cause
from understudy.targets.watching import Watch

__all__ = ["POLL", "Stage", "Stopped"]

POLL = 0.02
"""Seconds between two looks at results and processes."""

_SAY_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """What ended the stage early: the cause, in words, and since when (by the monotonic clock)."""

    cause: Cause
    why: str
    since: float


@dataclass(slots=True)
class Stage:
    """All suites from the first start to the last end: one thread, no pipes, nothing that can block.

    Args:
        suites: in the order in which they start where there is not room for all.
        place: makes what starts suites, once the first of them does.
        gate: whether a suite's needs are there.
        stop: when set, everything is stopped.
        listener: told of starts, failures, counts.
        workers: the most test processes of all suites at once; None: as `cap_of` says.
        stop_after: failed tests after which everything is stopped; None: never.
        watch: says what of the environment has died.
        milestone: called once a second while suites are at work.
        halt: says whether another part of the run has failed.
    """

    suites: Sequence[RunningSuite]
    place: Callable[[], Launcher]
    gate: Gate
    stop: threading.Event
    listener: ProgressListener
    workers: int | None
    stop_after: int | None
    watch: Watch
    milestone: Callable[[], None]
    halt: Halt
    stopped: Stopped | None = None
    started: float = field(default_factory=time.time)
    seconds: float = 0.0
    stop_seconds: float | None = None
    unheard: str = ""
    _launcher: Launcher | None = None
    _said: float = 0.0
    _counts: dict[str, str] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    def say(self, state: State, subject: str, detail: str = "", seconds: float | None = None) -> None:
        """Tell the listener; one that raises is no reason to lose a result, and `unheard` names what it raised."""
        try:
            self.listener(Progress(Phase.TEST, state, subject, detail, seconds))
        except Exception as error:  # noqa: BLE001 - whatever a listener does, the stage goes on
            self.unheard = self.unheard or f"progress could not be shown: {type(error).__name__}: {error}"

    def tell(self, result: SuiteResult) -> None:
        """Tell the listener how a suite ended, once."""
        if result.name in self._ended:
            return
        self._ended.add(result.name)
        for case in result.cases:
            if case.outcome is Outcome.FLAKY:
                self.say(State.WARNING, f"{result.name}: {case.id}", f"flaky: {case.message}")
        done = result.status is SuiteStatus.PASSED
        counts = ", ".join(f"{number} {name}" for name, number in result.counts().items() if number)
        detail = counts if done else f"{result.reason} ({counts})"
        self.say(State.DONE if done else State.FAILED, result.name, detail, result.seconds)

    def run(self) -> None:
        """Return when every suite is over and no process of any is left."""
        began = time.monotonic()
        try:
            for suite in self.suites:
                for notice in suite.notices:
                    self.say(State.WARNING, suite.name, notice)
            while not all(suite.over for suite in self.suites):
                self._look()
                self._pause()
        finally:
            self._end_all()
            now = time.monotonic()
            self.seconds = now - began
            if self.stopped:
                self.stop_seconds = max(0.0, now - self.stopped.since)

    def _look(self) -> None:
        self._start_some()
        for suite in self.suites:
            was_over = suite.over
            suite.step()
            if suite.over and not was_over:
                self._tell_pass(suite.result())
        self._weigh_failures()
        if self.stop.is_set():
            self._stop_all(Cause.INTERRUPT, "the run was interrupted", time.monotonic())
        elif said := self.halt.said:
            self._stop_all(Cause.ELSEWHERE, said.why, said.since)
        elif deaths := self.watch.deaths():
            self._stop_all(Cause.ENVIRONMENT, str(deaths[0]), deaths[0].clock)
        elif broken := self.gate.broken():
            self._stop_all(Cause.ENVIRONMENT, broken, time.monotonic())
        if time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            self._count()
            self.milestone()

    def _count(self) -> None:
        """Say how far each suite is, where that has changed."""
        for suite in self.suites:
            count = f"{suite.collector.done} of {suite.collector.total} tests"
            if not suite.over and suite.collector.total and self._counts.get(suite.name) != count:
                self._counts[suite.name] = count
                self.say(State.INFO, suite.name, count)

    def _tell_pass(self, result: SuiteResult) -> None:
        """Tell at once of a suite that passed; what failed is told when it is known whether the environment did."""
        if result.status is SuiteStatus.PASSED:
            self.tell(result)

    def _start_some(self) -> None:
        waiting = [suite for suite in self.suites if not suite.begun and not suite.over]
        if not waiting or self.stopped or self.stop.is_set() or self.halt.said:
            return
        cap = cap_of([wish_of(suite.prepared) for suite in self.suites], self.workers, processors())
        free = cap - sum(suite.workers for suite in self.suites if suite.begun and not suite.over)
        if free < 1:
            return
        wishes = [wish_of(suite.prepared, ready=self.gate.is_open(suite.prepared.suite)) for suite in waiting]
        counts = allot(free, wishes)
        for suite in waiting:
            if suite.name in counts:
                self._launcher = self._launcher or self.place()
                suite.start(Terms(self._launcher, counts[suite.name], self.workers is not None, self.stop_after))
                self.say(State.STARTED, suite.name, f"workers: {suite.workers}")

    def _weigh_failures(self) -> None:
        found: list[tuple[Failure, str]] = []
        for suite in self.suites:
            failures = suite.failures
            found += [(failure, suite.name) for failure in failures]
            for failure in failures[suite.told :]:
                if failure.id:
                    self.say(State.FAILED, f"{suite.name}: {failure.id}", failure.message)
            suite.told = max(suite.told, len(failures))
        if self.stop_after is None or len(found) < self.stop_after or self.stopped:
            return
        found.sort(key=lambda pair: pair[0].clock)
        self._stop_all(Cause.FAILURE, _why(found[: self.stop_after]), found[self.stop_after - 1][0].clock)

    def _stop_all(self, cause: Cause, why: str, since: float) -> None:
        if all(suite.over for suite in self.suites):
            return
        if not self.stopped:
            self.stopped = Stopped(cause, why, since)
        for suite in self.suites:
            suite.stop(cause, why)

    def _pause(self) -> None:
        """Wait a moment; a stop that was already obeyed cannot wake us."""
        if self.stop.is_set():
            time.sleep(POLL)
        else:
            self.stop.wait(POLL)

    def _end_all(self) -> None:
        """Whatever happened here, no process stays; after a regular end there is nothing to do."""
        for suite in self.suites:
            suite.stop(Cause.INTERRUPT, "the test stage was given up")
        while not all(suite.over for suite in self.suites):
            for suite in self.suites:
                suite.step()
            time.sleep(POLL)


def _why(failures: Sequence[tuple[Failure, str]]) -> str:
    last, suite = failures[-1]
    said = f"test {last.id} failed in suite {suite}" if last.id else f"suite {suite}: {last.message}"
    return said if len(failures) == 1 else f"{len(failures)} tests failed, the last of them: {said}"
