"""The last lines on the console: what a run came to and why, the page to open, the receipt. Pure but for that page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from understudy.report import RunRecord
from understudy.report.summary import verdict
from understudy.report_html import REPORT
from understudy.report_html.verdict import verdict_of
from understudy.suites.results import BAD

__all__ = ["last_lines"]

_SHOWN = 10


def last_lines(record: RunRecord, folder: Path) -> Iterator[str]:
    """The lines for a record that is closed; `folder` is the run folder, absolute."""
    yield f"{verdict(record)}: {verdict_of(record).reason}"
    bad = [f"{suite.name}: {case.id}" for suite in record.suites for case in suite.tests if case.outcome in BAD]
    yield from (f"  {name}" for name in islice(bad, _SHOWN))
    if len(bad) > _SHOWN:
        yield f"  and {len(bad) - _SHOWN} more"
    if record.stop_seconds is not None:
        yield f"stopped: {record.stopped_by}; no test process was left {record.stop_seconds:.2f} s later"
    page = folder / REPORT
    yield f"report:  {page if page.is_file() else folder}"
    if record.cost:
        yield f"cost:    {record.cost.text}"
    if record.receipt:
        yield f"receipt: {record.receipt.outcome} ({folder / 'receipt.json'})"
