"""The fidelity report for people: Markdown for a run folder, plain lines for a terminal. No logic, only form."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from understudy.stacks.clone import Fidelity
from understudy.stacks.fidelity import Finding, fidelity

__all__ = ["cell", "fidelity_lines", "fidelity_markdown"]

_LONGEST = 160
"""Characters of a value that are shown; run.json has all of them."""


def fidelity_markdown(findings: Sequence[Finding]) -> str:
    """A page: the verdicts first, then of each subject all that is not as in production, then what is."""
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
    for subject in verdicts:
        lines += _section(subject, [finding for finding in findings if finding.subject == subject])
    return "\n".join(lines) + "\n"


def _section(subject: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield from ("", f"## {cell(subject)}", "")
    yield "| property | fidelity | production | clone | why | rule |"
    yield "|---|---|---|---|---|---|"
    for finding in sorted(findings, key=lambda each: each.fidelity is Fidelity.FAITHFUL):
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
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else "\N{MIDDLE DOT}" for c in short)  # noqa: PLR2004 - two hexadecimal digits
    return re.sub(r"([\\`*_{}\[\]()#+!|~@:])", r"\\\1", html.escape(plain, quote=False))


def fidelity_lines(findings: Iterable[Finding], *, everything: bool = False) -> Iterator[str]:
    """Lines for a terminal: each subject with its verdict, and below it what differs (or `everything`)."""
    kept = tuple(findings)
    for subject, verdict in fidelity(kept).items():
        yield f"{subject}: {verdict}"
        for finding in kept:
            if finding.subject == subject and (everything or finding.fidelity is not Fidelity.FAITHFUL):
                yield from _told(finding)


def _told(finding: Finding) -> Iterator[str]:
    what = finding.property or "(the whole)"
    yield f"  {finding.fidelity.value:<8} {what}: {_short(finding.production)} -> {_short(finding.clone)}"
    why = finding.reason + (f" [{finding.rule}]" if finding.rule else "")
    if why:
        yield f"           {why}"


def _short(text: str | None) -> str:
    value = _value(text).replace("\n", "\\n")
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 3]}..."
