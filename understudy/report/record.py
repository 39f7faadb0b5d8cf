"""The run record: everything about one run as frozen plain data, versioned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from understudy.errors import UnderstudyError
from understudy.report.codec import RecordError, decode, encode, schema_of
from understudy.report.moments import Moment, utc
from understudy.report.verdict import exit_code
from understudy.stacks.clone import Change
from understudy.suites.contract import EndpointAddress
from understudy.suites.results import BAD, Case, Outcome, SuiteResult, SuitesResult, SuiteStatus
from understudy.targets.interface import ContainerFacts, Receipt

__all__ = [
    "SCHEMA",
    "CaseRecord",
    "CauseRecord",
    "ChangeRecord",
    "ContainerRecord",
    "EndpointRecord",
    "ImageRecord",
    "LeftoverRecord",
    "MockRecord",
    "PhaseRecord",
    "ReceiptRecord",
    "RunRecord",
    "SectionRecord",
    "SuiteRecord",
]

SCHEMA: Literal[1] = 1
"""The version of the record; it rises when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase of the run; `offset` is seconds from the run's start by the monotonic clock, as is `seconds`."""

    name: str
    started: Moment
    offset: float
    seconds: float
    ok: bool = True


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """Where tests reached a port of a service."""

    service: str
    port: int
    host: str
    host_port: int
    scheme: str
    url: str

    @classmethod
    def of(cls, address: EndpointAddress) -> EndpointRecord:
        """The record of an address."""
        a = address
        return cls(a.service, a.port, a.host, a.host_port, a.scheme, a.url)


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One difference from production: where, both values (null: absent), and why."""

    path: str
    production: str | None
    clone: str | None
    reason: str
    fidelity: str

    @classmethod
    def of(cls, change: Change) -> ChangeRecord:
        """The record of a change."""
        return cls(change.path, change.production, change.clone, change.reason, change.fidelity.value)


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The image of a service: its reference or id, and where it came from (built, reused, production, found)."""

    service: str
    reference: str
    origin: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SectionRecord:
    """Output that was captured during a failed test."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One test. `message` is why it failed, was skipped, did not run or did not end; `started` null: it never did."""

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

    @classmethod
    def of(cls, case: Case) -> CaseRecord:
        """The record of a case."""
        return cls(
            id=case.id,
            outcome=case.outcome,
            seconds=case.seconds,
            started=None if case.started is None else utc(case.started),
            worker=case.worker,
            message=case.message,
            detail=case.detail,
            sections=tuple(SectionRecord(title, text) for title, text in case.sections),
            file=case.file,
            line=case.line,
        )


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """One suite: what ran, how it ended and why, its counts by outcome (all named; they add up) and its tests."""

    name: str
    status: SuiteStatus
    reason: str
    command: tuple[str, ...]
    exit_code: int | None
    started: Moment
    seconds: float
    workers: int
    counts: Mapping[str, int]
    tests: tuple[CaseRecord, ...]
    notices: tuple[str, ...]
    files: tuple[str, ...]

    @classmethod
    def of(cls, suite: SuiteResult) -> SuiteRecord:
        """The record of a suite's result."""
        return cls(
            name=suite.name,
            status=suite.status,
            reason=suite.reason,
            command=suite.command,
            exit_code=suite.exit_code,
            started=utc(suite.started),
            seconds=suite.seconds,
            workers=suite.workers,
            counts=suite.counts(),
            tests=tuple(CaseRecord.of(case) for case in suite.cases),
            notices=suite.notices,
            files=suite.files,
        )


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """State, health and resource facts of one container, without its environment variables."""

    name: str
    service: str
    facts: Mapping[str, object]

    @classmethod
    def of(cls, facts: ContainerFacts) -> ContainerRecord:
        """The record of a target's facts."""
        return cls(facts.name, facts.service, dict(facts.facts))


@dataclass(frozen=True, slots=True)
class MockRecord:
    """A stand-in for a third party: how often it was asked, and how often it had no answer (null: not known)."""

    name: str
    host: str
    port: int
    requests: int | None = None
    unmatched: int | None = None


