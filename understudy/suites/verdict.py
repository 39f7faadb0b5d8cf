"""The verdict on one suite: a pure function of how its process ended, what stopped it and what its tests said."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

from understudy.suites.reading import Collector
from understudy.suites.results import BAD, Case, Outcome, SuiteStatus

__all__ = ["CUT_SHORT", "SUITE_CASE", "Cause", "Ending", "judge", "stand_in"]

SUITE_CASE = "(suite)"
"""The id of the case that stands for a suite as a whole, where no test of it says how it ended."""

_PYTEST_EXIT = {
    1: "tests failed",
    2: "interrupted",
    3: "internal error",
    4: "wrong usage of pytest",
    5: "no tests were collected",
}
"""pytest.ExitCode."""


_NO_TESTS = 5


class Cause(StrEnum):
    """What ended a suite before it ended by itself."""

    NONE = ""
    FAILURE = "failure"
    TIMEOUT = "timeout"
    ENVIRONMENT = "environment"
    INTERRUPT = "interrupt"
    ELSEWHERE = "elsewhere"
    """Another part of the run has failed."""


CUT_SHORT = {
    Cause.TIMEOUT: SuiteStatus.TIMEOUT,
    Cause.INTERRUPT: SuiteStatus.INTERRUPTED,
    Cause.FAILURE: SuiteStatus.STOPPED,
    Cause.ENVIRONMENT: SuiteStatus.STOPPED,
    Cause.ELSEWHERE: SuiteStatus.STOPPED,
}
"""The status of a suite by what ended it, unless a test of its own failed before."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a suite's process ended; `why` is the sentence for what stopped it."""

    exit_code: int | None
    cause: Cause = Cause.NONE
    why: str = ""

    def __str__(self) -> str:
        if self.exit_code is None:
            return "it did not start"
        if self.exit_code < 0:
            try:
                return signal.Signals(-self.exit_code).name
            except ValueError:
                return f"signal {-self.exit_code}"
        return f"exit code {self.exit_code}"


def judge(ending: Ending, collector: Collector, *, pytest: bool) -> tuple[SuiteStatus, str, tuple[Case, ...]]:
    """The status, the reason in words, and the cases of a suite that reported through a collector."""
    cases = _cases(ending, collector)
    bad = sum(case.outcome in BAD for case in cases)
    if ending.cause in (Cause.INTERRUPT, Cause.TIMEOUT):
        return CUT_SHORT[ending.cause], ending.why, cases
    if bad:
        return SuiteStatus.FAILED, f"{bad} of {len(cases)} tests failed", cases
    if ending.cause is not Cause.NONE:
        return CUT_SHORT[ending.cause], ending.why, cases
    if pytest and ending.exit_code == _NO_TESTS and not cases and collector.elsewhere:
        return SuiteStatus.PASSED, f"all {len(collector.elsewhere)} tests are in other shards", cases
    if ending.exit_code != 0:
        meaning = f": {_PYTEST_EXIT.get(ending.exit_code or 0, 'unknown')}, and no test failed" if pytest else ""
        return SuiteStatus.ERROR if pytest else SuiteStatus.FAILED, f"{ending}{meaning}", cases
    return _judge_zero(collector, cases, pytest=pytest)


def _judge_zero(
    collector: Collector, cases: tuple[Case, ...], *, pytest: bool
) -> tuple[SuiteStatus, str, tuple[Case, ...]]:
    """An exit code of 0 is believed only where tests are seen to have run."""
    idle = sum(case.outcome is Outcome.NOT_RUN for case in cases)
    if pytest and not collector.seen:
        return SuiteStatus.ERROR, "pytest ended with exit code 0 and reported nothing", cases
    if pytest and not cases:
        return SuiteStatus.ERROR, "no tests were collected", cases
    if idle:
        return SuiteStatus.ERROR, f"exit code 0, and {idle} of {len(cases)} tests did not run", cases
    return SuiteStatus.PASSED, "", cases


def _cases(ending: Ending, collector: Collector) -> tuple[Case, ...]:
    if ending.cause in (Cause.FAILURE, Cause.ENVIRONMENT, Cause.INTERRUPT, Cause.ELSEWHERE):
        return collector.cases(
            unfinished=Outcome.INTERRUPTED,
            running=f"stopped while it ran: {ending.why}",
            waiting=f"not run: {ending.why}",
        )
    if ending.cause is Cause.TIMEOUT:
        return collector.cases(
            unfinished=Outcome.ERROR,
            running=f"still running when the suite was stopped: {ending.why}",
            waiting=f"not run: {ending.why}",
        )
    return collector.cases(
        unfinished=Outcome.ERROR,
        running=f"the test process ended while this test ran: {ending}",
        waiting=f"not run: the test process ended before it: {ending}",
    )


def stand_in(status: SuiteStatus, reason: str, cases: tuple[Case, ...], seconds: float, tail: str) -> tuple[Case, ...]:
    """The cases, and one for the suite as a whole where they alone would not show how it ended."""
    bad = any(case.outcome in BAD for case in cases)
    if status in (SuiteStatus.ERROR, SuiteStatus.TIMEOUT, SuiteStatus.FAILED) and not bad:
        return (*cases, Case(SUITE_CASE, Outcome.ERROR, seconds=seconds, message=reason, detail=tail))
    if not cases:
        outcome = Outcome.PASSED if status is SuiteStatus.PASSED else Outcome.INTERRUPTED
        return (Case(SUITE_CASE, outcome, seconds=seconds, message=reason),)
    return cases
