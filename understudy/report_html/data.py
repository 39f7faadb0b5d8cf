"""The record as the page's script reads it: tests as rows, long texts once, nothing that is not shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from understudy.report import CaseRecord, RunRecord, SectionRecord
from understudy.report_html.clean import block, line
from understudy.report_html.evidence import Excerpt, Logs
from understudy.report_html.moments import epoch, offset
from understudy.report_html.spans import spans_of
from understudy.suites.results import BAD, Outcome

__all__ = ["page_data"]

_LONGEST_ID = 600
_LONGEST_MESSAGE = 400

Json = dict[str, Any]


def page_data(record: RunRecord, logs: Logs) -> Json:
    """The data of the page's script.

    Returns:
        `start` (seconds since the epoch), `total` (seconds), `outcomes`, `bad` (numbers of outcomes), `suites`,
        `workers`, `spans`, `details`, `logsWhole`, and `tests`: each a row of suite, id, outcome, start (seconds from
        the run's, null: never), seconds, worker, message, file, line, the number of its detail (-1: none), attempts,
        and what it came to before as outcome, seconds, outcome, seconds ...; all but texts and times are numbers
        into the lists.
    """
    start = epoch(record.started) or 0.0
    outcomes = [outcome.value for outcome in Outcome]
    workers = list(dict.fromkeys(case.worker for suite in record.suites for case in suite.tests))
    number = {name: index for index, name in enumerate(workers)}
    details: list[Json] = []
    rows = []
    for at, suite in enumerate(record.suites):
        for place, case in enumerate(suite.tests):
            detail = _detail(case, logs.tests.get((at, place), ()), start)
            began = case.offset if case.offset is not None else offset(case.started, start)
            rows.append(
                [
                    at,
                    line(case.id, _LONGEST_ID),
                    outcomes.index(case.outcome),
                    None if began is None else round(began, 4),
                    round(case.seconds, 4),
                    number[case.worker],
                    line(case.message, _LONGEST_MESSAGE),
                    line(case.file),
                    case.line,
                    len(details) if detail else -1,
                    case.attempts,
                    _before(case, outcomes),
                ]
            )
            details += [detail] if detail else []
    return {
        "start": start,
        "total": _total(record, rows),
        "outcomes": outcomes,
        "bad": [outcomes.index(each) for each in Outcome if each in BAD or each is Outcome.ENVIRONMENT],
        "suites": [line(suite.name) for suite in record.suites],
        "workers": [line(worker) for worker in workers],
        "tests": rows,
        "details": details,
        "spans": spans_of(record),
        "logsWhole": logs.whole,
    }


def _total(record: RunRecord, rows: Iterable[list[Any]]) -> float:
    """How long the run took; of one that never closed, as far as anything in it is known."""
    ends = [record.seconds, *(each.offset + each.seconds for each in record.phases)]
    ends += [row[3] + row[4] for row in rows if row[3] is not None]
    return round(max(ends), 3)


def _before(case: CaseRecord, outcomes: list[str]) -> list[float]:
    known = (each for each in case.before if each.outcome in outcomes)
    return [part for each in known for part in (outcomes.index(each.outcome), round(each.seconds, 3))]


def _detail(case: CaseRecord, excerpts: tuple[Excerpt, ...], start: float) -> Json | None:
    """The long texts of a test; None: there are none."""
    if not (case.detail or case.sections or case.earlier or excerpts or len(case.message) > _LONGEST_MESSAGE):
        return None
    return {
        "message": block(case.message) if len(case.message) > _LONGEST_MESSAGE or "\n" in case.message else "",
        "detail": block(case.detail),
        "sections": _sections(case.sections),
        "earlier": [
            {
                "outcome": each.outcome.value,
                "seconds": each.seconds,
                "message": block(each.message),
                "detail": block(each.detail),
                "sections": _sections(each.sections),
            }
            for each in case.earlier
        ],
        "logs": [_excerpt(each, start) for each in excerpts],
    }


def _sections(found: Iterable[SectionRecord]) -> list[list[str]]:
    return [[line(each.title), block(each.text)] for each in found]


def _excerpt(excerpt: Excerpt, start: float) -> Json:
    return {
        "service": line(excerpt.service),
        "why": line(excerpt.why),
        "file": excerpt.file,
        "more": excerpt.more,
        "lines": [[round(each.at - start, 3), each.text] for each in excerpt.lines],
    }
