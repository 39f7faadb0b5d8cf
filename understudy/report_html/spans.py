"""What the timeline shows beside the tests: phases, resources, waits and suites, as rows of one form. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.report import RunRecord
from understudy.report_html.clean import line
from understudy.report_html.moments import epoch, offset
from understudy.suites.results import SuiteStatus

__all__ = ["Span", "spans_of"]

Span = tuple[str, str, str, float, float, bool]
"""Group (phases, resources, ready, waits, suites), lane in it, label, seconds from the run's start, length, good."""


def spans_of(record: RunRecord) -> list[Span]:
    """Every span, group by group in the order of the lanes."""
    return [
        (group, line(lane), line(label), round(start, 4), round(length, 4), good)
        for group, lane, label, start, length, good in _spans(record)
    ]


def _spans(record: RunRecord) -> Iterator[Span]:
    start = epoch(record.started) or 0.0
    for phase in record.phases:
        yield "phases", "", record.named(phase.name, phase.part), phase.offset, phase.seconds, phase.ok
    for made in record.resources:
        group, label = (
            ("ready", f"{made.name} gets ready") if made.kind == "wait" else ("resources", f"{made.kind} {made.name}")
        )
        yield group, made.kind, record.named(label, made.part), made.offset, made.seconds, made.ok
    for suite in record.suites:
        for wait in suite.waited:
            label = record.named(f"{suite.name} waited for {wait.name}", wait.part)
            yield "waits", suite.name, label, wait.began, wait.seconds, True
    for suite in record.suites:
        began = suite.offset if suite.offset is not None else offset(suite.started, start) or 0.0
        good = suite.status is SuiteStatus.PASSED
        yield "suites", suite.name, f"{suite.name}: {suite.status.value}", began, suite.seconds, good
