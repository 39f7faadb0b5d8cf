"""The record of a run: typed, versioned, with a published schema; every report is a rendering of it."""

from __future__ import annotations

from understudy.report.codec import RecordError
from understudy.report.graph import EdgeRecord, GraphRecord, NodeRecord, graph_of
from understudy.report.measured import ResourceRecord, UsageRecord
from understudy.report.moments import Moment, utc
from understudy.report.record import SCHEMA, RunRecord
from understudy.report.records import (
    CauseRecord,
    ChangeRecord,
    CiRecord,
    ContainerRecord,
    EndpointRecord,
    ImageRecord,
    KeptRecord,
    LeftoverRecord,
    MockRecord,
    PartRecord,
    PhaseRecord,
    PropertyRecord,
    ReceiptRecord,
    SinkRecord,
)
from understudy.report.suite_records import BeforeRecord, CaseRecord, SectionRecord, SuiteRecord, WaitRecord
from understudy.report.verdict import ORDER, exit_code

__all__ = [
    "ORDER",
    "SCHEMA",
    "BeforeRecord",
    "CaseRecord",
    "CauseRecord",
    "ChangeRecord",
    "CiRecord",
    "ContainerRecord",
    "EdgeRecord",
    "EndpointRecord",
    "GraphRecord",
    "ImageRecord",
    "KeptRecord",
    "LeftoverRecord",
    "MockRecord",
    "Moment",
    "NodeRecord",
    "PartRecord",
    "PhaseRecord",
    "PropertyRecord",
    "ReceiptRecord",
    "RecordError",
    "ResourceRecord",
    "RunRecord",
    "SectionRecord",
    "SinkRecord",
    "SuiteRecord",
    "UsageRecord",
    "WaitRecord",
    "exit_code",
    "graph_of",
    "utc",
]
