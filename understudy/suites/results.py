"""What suites came to: cases, suites and the whole stage, as frozen plain data whose counts always add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from understudy.targets.watching import Death

__all__ = ["BAD", "Attempt", "Case", "Outcome", "Reuse", "SuiteResult", "SuiteStatus", "SuitesResult"]


class Outcome(StrEnum):
    """How one test ended. `flaky`: it passed on a retry; `environment-failed`: what it ran against had died.

    `reused`: it did not run, because it had passed (or was skipped) before with nothing changed since.
    """

    PASSED = "passed"
    FLAKY = "flaky"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    REUSED = "reused"
    ENVIRONMENT = "environment-failed"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not-run"


BAD = frozenset({Outcome.FAILED, Outcome.ERROR})
"""The outcomes that make a suite fail."""


class SuiteStatus(StrEnum):
    """How one suite ended.

    `error`: it failed without a failed test; `stopped`: the failure of another suite, or of another part of the run,
    ended it or kept it from starting;
    `environment-failed`: a service died under it.
    """

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    STOPPED = "stopped"
    ENVIRONMENT = "environment-failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed attempt at a test that was tried again; the fields are those of `Case`."""

    outcome: Outcome
    seconds: float = 0.0
    started: float | None = None
    message: str = ""
    detail: str = ""
    sections: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `started` is seconds since the epoch (None: it never did); `message` is one line, `detail` the rest.

    `ended` is when its last phase did (None: it did not, or nobody knows), `clock` when it started by the monotonic
    clock, where it ran on this machine. For a test that did not run or did not end, `message` is the cause. What is
    said here is of the last attempt; `earlier` has the failed ones before it, in their order.
    """

    id: str
    outcome: Outcome
    seconds: float = 0.0
    started: float | None = None
    worker: str = ""
    message: str = ""
    detail: str = ""
    sections: tuple[tuple[str, str], ...] = ()
    file: str = ""
    line: int | None = None
    earlier: tuple[Attempt, ...] = ()
    clock: float | None = None
    ended: float | None = None

    @property
    def attempts(self) -> int:
        """How often it ran; 0: it did not begin."""
        return len(self.earlier) + (self.outcome not in (Outcome.NOT_RUN, Outcome.REUSED))


@dataclass(frozen=True, slots=True)
class Reuse:
    """What `--reuse` made of a suite: its key (empty: it has none), and why it ran, or the run its result is of.

    `at` is when that run started (RFC 3339, UTC), `commit` what it was of; all three are empty for a suite that ran.
    """

    key: str = ""
    why: str = ""
    run: str = ""
    commit: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """One suite: its status and why, its cases, and its files (paths relative to the run folder).

    `elsewhere` are the ids of tests that were collected and belong to another shard.

    `started` is seconds since the epoch; None: it did not. `attempts` is how often its command ran.
    """

    name: str
    status: SuiteStatus
    reason: str
    command: tuple[str, ...]
    exit_code: int | None
    started: float | None
    seconds: float
    workers: int
    cases: tuple[Case, ...] = ()
    notices: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    attempts: int = 1
    clock: float | None = None
    """When it was started by the monotonic clock; None: not known."""

    reuse: Reuse | None = None
    """None: results were not to be reused."""

    def counts(self) -> dict[str, int]:
        """Outcome -> number of cases, every outcome named."""
        found = Counter(case.outcome for case in self.cases)
        return {outcome.value: found[outcome] for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class SuitesResult:
    """The test stage. `stopped_by` says what ended it early; `stop_seconds` from that to no process left.

    `deaths` are the services that died while the suites ran, where that ended them or explains a failure.
    """

    suites: tuple[SuiteResult, ...]
    started: float
    seconds: float
    stopped_by: str = ""
    stop_seconds: float | None = None
    files: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    """Evidence that could not be written; the verdict stands without it."""

    halted: bool = False
    """Whether another part of the run was what ended it."""

    deaths: tuple[Death, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every suite passed."""
        return all(suite.status is SuiteStatus.PASSED for suite in self.suites)

    @property
    def interrupted(self) -> bool:
        """Whether the caller's stop ended it."""
        return any(suite.status is SuiteStatus.INTERRUPTED for suite in self.suites)

    @property
    def failed(self) -> bool:
        """Whether the tests are to blame: one failed, or a suite did without one that a death explains."""
        wrong = {SuiteStatus.FAILED, SuiteStatus.ERROR, SuiteStatus.TIMEOUT}
        return any(suite.status in wrong for suite in self.suites)

    @property
    def bad(self) -> tuple[tuple[str, Case], ...]:
        """(suite, case) of every failed test."""
        return tuple((suite.name, case) for suite in self.suites for case in suite.cases if case.outcome in BAD)

    def summary(self) -> str:
        """One line: the number of cases by outcome, outcomes without any left out."""
        totals: Counter[str] = Counter()
        for suite in self.suites:
            totals.update(suite.counts())
        parts = [f"{totals[outcome.value]} {outcome.value}" for outcome in Outcome if totals[outcome.value]]
        return ", ".join(parts) or "no tests"
