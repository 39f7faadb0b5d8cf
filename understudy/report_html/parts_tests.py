"""The parts of the page about tests: the timeline's frame and its table, suites and their tests, history. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from understudy.report import CaseRecord, RunRecord, SuiteRecord
from understudy.report_html.markup import Child, Markup, el
from understudy.report_html.moments import duration
from understudy.report_html.parts_run import section, table
from understudy.report_html.spans import spans_of
from understudy.suites.results import BAD, Outcome

__all__ = ["history_part", "suites_part", "timeline_table"]

_SLOWER = 1.5
_LEAST = 0.1
_WHOLE = frozenset({Outcome.PASSED, Outcome.FLAKY, Outcome.FAILED, Outcome.XFAILED, Outcome.XPASSED})
"""Outcomes of tests that came to their end, so that their durations can be compared."""
"""A test counts as slower or faster from half as much again, and from a tenth of a second: less is noise."""

_MOST = 20
_WIDTH, _HEIGHT = 90.0, 18.0


def timeline_table(record: RunRecord) -> Markup:
    """The timeline's place, and the same as a table for whoever does not see it; tests are in their own list."""
    spans = spans_of(record)
    rows = [
        el(
            "tr",
            el("td", group),
            el("td", label),
            el("td", f"{start:.2f} s"),
            el("td", duration(length)),
            el("td", "" if good else "failed"),
        )
        for group, _lane, label, start, length, good in spans
    ]
    return section(
        "timeline",
        "Timeline",
        el("div", id="timeline-view", class_="js", hidden=""),
        el("details", el("summary", "The same as a table"), table(("what", "name", "from", "took", ""), rows)),
    )


def suites_part(record: RunRecord) -> Markup | None:
    """A line for each suite, and the place of the list of all tests."""
    if not record.suites:
        return None
    total = sum(len(suite.tests) for suite in record.suites)
    heads = ("suite", "ended", "tests", "took", "workers", "why")
    return section(
        "tests",
        "Tests",
        table(heads, map(_suite, record.suites)),
        el("div", id="tests-view", class_="js", hidden=""),
        note=f"{total} in {len(record.suites)} suite{'s' if len(record.suites) != 1 else ''}",
    )


def _suite(suite: SuiteRecord) -> Markup:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in suite.counts.items() if count)
    return el(
        "tr",
        el("td", el("code", suite.name)),
        el("td", el("span", suite.status.value, class_=f"tag s-{suite.status.value}")),
        el("td", counts or "none"),
        el("td", duration(suite.seconds)),
        el("td", str(suite.workers)),
        el("td", suite.reason, [el("p", notice, class_="dim") for notice in suite.notices]),
    )


def history_part(record: RunRecord) -> Markup | None:
    """Tests that are slower or faster than before, and those that fail now and then; None: no history is known."""
    known = [(suite.name, case) for suite in record.suites for case in suite.tests if case.before]
    flaky = [(suite.name, case) for suite in record.suites for case in suite.tests if _flaky(case)]
    if not known and not flaky:
        return None
    moved = sorted(_moved(known), key=lambda each: -abs(each[0]))
    parts: list[Child] = []
    if flaky:
        rows = [
            el(
                "tr",
                el("td", el("code", f"{suite}: {case.id}")),
                el("td", _dots(case)),
                el("td", _rate(case)),
            )
            for suite, case in flaky[:_MOST]
        ]
        parts.append(el("h3", f"Flaky ({len(flaky)})"))
        parts.append(table(("test", "earlier runs, then this one", "not passed"), rows))
    if moved:
        rows = [
            el(
                "tr",
                el("td", el("code", f"{suite}: {case.id}")),
                el("td", duration(usual)),
                el("td", duration(case.seconds)),
                el("td", ("+" if by > 0 else "\u2212") + duration(abs(by)), class_="slower" if by > 0 else "faster"),
                el("td", _spark([*(each.seconds for each in case.before), case.seconds])),
            )
            for by, usual, suite, case in moved[:_MOST]
        ]
        parts.append(el("h3", f"Slower or faster than usual ({len(moved)})"))
        parts.append(table(("test", "median before", "now", "difference", ""), rows))
    if not parts:
        parts.append(el("p", "No test is flaky, and none took notably longer or shorter than before.", class_="dim"))
    return section("history", "Against earlier runs", parts, note=f"{len(known)} tests have a history")


def _outcomes(case: CaseRecord) -> list[str]:
    """How it ended in earlier runs, oldest first, and in this one."""
    return [*(each.outcome for each in case.before), case.outcome.value]


def _flaky(case: CaseRecord) -> bool:
    """Passed on a retry, now or before, or passed and failed by turns before: one failure now makes none flaky."""
    before = {each.outcome for each in case.before}
    return Outcome.FLAKY in {*before, case.outcome} or (Outcome.PASSED in before and bool(before & BAD))


def _rate(case: CaseRecord) -> str:
    outcomes = _outcomes(case)
    return f"{sum(each in BAD or each == Outcome.FLAKY for each in outcomes)} of {len(outcomes)}"


def _dots(case: CaseRecord) -> list[Child]:
    signs = {"passed": "\u25cf", "flaky": "\u25d0"}
    return [
        el("span", signs.get(each, "\u2717" if each in BAD else "\u00b7"), class_=f"o-{each}", title=each)
        for each in _outcomes(case)
    ]


def _moved(known: Sequence[tuple[str, CaseRecord]]) -> Iterator[tuple[float, float, str, CaseRecord]]:
    """Difference, usual length, suite and test of those that took notably longer or shorter."""
    for suite, case in known:
        lasted = [each.seconds for each in case.before if each.outcome in _WHOLE]
        if case.outcome not in _WHOLE or not lasted:
            continue
        usual = median(lasted)
        by = case.seconds - usual
        apart = max(case.seconds, usual) > _SLOWER * min(case.seconds, usual)
        if case.started is not None and abs(by) >= _LEAST and apart:
            yield by, usual, suite, case


def _spark(values: Sequence[float]) -> Markup:
    """Durations as a small line; the last one is this run's."""
    top = max(values) or 1.0
    step = (_WIDTH - 4) / max(len(values) - 1, 1)
    points = [(2 + n * step, _HEIGHT - 2 - value / top * (_HEIGHT - 4)) for n, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return el(
        "svg",
        el("title", ", ".join(duration(value) for value in values)),
        el("polyline", points=line),
        el("circle", cx=f"{points[-1][0]:.1f}", cy=f"{points[-1][1]:.1f}", r="2"),
        class_="spark",
        role="img",
        width=f"{_WIDTH:.0f}",
        height=f"{_HEIGHT:.0f}",
    )
