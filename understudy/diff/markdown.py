"""Markdown for a pull-request comment: a table, folded details, capped in size, with a marker to update it in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from understudy.diff.record import DifferenceRecord, DiffRecord, DriftRecord, PreviewRecord
from understudy.diff.wording import ABSENT, cut, fidelities, headline, operations, plural, sections, visible

__all__ = ["LIMIT", "marker", "render"]

LIMIT = 65_536
"""Characters that GitHub takes in the body of a comment."""

_ROOM = 1_000
"""Characters kept back for what is said about what was cut."""

_VALUE = 400
"""Characters of one value; many long ones would leave no room for the others."""

_LINKED = (("@", "@\u200b"), ("#", "#\u200b"), ("://", ":\u200b//"))
"""What GitHub makes mentions, references and links of, entities or not: parted by a space of no width."""


def marker(record: DiffRecord) -> str:
    """The comment by which a bot finds what it wrote before about the same two sides."""
    identity = re.sub(r"[^A-Za-z0-9_.:]+", "-", record.identity)
    return f"<!-- understudy:diff:{identity} -->"


def escaped(text: str, most: int = _VALUE) -> str:
    """Foreign text as one line that is only text in GitHub's Markdown, in a table's cell too."""
    line = cut(visible(text), most)
    for plain, parted in _LINKED:
        line = line.replace(plain, parted)
    line = re.sub(r"(?i)www\.", lambda match: match[0][:3] + "\u200b.", line)
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", line)


def code(text: str | None, most: int = _VALUE) -> str:
    """Foreign text in the type of code; nothing in it is looked at for mentions."""
    return f"<i>{ABSENT}</i>" if text is None else f"<code>{escaped(text, most) or ' '}</code>"


def render(record: DiffRecord, *, limit: int = LIMIT) -> str:
    """The record as Markdown of at most `limit` characters; what was cut is said at its end."""
    head = [
        marker(record),
        f"### {code(record.before.title, 120)} \u2192 {code(record.after.title, 120)}",
        " ".join(filter(None, (escaped(headline(record), 500), escaped(operations(record), 500)))),
    ]
    blocks = [*_overview(record), *_details(record), *_preview(record.preview), *_drifts(record.drift)]
    blocks += [f"> {escaped(warning)}" for warning in record.warnings]
    return _within("\n\n".join(head), blocks, limit)


def _within(head: str, blocks: Sequence[str], limit: int) -> str:
    """The head and as many whole blocks as there is room for."""
    text, left = head, 0
    for block in blocks:
        if left or len(text) + len(block) + _ROOM > limit:
            left += 1
        else:
            text += f"\n\n{block}"
    if left:
        text += f"\n\n**{plural(left, 'block')} of {len(blocks)} cut**: a comment has room for {limit:,} characters. "
        text += "`understudy diff --format html` has everything."
    return text[: limit - 1] + "\n"


def _overview(record: DiffRecord) -> Iterator[str]:
    """One row a part, in pieces of a table each, so that a large one is cut and not lost."""
    for title, groups in sections(record).items():
        rows = [
            f"| {code(group.title, 240)} | {_labels(group.found)} | {escaped(', '.join(fidelities(group.found)))} |"
            for group in groups
        ]
        for start in range(0, len(rows), 40):
            piece = rows[start : start + 40]
            yield "\n".join([f"**{title}**", "", "| part | differs in | fidelity |", "|---|---|---|", *piece])


def _labels(found: tuple[DifferenceRecord, ...], most: int = 6) -> str:
    shown = ", ".join(code(each.label, 60) for each in found[:most])
    return shown + (f" and {len(found) - most} more" if len(found) > most else "")


def _details(record: DiffRecord) -> Iterator[str]:
    heads = f"| property | {record.before.kind} | {record.after.kind} | why |"
    for group in (each for groups in sections(record).values() for each in groups):
        rows = [
            f"| {code(each.label)} | {code(each.before)} | {code(each.after)} | {_why(each)} |" for each in group.found
        ]
        for start in range(0, len(rows), 40):
            piece = rows[start : start + 40]
            title = f"{code(group.title, 240)}: {plural(len(rows), 'difference')}" + " (continued)" * bool(start)
            yield _folded(title, [heads, "|---|---|---|---|", *piece])


def _folded(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"<details><summary>{title}</summary>", "", *lines, "", "</details>"])


def _why(found: DifferenceRecord) -> str:
    where = f" {code(found.rule, 120)}" if found.rule else ""
    return f"{escaped(found.reason)}{where}"


def _preview(preview: PreviewRecord | None) -> Iterator[str]:
    steps = [step for step in preview.steps if step.op != "same"] if preview else []
    for start in range(0, len(steps), 40):
        rows = [
            f"| {escaped(step.op)} | {code(step.type, 120)} | {code(step.name, 120)} | "
            f"{', '.join(code(path, 60) for path in list(step.properties)[:12])} |"
            for step in steps[start : start + 40]
        ]
        title = f"Pulumi: {plural(len(steps), 'resource')}" + " (continued)" * bool(start)
        yield _folded(title, ["| operation | type | name | properties |", "|---|---|---|---|", *rows])


def _drifts(found: tuple[DriftRecord, ...]) -> Iterator[str]:
    for start in range(0, len(found), 40):
        rows = [
            f"| {escaped(each.kind)} {code(each.name, 120)} | {each.state} | "
            + ", ".join(f"{code(p.path, 60)} {code(p.provisioned)} \u2192 {code(p.actual)}" for p in each.properties)
            + f" {escaped(each.detail)} |"
            for each in found[start : start + 40]
        ]
        yield "\n".join(["| resource | state | provisioned \u2192 actual |", "|---|---|---|", *rows])
