"""The parts of a run record, each frozen plain data made of what a run knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from understudy.ci_job import CiJob
from understudy.errors import UnderstudyError
from understudy.report.moments import Moment
from understudy.stacks.clone import Change
from understudy.stacks.fidelity import Finding
from understudy.suites.contract import EndpointAddress
from understudy.targets.interface import ContainerFacts, Receipt

__all__ = [
    "CauseRecord",
    "ChangeRecord",
    "CiRecord",
    "ContainerRecord",
    "EndpointRecord",
    "ImageRecord",
    "KeptRecord",
    "LeftoverRecord",
    "MockRecord",
    "PartRecord",
    "PhaseRecord",
    "PropertyRecord",
    "ReceiptRecord",
    "SinkRecord",
]


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase of the run; `offset` is seconds from the run's start by the monotonic clock, as is `seconds`."""

    name: str
    started: Moment
    offset: float
    seconds: float
    ok: bool = True
    part: str = ""


@dataclass(frozen=True, slots=True)
class CiRecord:
    """The CI job that the run was part of: whose it is, where people see it, and which pull request it is about."""

    provider: str
    url: str
    job: str
    pull_request: int | None

    @classmethod
    def of(cls, job: CiJob) -> CiRecord:
        """The record of a job."""
        return cls(job.provider, job.url, job.job, job.pull_request)


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
    """One difference from production: where, both values (null: absent), why, and the place of the rule if any."""

    path: str
    production: str | None
    clone: str | None
    reason: str
    fidelity: str
    rule: str = ""

    @classmethod
    def of(cls, change: Change) -> ChangeRecord:
        """The record of a change."""
        return cls(change.path, change.production, change.clone, change.reason, change.fidelity.value, change.rule)


@dataclass(frozen=True, slots=True)
class PropertyRecord:
    """One property of the fidelity report: what it belongs to, how the clone stands to production in it, and why."""

    subject: str
    property: str
    fidelity: str
    production: str | None
    clone: str | None
    reason: str
    rule: str

    @classmethod
    def of(cls, finding: Finding) -> PropertyRecord:
        """The record of a finding."""
        f = finding
        return cls(f.subject, f.property, f.fidelity.value, f.production, f.clone, f.reason, f.rule)


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The image of a service: its reference or id, and where it came from (built, reused, production, found).

    `digest` or an id names it for good; empty: it was not known when the image was asked for.
    """

    service: str
    reference: str
    origin: str
    seconds: float | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PartRecord:
    """One shard's run that this record was joined from; `folder` is relative to the run folder."""

    shard: str
    run: str
    environment: str
    folder: str
    started: Moment
    seconds: float
    exit_code: int
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """State, health and resource facts of one container, without its environment variables."""

    name: str
    service: str
    facts: Mapping[str, object]
    part: str = ""

    @classmethod
    def of(cls, facts: ContainerFacts) -> ContainerRecord:
        """The record of a target's facts."""
        return cls(facts.name, facts.service, dict(facts.facts))


@dataclass(frozen=True, slots=True)
class MockRecord:
    """A stand-in for a third party: how often it was asked, and how often it had no answer (null: not known).

    `lost` is how many requests that were seen in its journal while the tests ran were gone from it at the end: a test
    emptied it, or it was restarted. They are among `requests` all the same.
    """

    name: str
    host: str
    port: int
    requests: int | None = None
    unmatched: int | None = None
    lost: int | None = None
    part: str = ""


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
    offset: float | None = None

    @classmethod
    def of(cls, receipt: Receipt, offset: float | None = None) -> ReceiptRecord:
        """The record of a receipt; `offset` is when it came, in seconds from the run's start."""
        return cls(
            environment=receipt.environment,
            target=receipt.target,
            outcome=receipt.outcome.value,
            taken_at=Moment(receipt.taken_at),
            leftovers=tuple(LeftoverRecord(each.kind, each.id, each.name) for each in receipt.leftovers),
            reason=receipt.reason,
            looked=dict(receipt.looked),
            offset=offset,
        )


@dataclass(frozen=True, slots=True)
class SinkRecord:
    """Where the evidence was sent before the environment was destroyed, and what came of it."""

    sink: str
    ok: bool
    attempts: int
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """An environment that was kept after a failure: until when, and the commands for what comes next."""

    expires: Moment
    not_after: Moment
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CauseRecord:
    """One thing that went wrong: its exit code, its kind (the error's class), in which phase, and in words."""

    code: int
    kind: str
    phase: str
    message: str
    at: Moment | None = None
    offset: float | None = None

    @classmethod
    def of(
        cls, error: UnderstudyError, phase: str, at: Moment | None = None, offset: float | None = None
    ) -> CauseRecord:
        """The record of an error, and when it was met."""
        return cls(error.exit_code, type(error).__name__, phase, str(error), at, offset)
