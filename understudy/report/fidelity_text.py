"""The fidelity report for people: Markdown for a run folder, plain lines for a terminal. No logic, only form."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from understudy.report.alike import grouped, joined
from understudy.stacks.clone import Fidelity
from understudy.stacks.fidelity import Finding, fidelity

__all__ = ["cell", "fidelity_lines", "fidelity_markdown", "wrapped"]

_LONGEST = 160
"""Characters of a value that are shown; run.json has all of them."""


def fidelity_markdown(findings: Sequence[Finding]) -> str:
    """A page: the verdicts, what differs alike in several subjects, then of each what is its own, and what is as there.

    The rows of a table stand in one order everywhere: what differs first.
    """
    verdicts = fidelity(findings)
    lines = [
        "# Fidelity",
        "",
        "How this clone stands to production.",
        "",
        "| what | verdict | differs | as in production |",
    ]
    lines.append("|---|---|---|---|")
    for subject, verdict in verdicts.items():
        own = [finding for finding in findings if finding.subject == subject]
        same = sum(finding.fidelity is Fidelity.FAITHFUL for finding in own)
        lines.append(f"| {cell(subject)} | {verdict} | {len(own) - same} | {same} |")
    groups = _groups(findings)
    for subjects, shared in groups.items():
        if len(subjects) > 1:
            lines += _section(f"Alike in {joined(subjects)}", shared)
    for subject in verdicts:
        faithful = [f for f in findings if f.subject == subject and f.fidelity is Fidelity.FAITHFUL]
        rows = [*groups.get((subject,), ()), *faithful]
        if rows:
            lines += _section(subject, rows)
    return "\n".join(lines) + "\n"


def _groups(findings: Iterable[Finding]) -> dict[tuple[str, ...], list[Finding]]:
    """What differs, by the subjects in which it differs alike."""
    return grouped(
        (finding for finding in findings if finding.fidelity is not Fidelity.FAITHFUL),
        subject=lambda each: each.subject,
        same=lambda each: (each.property, each.fidelity, each.production, each.clone, each.reason, each.rule),
    )


def _section(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield from ("", f"## {_escaped(title)}", "")
    yield "| property | fidelity | production | clone | why | rule |"
    yield "|---|---|---|---|---|---|"
    for finding in findings:
        texts = (
            finding.property or "(the whole)",
            finding.fidelity.value,
            _value(finding.production),
            _value(finding.clone),
            finding.reason,
            finding.rule,
        )
        yield f"| {' | '.join(cell(text) for text in texts)} |"


def _value(text: str | None) -> str:
    return "-" if text is None else text


def cell(text: str) -> str:
    """A text as the cell of a Markdown table: nothing in it is markup, and it stays on one line."""
    return _escaped(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _escaped(text: str) -> str:
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else "\N{MIDDLE DOT}" for c in text)  # noqa: PLR2004 - two hexadecimal digits
    return re.sub(r"([\\`*_{}\[\]()#+!|~@:])", r"\\\1", html.escape(plain, quote=False))


def wrapped(text: str, indent: str, width: int, rest: str | None = None) -> Iterator[str]:
    """Lines of at most `width` characters, the first behind `indent`, the others behind `rest` (else the same).

    A word that is longer than a line is broken.
    """
    line = "".join(c if c.isprintable() else "\N{MIDDLE DOT}" for c in text.replace("\n", "\\n"))
    after = indent if rest is None else rest
    yield from textwrap.wrap(line, width, initial_indent=indent, subsequent_indent=after, break_on_hyphens=False)


def fidelity_lines(findings: Iterable[Finding], *, width: int = 80) -> Iterator[str]:
    """Lines for a terminal: each subject with its verdict and what is its own; then what several have alike."""
    kept = tuple(findings)
    groups = _groups(kept)
    for subject, verdict in fidelity(kept).items():
        yield from wrapped(f"{subject}: {verdict}", "", width, "  ")
        yield from _told(groups.get((subject,), ()), width)
    for subjects, shared in groups.items():
        if len(subjects) > 1:
            yield from wrapped(f"alike in {joined(subjects)}:", "", width, "  ")
            yield from _told(shared, width)


def _told(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """What differs; a reason that several in a row share stands below the last of them."""
    for finding, following in zip_longest(findings, findings[1:]):
        what = f"{finding.property or '(the whole)'}:"
        values = f"{_cut(_value(finding.production))} -> {_cut(_value(finding.clone))}"
        yield from wrapped(f"{finding.fidelity.value:<8} {what} {values}", "  ", width, " " * 13)
        if following is None or _why(following) != _why(finding):
            yield from wrapped(_why(finding), " " * 11, width)


def _why(finding: Finding) -> str:
    return finding.reason + (f" [{finding.rule}]" if finding.rule else "")
