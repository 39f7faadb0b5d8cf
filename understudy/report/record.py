"""The run record: everything about one run as frozen plain data, versioned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from understudy.report.codec import encode, read_version, schema_of
from understudy.report.cost import CostRecord
from understudy.report.deaths import DeathRecord
from understudy.report.graph import GraphRecord
from understudy.report.measured import ResourceRecord, UsageRecord
from understudy.report.moments import Moment
from understudy.report.records import (
    CauseRecord,
    ChangeRecord,
    CiRecord,
    ContainerRecord,
    EndpointRecord,
    ImageRecord,
    KeptRecord,
    MockRecord,
    PartRecord,
    PhaseRecord,
    PropertyRecord,
    ReceiptRecord,
    SinkRecord,
)
from understudy.report.suite_records import CaseRecord, SuiteRecord
from understudy.report.verdict import exit_code
from understudy.stacks.clone import Change
from understudy.stacks.cost.estimate import Estimate
from understudy.stacks.fidelity import Finding, fidelity
from understudy.suites.results import BAD, SuitesResult

__all__ = ["SCHEMA", "RunRecord"]

SCHEMA: Literal[2] = 2
"""The version of the record; it rises when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Moments are RFC 3339 in UTC; `stop_seconds` is from what stopped the tests to no process left.

    What is called `offset` is seconds from the run's start by the monotonic clock; `seconds` is that of `ended`. A
    run that was killed has no `ended`, and `running` says in which phases it was.

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
    dirty: bool = field(default=False, kw_only=True)
    production_ref: str
    started: Moment
    version: str = ""
    profile: str = ""
    ci: CiRecord | None = None
    ended: Moment | None = None
    seconds: float = 0.0
    running: tuple[str, ...] = ()
    ready_at: Moment | None = None
    ready_offset: float | None = None
    phases: tuple[PhaseRecord, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    changes: tuple[ChangeRecord, ...] = ()
    fidelity: Mapping[str, int] = field(default_factory=dict)
    properties: tuple[PropertyRecord, ...] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)
    graph: GraphRecord = field(default_factory=GraphRecord)
    images: tuple[ImageRecord, ...] = ()
    resources: tuple[ResourceRecord, ...] = ()
    suites: tuple[SuiteRecord, ...] = ()
    stopped_by: str = ""
    stop_seconds: float | None = None
    deaths: tuple[DeathRecord, ...] = ()
    containers: tuple[ContainerRecord, ...] = ()
    usage: tuple[UsageRecord, ...] = ()
    mocks: tuple[MockRecord, ...] = ()
    sinks: tuple[SinkRecord, ...] = ()
    kept: KeptRecord | None = None
    receipt: ReceiptRecord | None = None
    cost: CostRecord | None = None
    exit_code: int = 0
    causes: tuple[CauseRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    past: str = ""
    shard: str = ""
    plan: str = ""
    elsewhere: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    parts: tuple[PartRecord, ...] = ()
    schema: Literal[2] = SCHEMA

    def with_changes(self, changes: tuple[Change, ...]) -> RunRecord:
        """This record with every difference from production, and their counts by fidelity."""
        return replace(
            self,
            changes=tuple(ChangeRecord.of(change) for change in changes),
            fidelity=dict(Counter(change.fidelity.value for change in changes)),
        )

    def with_report(self, findings: tuple[Finding, ...]) -> RunRecord:
        """This record with the fidelity report, and its verdict for each service, network, volume and third party."""
        return replace(
            self,
            properties=tuple(PropertyRecord.of(finding) for finding in findings),
            verdicts={subject: kind.value for subject, kind in fidelity(findings).items()},
        )

    def with_suites(
        self, result: SuitesResult, began: float | None = None, folders: Mapping[str, str] = MappingProxyType({})
    ) -> RunRecord:
        """This record with what the test stage came to.

        `began` is the run's start by the monotonic clock; `folders`: suite -> its folder, from the repository's root.
        """
        return replace(
            self,
            suites=tuple(SuiteRecord.of(suite, began, folders.get(suite.name, "")) for suite in result.suites),
            stopped_by=result.stopped_by,
            stop_seconds=result.stop_seconds,
            deaths=tuple(DeathRecord.of(death) for death in result.deaths),
        )

    def with_cost(self, found: Estimate) -> RunRecord:
        """This record with what its environment is estimated to have cost, from provisioning's begin to the receipt.

        To be called once the record has what there will be of both; where nothing is charged by the hour it has none.
        """
        if not found.region:
            return self
        began = next((phase.offset for phase in self.phases if phase.name == "provision"), None)
        gone = None if self.receipt is None or self.kept is not None else self.receipt.offset
        seconds = None if began is None or gone is None else gone - began
        return replace(self, cost=CostRecord.of(found, seconds))

    def with_cause(self, cause: CauseRecord) -> RunRecord:
        """This record with one more thing that went wrong, and the exit code that follows from all of them."""
        causes = (*self.causes, cause)
        return replace(self, causes=causes, exit_code=exit_code(each.code for each in causes))

    @property
    def bad_tests(self) -> tuple[tuple[str, CaseRecord], ...]:
        """(suite, test) of every failed test."""
        return tuple((suite.name, test) for suite in self.suites for test in suite.tests if test.outcome in BAD)

    def named(self, name: str, part: str) -> str:
        """What an entry is called: in a joined run with its part before it, as `1/2: orders`."""
        shard = next((each.shard for each in self.parts if each.folder == part), "")
        return f"{shard}: {name}" if shard else name

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
        return read_version(cls, text, SCHEMA)

    @classmethod
    def json_schema(cls) -> dict[str, object]:
        """The JSON schema of the record; `understudy/schemas/run.schema.json` is this, published."""
        return schema_of(cls, identity=f"urn:understudy:run:{SCHEMA}", title=f"Understudy run record, version {SCHEMA}")
