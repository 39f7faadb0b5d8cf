"""A run record as a Chrome trace: what happened when, for Perfetto and chrome://tracing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from understudy.report.measured import ResourceRecord
from understudy.report.record import RunRecord
from understudy.report.suite_records import SuiteRecord

__all__ = ["timeline"]

_RUN, _MADE, _SUITES = 1, 2, 10
"""The trace's processes: the run itself, what was made, and one for each suite from 10 on."""


def timeline(record: RunRecord) -> dict[str, object]:
    """The trace as JSON-ready data, in the "JSON Object Format" of the Trace Event Format (complete events, `ph: X`).

    `ts` and `dur` are microseconds, `ts` from the run's start by the monotonic clock. What has no offset is left out.
    """
    events = [*_phases(record), *_made(record.resources)]
    for number, suite in enumerate(record.suites):
        events += _suite(_SUITES + number, suite)
    events += [
        _marker(f"{cause.kind}: {cause.phase}", cause.offset) for cause in record.causes if cause.offset is not None
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"run": record.run, "started": record.started, "commit": record.commit},
    }


def _phases(record: RunRecord) -> Iterator[dict[str, object]]:
    yield _named("process_name", _RUN, 0, "run")
    for number, phase in enumerate(record.phases):  # a row each: phases may overlap
        yield _named("thread_name", _RUN, number, phase.name)
        yield _event(phase.name, (_RUN, number), phase.offset, phase.seconds, {"ok": phase.ok})


def _made(resources: tuple[ResourceRecord, ...]) -> Iterator[dict[str, object]]:
    """Each kind in as many rows as were under way at once."""
    if resources:
        yield _named("process_name", _MADE, 0, "environment")
    rows: dict[tuple[str, int], int] = {}
    free: dict[tuple[str, int], float] = {}
    for each in sorted(resources, key=lambda each: (each.offset, each.kind, each.name)):
        key = next(key for number in count() if free.get(key := (each.kind, number), 0.0) <= each.offset)
        free[key] = each.offset + each.seconds
        if key not in rows:
            rows[key] = len(rows)
            yield _named("thread_name", _MADE, rows[key], each.kind)
        what = {"kind": each.kind, "ok": each.ok}
        yield _event(each.name, (_MADE, rows[key]), each.offset, each.seconds, what)


def _suite(process: int, suite: SuiteRecord) -> Iterator[dict[str, object]]:
    """The suite in the first row, its tests in one for each worker, what it waited for in one each."""
    if suite.offset is None:
        return
    yield _named("process_name", process, 0, f"suite {suite.name}")
    yield _named("thread_name", process, 0, "suite")
    yield _event(suite.name, (process, 0), suite.offset, suite.seconds, {"status": suite.status.value})
    workers = {name: number for number, name in enumerate(sorted({test.worker for test in suite.tests}), 1)}
    for name, number in workers.items():
        yield _named("thread_name", process, number, name or "tests")
    for test in suite.tests:
        if test.offset is not None:
            what = {"outcome": test.outcome.value, "message": test.message}
            yield _event(test.id, (process, workers[test.worker]), test.offset, test.seconds, what)
    for number, wait in enumerate(suite.waited, len(workers) + 1):
        yield _named("thread_name", process, number, "waits")
        yield _event(f"waited for {wait.name}", (process, number), wait.began, wait.seconds, {})


def _event(
    name: str, row: tuple[int, int], offset: float, seconds: float, arguments: Mapping[str, object]
) -> dict[str, object]:
    return {
        "name": name,
        "ph": "X",
        "pid": row[0],
        "tid": row[1],
        "ts": round(offset * 1e6),
        "dur": round(seconds * 1e6),
        "args": dict(arguments),
    }


def _named(what: str, process: int, row: int, name: str) -> dict[str, object]:
    return {"name": what, "ph": "M", "pid": process, "tid": row, "args": {"name": name}}


def _marker(name: str, offset: float) -> dict[str, object]:
    return {"name": name, "ph": "i", "s": "g", "pid": _RUN, "tid": 0, "ts": round(offset * 1e6)}
