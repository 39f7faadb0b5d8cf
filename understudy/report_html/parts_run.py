"""The parts of the page about the run itself: verdict, causes, logs of what was not well. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable

from understudy.errors import TestsFailedError
from understudy.report import CauseRecord, RunRecord
from understudy.report.summary import removals
from understudy.report.visible import plural
from understudy.report_html.clean import block
from understudy.report_html.evidence import Excerpt, Logs
from understudy.report_html.links import file_link
from understudy.report_html.markup import Child, Markup, el
from understudy.report_html.moments import clock, duration
from understudy.report_html.verdict import Verdict, counted

__all__ = [
    "SIGN",
    "causes_part",
    "header_part",
    "noscript_part",
    "pairs",
    "pre",
    "section",
    "table",
    "tails_part",
]

SIGN = {"passed": "\u2713", "failed": "\u2717", "broken": "!", "interrupted": "\u25a0", "unfinished": "\u2026"}
_MOST_NAMED = 200


def section(name: str, title: str, *children: Child, note: Child = None, class_: str | None = None) -> Markup:
    """A part of the page with its heading."""
    heading = el("h2", el("span", title, id=f"{name}-title"), el("small", note) if note else None)
    return el("section", heading, *children, id=name, class_=class_, attributes={"aria-labelledby": f"{name}-title"})


def pairs(found: Iterable[tuple[str, Child]]) -> Markup:
    """Names and values; those without a value are left out."""
    return el("dl", [(el("dt", name), el("dd", value)) for name, value in found if value], class_="pairs")


def header_part(record: RunRecord, verdict: Verdict) -> Markup:
    """The verdict and its reason, and what was run; the bar with search and switches."""
    ref = f"{record.branch or 'no branch'} @ {record.commit[:12]}" + (" (dirty)" if record.dirty else "")
    counts = counted(record)
    facts = [
        el("span", f"{count} {outcome.value}", class_=f"count o-{outcome.value}") for outcome, count in counts.items()
    ]
    took = duration(record.seconds) if record.ended else None
    receipt = record.receipt.outcome if record.receipt else None
    bar = el(
        "div",
        el("strong", record.project, class_="project"),
        el("span", ref, class_="ref"),
        el("a", "Skip to the tests", href="#tests", class_="skip"),
        el("span", class_="grow"),
        el("button", "Theme: auto", id="theme", type="button", class_="js", hidden="", title="Theme (d)"),
        el("button", "Keys ?", id="keys", type="button", class_="js", hidden="", title="Keyboard (?)"),
        class_="bar",
    )
    return el(
        "header",
        bar,
        el(
            "div",
            el("span", SIGN[verdict.kind], class_="sign", attributes={"aria-hidden": "true"}),
            el("div", el("h1", verdict.word), el("p", verdict.reason, class_="reason")),
            class_="verdict",
        ),
        el("p", facts, class_="counts") if facts else None,
        pairs(
            (
                ("started", clock(record.started)),
                ("took", took),
                ("environment", record.environment),
                ("receipt", receipt),
                ("cost", record.cost.text if record.cost else None),
                ("exit code", str(record.exit_code) if record.ended else None),
            )
        ),
        el("p", f"Stopped early: {record.stopped_by}", class_="note") if record.stopped_by else None,
        _kept(record),
        _removal(record),
    )


def _kept(record: RunRecord) -> Markup | None:
    """Until when a failed environment stays, where it answers, and what can be done with it."""
    if record.kept is None:
        return None
    urls = ", ".join(f"{each.service}:{each.port} at {each.url}" for each in record.endpoints)
    return el(
        "div",
        el(
            "p",
            el("strong", f"Kept until {clock(record.kept.expires)}"),
            f", at the latest {clock(record.kept.not_after)}. ",
        ),
        el("p", urls) if urls else None,
        el("ul", [el("li", el("code", command)) for command in record.kept.commands]),
        class_="receipt",
    )


def _removal(record: RunRecord) -> Markup | None:
    """What removes an environment of which nothing proves that it is gone."""
    commands = removals(record)
    if not commands:
        return None
    return el(
        "div",
        el("p", "Nothing here proves that the environment is gone. This removes it:"),
        el("ul", [el("li", el("code", command)) for command in commands]),
        class_="receipt",
    )


def causes_part(record: RunRecord) -> Markup | None:
    """Everything else than tests that went wrong: what was tried, on what, what happened; below, what to do."""
    causes = [each for each in record.causes if each.code != TestsFailedError.exit_code]  # the tests say so themselves
    if not causes:
        return None
    return section("causes", "What went wrong", el("ol", map(_cause, causes), class_="causes"))


def _cause(cause: CauseRecord) -> Markup:
    first, _, rest = cause.message.partition("\n")
    return el(
        "li",
        el("p", first, class_="what"),
        pre(rest) if rest else None,
        el("p", f"{cause.kind} in phase {cause.phase or 'none'}, exit code {cause.code}", class_="dim"),
    )


def pre(text: str) -> Markup:
    """Foreign text of several lines, as it was."""
    return Markup(f'<pre tabindex="0">{html.escape(block(text))}</pre>')


def noscript_part(record: RunRecord) -> Markup | None:
    """The failing tests for a reader without scripts, such as a server that forbids them."""
    bad = record.bad_tests
    if not bad:
        return None
    listed = [
        el("li", el("code", f"{suite}: {case.id}"), pre(case.message or case.detail))
        for suite, case in bad[:_MOST_NAMED]
    ]
    return el(
        "noscript",
        section(
            "bad", f"Failing tests ({len(bad)})", el("ul", listed), note="scripts are off: details are in junit.xml"
        ),
    )


def tails_part(logs: Logs, base: str | None) -> Markup | None:
    """The last lines of services that were not well at the end."""
    if not logs.tails:
        return None
    return section("tails", "Services that were not well", [_tail(each, base) for each in logs.tails])


def _tail(tail: Excerpt, base: str | None) -> Markup:
    shown = "\n".join(each.text for each in tail.lines)
    return el(
        "details",
        el(
            "summary",
            el("code", tail.service),
            " ",
            tail.why,
            el("span", f"last {plural(len(tail.lines), 'line')}", class_="dim"),
        ),
        pre(shown) if tail.lines else el("p", "It logged nothing.", class_="dim"),
        el("p", "All of it: ", file_link(base, tail.file)) if tail.more else None,
        open="",
    )


def table(heads: Iterable[str], rows: Iterable[Child]) -> Markup:
    """A table that scrolls by itself where the screen is narrow."""
    head = el("thead", el("tr", [el("th", head, scope="col") for head in heads]))
    return el("div", el("table", head, el("tbody", rows)), class_="wide", tabindex="0")
