"""The parts of a run record that are about suites: their tests, their attempts, and what they waited for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from understudy.awaited import Wait
from understudy.report.moments import Moment, utc
from understudy.stacks.topology import Suite
from understudy.suites.results import Attempt, Case, Outcome, Reuse, SuiteResult, SuiteStatus

__all__ = ["AttemptRecord", "BeforeRecord", "CaseRecord", "ReuseRecord", "SectionRecord", "SuiteRecord", "WaitRecord"]


@dataclass(frozen=True, slots=True)
class SectionRecord:
    """Output that was captured during a failed test."""

    title: str
    text: str


def _offset(clock: float | None, began: float | None) -> float | None:
    """Seconds from the run's start, of two readings of the monotonic clock."""
    return None if clock is None or began is None else clock - began


def _sections(captured: tuple[tuple[str, str], ...]) -> tuple[SectionRecord, ...]:
    return tuple(SectionRecord(title, text) for title, text in captured)


@dataclass(frozen=True, slots=True)
class BeforeRecord:
    """How a test or suite ended in an earlier run of this branch or of its base."""

    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """A failed attempt at a test that was tried again."""

    outcome: Outcome
    seconds: float
    started: Moment | None
    message: str
    detail: str
    sections: tuple[SectionRecord, ...]

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptRecord:
        """The record of an attempt."""
        return cls(
            outcome=attempt.outcome,
            seconds=attempt.seconds,
            started=None if attempt.started is None else utc(attempt.started),
            message=attempt.message,
            detail=attempt.detail,
            sections=_sections(attempt.sections),
        )


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One test. `message` is why it failed, was skipped, did not run or did not end; `started` null: it never did.

    All of it is of the last attempt; `earlier` has the failed ones before it. `part` is, in a joined run, the folder of
    the part that it ran in.
    """

    id: str
    outcome: Outcome
    seconds: float
    started: Moment | None
    worker: str
    message: str
    detail: str
    sections: tuple[SectionRecord, ...]
    file: str
    line: int | None
    attempts: int = 1
    earlier: tuple[AttemptRecord, ...] = ()
    before: tuple[BeforeRecord, ...] = ()
    offset: float | None = None
    ended: Moment | None = None
    part: str = ""

    @classmethod
    def of(cls, case: Case, began: float | None = None) -> CaseRecord:
        """The record of a case; `began` is the run's start by the monotonic clock."""
        return cls(
            id=case.id,
            outcome=case.outcome,
            seconds=case.seconds,
            started=None if case.started is None else utc(case.started),
            worker=case.worker,
            message=case.message,
            detail=case.detail,
            sections=_sections(case.sections),
            file=case.file,
            line=case.line,
            attempts=case.attempts,
            earlier=tuple(AttemptRecord.of(attempt) for attempt in case.earlier),
            offset=_offset(case.clock, began),
            ended=None if case.ended is None else utc(case.ended),
        )


@dataclass(frozen=True, slots=True)
class WaitRecord:
    """What a suite waited for: a service, a mock or `relay`; when it was ready, and how long it was waited for."""

    name: str
    offset: float
    seconds: float
    part: str = ""

    @property
    def began(self) -> float:
        """When suites began to wait for it, in seconds from the run's start."""
        return self.offset - self.seconds


@dataclass(frozen=True, slots=True)
class ReuseRecord:
    """What `--reuse` made of a suite: its key (empty: none), and why it ran, or which run its result is of.

    `run`, the `commit` that it was of and `at`, when it started, are of the run in which the suite did run; empty and
    null for a suite that ran now.
    """

    key: str
    why: str
    run: str
    commit: str
    at: Moment | None

    @classmethod
    def of(cls, reuse: Reuse) -> ReuseRecord:
        """The record of what was made of a suite."""
        return cls(reuse.key, reuse.why, reuse.run, reuse.commit, Moment(reuse.at) if reuse.at else None)


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """One suite: what ran, how it ended and why, its counts by outcome (all named; they add up) and its tests.

    `reuse` null: results were not to be reused.
    """

    name: str
    status: SuiteStatus
    reason: str
    command: tuple[str, ...]
    exit_code: int | None
    started: Moment | None
    seconds: float
    workers: int
    counts: Mapping[str, int]
    tests: tuple[CaseRecord, ...]
    notices: tuple[str, ...]
    files: tuple[str, ...]
    attempts: int = 1
    elsewhere: tuple[str, ...] = ()
    before: tuple[BeforeRecord, ...] = ()
    offset: float | None = None
    folder: str = ""
    where: str = "host"
    image: str = ""
    needs: tuple[str, ...] = ()
    waited: tuple[WaitRecord, ...] = ()
    reuse: ReuseRecord | None = None

    @property
    def reused(self) -> bool:
        """Whether it did not run, and its result is an earlier run's."""
        return self.reuse is not None and bool(self.reuse.run)

    def with_needs(self, suite: Suite, waits: Iterable[Wait], began: float) -> SuiteRecord:
        """This record with where the suite ran, what it needs, and what it waited for until it started.

        `began` is the run's start by the monotonic clock.
        """
        return replace(
            self,
            where=suite.runs_on,
            image=suite.image or "",
            needs=tuple(map(str, suite.needs)),
            waited=tuple(WaitRecord(w.name, w.ready - began, w.seconds) for w in waits if not self.reused),
        )

    @classmethod
    def of(cls, suite: SuiteResult, began: float | None = None, folder: str = "") -> SuiteRecord:
        """The record of a suite's result.

        `began` is the run's start by the monotonic clock, `folder` the suite's from the repository's root.
        """
        return cls(
            name=suite.name,
            status=suite.status,
            reason=suite.reason,
            command=suite.command,
            exit_code=suite.exit_code,
            started=None if suite.started is None else utc(suite.started),
            seconds=suite.seconds,
            workers=suite.workers,
            counts=suite.counts(),
            tests=tuple(CaseRecord.of(case, began) for case in suite.cases),
            notices=suite.notices,
            files=suite.files,
            attempts=suite.attempts,
            offset=_offset(suite.clock, began),
            folder=folder,
            elsewhere=suite.elsewhere,
            reuse=ReuseRecord.of(suite.reuse) if suite.reuse else None,
        )
