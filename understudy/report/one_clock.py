"""The record of a part as one of the whole: its entries name the part, its offsets are on the one clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from understudy.report.deaths import DeathRecord
from understudy.report.measured import ResourceRecord, UsageRecord
from understudy.report.moments import Moment
from understudy.report.record import RunRecord
from understudy.report.records import CauseRecord, ContainerRecord, MockRecord, PhaseRecord
from understudy.report.suite_records import CaseRecord, SuiteRecord, WaitRecord

__all__ = ["epoch_of", "of_part"]

_Timed = TypeVar("_Timed", PhaseRecord, ResourceRecord, WaitRecord)
_Measured = TypeVar("_Measured", ContainerRecord, UsageRecord, MockRecord, DeathRecord)
_Placed = TypeVar("_Placed", CauseRecord, CaseRecord, SuiteRecord)


def epoch_of(moment: Moment) -> float:
    """A moment as seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp()


def of_part(record: RunRecord, folder: str, began: float) -> RunRecord:
    """The record of a part whose entries name its folder, and whose offsets are seconds from the whole's start.

    Parts run on several machines, whose monotonic clocks have nothing in common: their starts in UTC place them.

    Args:
        record: the part's.
        folder: where its run folder lies in that of the whole.
        began: the start of the whole, in seconds since the epoch.
    """
    shift = epoch_of(record.started) - began
    return replace(
        record,
        phases=_timed(record.phases, folder, shift),
        resources=_timed(record.resources, folder, shift),
        suites=tuple(_suite(each, folder, shift) for each in record.suites),
        containers=_measured(record.containers, folder),
        usage=_measured(record.usage, folder),
        mocks=_measured(record.mocks, folder),
        deaths=_measured(record.deaths, folder),
        causes=tuple(_shifted(each, shift) for each in record.causes),
    )


def _suite(suite: SuiteRecord, folder: str, shift: float) -> SuiteRecord:
    tests = tuple(replace(_shifted(each, shift), part=folder) for each in suite.tests)
    return replace(_shifted(suite, shift), tests=tests, waited=_timed(suite.waited, folder, shift))


def _timed(found: Iterable[_Timed], folder: str, shift: float) -> tuple[_Timed, ...]:
    return tuple(replace(each, offset=each.offset + shift, part=folder) for each in found)


def _measured(found: Iterable[_Measured], folder: str) -> tuple[_Measured, ...]:
    return tuple(replace(each, part=folder) for each in found)


def _shifted(each: _Placed, shift: float) -> _Placed:
    return each if each.offset is None else replace(each, offset=each.offset + shift)