@dataclass(frozen=True, slots=True)
class LeftoverRecord:
    """An object that was still there at the second look."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ReceiptRecord:
    """The proof after destroy: what a second look by label found, on which target, when, and how much it saw."""

    environment: str
    target: str
    outcome: str
    taken_at: Moment
    leftovers: tuple[LeftoverRecord, ...]
    reason: str
    looked: Mapping[str, int]

    @classmethod
    def of(cls, receipt: Receipt) -> ReceiptRecord:
        """The record of a receipt."""
        return cls(
            environment=receipt.environment,
            target=receipt.target,
            outcome=receipt.outcome.value,
            taken_at=Moment(receipt.taken_at),
            leftovers=tuple(LeftoverRecord(each.kind, each.id, each.name) for each in receipt.leftovers),
            reason=receipt.reason,
            looked=dict(receipt.looked),
        )


@dataclass(frozen=True, slots=True)
class CauseRecord:
    """One thing that went wrong: its exit code, its kind (the error's class), in which phase, and in words."""

    code: int
    kind: str
    phase: str
    message: str

    @classmethod
    def of(cls, error: UnderstudyError, phase: str) -> CauseRecord:
        """The record of an error."""
        return cls(error.exit_code, type(error).__name__, phase, str(error))


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Moments are RFC 3339 in UTC; `stop_seconds` is from the first failed report to no process left.

    `files` are paths relative to the run folder. `exit_code` follows from `causes`, which stand in the order in
    which they happened.
    """

    run: str
    environment: str
    target: str
    project: str
    repository: str
    topology: str
    commit: str
    branch: str
    production_ref: str
    started: Moment
    version: str = ""
    profile: str = ""
    ended: Moment | None = None
    seconds: float = 0.0
    ready_at: Moment | None = None
    phases: tuple[PhaseRecord, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    changes: tuple[ChangeRecord, ...] = ()
    fidelity: Mapping[str, int] = field(default_factory=dict)
    images: tuple[ImageRecord, ...] = ()
    suites: tuple[SuiteRecord, ...] = ()
    stopped_by: str = ""
    stop_seconds: float | None = None
    containers: tuple[ContainerRecord, ...] = ()
    mocks: tuple[MockRecord, ...] = ()
    receipt: ReceiptRecord | None = None
    exit_code: int = 0
    causes: tuple[CauseRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    schema: Literal[1] = SCHEMA

    def with_changes(self, changes: tuple[Change, ...]) -> RunRecord:
        """This record with every difference from production, and their counts by fidelity."""
        return replace(
            self,
            changes=tuple(ChangeRecord.of(change) for change in changes),
            fidelity=dict(Counter(change.fidelity.value for change in changes)),
        )

    def with_suites(self, result: SuitesResult) -> RunRecord:
        """This record with what the test stage came to."""
        return replace(
            self,
            suites=tuple(SuiteRecord.of(suite) for suite in result.suites),
            stopped_by=result.stopped_by,
            stop_seconds=result.stop_seconds,
        )

    def with_cause(self, cause: CauseRecord) -> RunRecord:
        """This record with one more thing that went wrong, and the exit code that follows from all of them."""
        causes = (*self.causes, cause)
        return replace(self, causes=causes, exit_code=exit_code(each.code for each in causes))

    @property
    def bad_tests(self) -> tuple[tuple[str, CaseRecord], ...]:
        """(suite, test) of every failed test."""
        return tuple((suite.name, test) for suite in self.suites for test in suite.tests if test.outcome in BAD)

    def to_data(self) -> dict[str, object]:
        """The record as JSON-ready data."""
        return {"schema": self.schema, **encode(self)}

    def to_json(self) -> str:
        """The record as JSON text.

        Raises:
            ValueError: a fact is no JSON value.
        """
        return json.dumps(self.to_data(), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """The reverse of `to_json`.

        Raises:
            RecordError: the text is no run record, or one of another version.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise RecordError(f"$: JSON expected: {error}") from error
        version = data.get("schema") if isinstance(data, dict) else None
        if version != SCHEMA:
            raise RecordError(f"$.schema: version {SCHEMA} expected, not {version!r}")
        return decode(cls, data)

    @classmethod
    def json_schema(cls) -> dict[str, object]:
        """The JSON schema of the record; `understudy/schemas/run.schema.json` is this, published."""
        return schema_of(cls, identity="urn:understudy:run:1", title="Understudy run record, version 1")
