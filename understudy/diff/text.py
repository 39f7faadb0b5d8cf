"""The text for people: readable at 80 columns, with colour only where a terminal shows it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import zip_longest

from understudy.diff.record import DifferenceRecord, DiffRecord, DriftRecord, StepRecord
from understudy.diff.wording import ABSENT, OPS, headline, mark, operations, sections
from understudy.report.visible import cut, visible

__all__ = ["render"]

_STYLES = {"bold": "1", "dim": "2", "+": "32", "-": "31", "~": "33", "\u00b1": "35"}
_NARROWEST = 40
_MOST_LINES = 6
"""Lines of one value; what is longer is cut."""


class _Page:
    def __init__(self, width: int, *, colour: bool) -> None:
        self.width = max(width, _NARROWEST)
        self._colour = colour

    def styled(self, text: str, style: str) -> str:
        return f"\033[{_STYLES[style]}m{text}\033[0m" if self._colour and style in _STYLES else text

    def wrapped(self, text: str, first: str, rest: str) -> Iterator[str]:
        """Lines of at most the width; a word that is longer is broken."""
        lines = textwrap.wrap(
            cut(visible(text)),
            self.width,
            initial_indent=first,
            subsequent_indent=rest,
            max_lines=_MOST_LINES,
            placeholder=" \u2026",
            break_on_hyphens=False,
        )
        yield from lines or ([first.rstrip()] if first.strip() else [])


def render(record: DiffRecord, *, width: int = 80, colour: bool = False) -> str:
    """The record as text, each line at most `width` characters wide; ends with a line feed."""
    page = _Page(width, colour=colour)
    lines = [
        *(page.styled(line, "bold") for line in page.wrapped(record.before.title, "--- ", "    ")),
        *(page.styled(line, "bold") for line in page.wrapped(record.after.title, "+++ ", "    ")),
    ]
    for title, groups in sections(record).items():
        lines += ["", page.styled(title, "bold")]
        for group in groups:
            lines += page.wrapped(group.title, "  ", "    ")
            for each, following in zip_longest(group.found, group.found[1:]):
                lines += _values(page, mark(each), each.label, each.before, each.after)
                if following is None or _said(following) != _said(each):
                    lines += (page.styled(line, "dim") for line in page.wrapped(_said(each), "        ", "        "))
    if record.preview is not None:
        steps = [step for step in record.preview.steps if step.op != "same"]
        lines += ["", *page.wrapped(operations(record), "", "")]
        for step in steps:
            lines += _step(page, step)
    for drift in record.drift:
        lines += ["", *_drift(page, drift)]
    lines += ["", *(page.styled(line, "bold") for line in page.wrapped(headline(record), "", ""))]
    return "\n".join(lines) + "\n"


def _said(found: DifferenceRecord) -> str:
    """The reason, the fidelity and the rule; one that several differences share stands below the last of them."""
    return " ".join(filter(None, (found.reason, found.fidelity and f"[{found.fidelity}]", found.rule)))


def _values(page: _Page, sign: str, label: str, before: str | None, after: str | None) -> Iterator[str]:
    """On one line where it fits, else both values below each other."""
    old, new = (ABSENT if value is None else visible(value) for value in (before, after))
    line = f"    {sign} {visible(label)}: {old} -> {new}"
    if len(line) <= page.width:
        yield page.styled(line, sign)
        return
    yield from (page.styled(text, sign) for text in page.wrapped(f"{label}:", f"    {sign} ", "      "))
    for value, side in ((before, "-"), (after, "+")):
        if value is not None:
            yield from (page.styled(text, side) for text in page.wrapped(value, f"      {side} ", "        "))


def _step(page: _Page, step: StepRecord) -> Iterator[str]:
    sign = OPS.get(step.op, "~")
    names = ", ".join(f"{path} ({kind})" for path, kind in step.properties.items())
    said = f"{step.op} {step.type} {step.name}" + (f": {names}" if names else "")
    yield from (page.styled(line, sign) for line in page.wrapped(said, f"  {sign} ", "      "))


def _drift(page: _Page, drift: DriftRecord) -> Iterator[str]:
    sign = {"gone": "-", "added": "+"}.get(drift.state, "~")
    said = f"{drift.kind} {drift.title}: {drift.state}" + (f", {drift.detail}" if drift.detail else "")
    yield from (page.styled(line, sign) for line in page.wrapped(said, f"{sign} ", "    "))
    for each in drift.properties:
        yield from _values(page, "~", each.path, each.provisioned, each.actual)
