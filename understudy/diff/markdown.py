"""Markdown for a pull-request comment: a table, folded details, capped in size, with a marker to update it in place."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.diff.record import DifferenceRecord, DiffRecord, DriftRecord, PreviewRecord
from understudy.diff.wording import ABSENT, fidelities, headline, operations, sections
from understudy.report import markdown
from understudy.report.markdown import COMMENT_LIMIT, code, escaped, folded, within
from understudy.report.visible import plural

__all__ = ["marker", "render"]

REST = "`understudy diff --format html` has everything."


def marker(record: DiffRecord) -> str:
    """The comment by which a bot finds what it wrote before about the same two sides."""
    return markdown.marker("diff", record.identity)


def value(text: str | None) -> str:
    """A value of a property as code; null is said to be absent."""
    return f"<i>{ABSENT}</i>" if text is None else code(text)


def render(record: DiffRecord, *, limit: int = COMMENT_LIMIT) -> str:
    """The record as Markdown of at most `limit` characters; what was cut is said at its end."""
    head = [
        marker(record),
        f"### {code(record.before.title, 120)} \u2192 {code(record.after.title, 120)}",
        " ".join(filter(None, (escaped(headline(record), 500), escaped(operations(record), 500)))),
    ]
    blocks = [*_overview(record), *_details(record), *_preview(record.preview), *_drifts(record.drift)]
    blocks += [f"> {escaped(warning)}" for warning in record.warnings]
    return within("\n\n".join(head), blocks, limit, REST)


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
            f"| {code(each.label)} | {value(each.before)} | {value(each.after)} | {_why(each)} |"
            for each in group.found
        ]
        for start in range(0, len(rows), 40):
            piece = rows[start : start + 40]
            title = f"{code(group.title, 240)}: {plural(len(rows), 'difference')}" + " (continued)" * bool(start)
            yield folded(title, [heads, "|---|---|---|---|", *piece])


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
        yield folded(title, ["| operation | type | name | properties |", "|---|---|---|---|", *rows])


def _drifts(found: tuple[DriftRecord, ...]) -> Iterator[str]:
    for start in range(0, len(found), 40):
        rows = [
            f"| {escaped(each.kind)} {code(each.title, 120)} | {each.state} | "
            + ", ".join(f"{code(p.path, 60)} {value(p.provisioned)} \u2192 {value(p.actual)}" for p in each.properties)
            + f" {escaped(each.detail)} |"
            for each in found[start : start + 40]
        ]
        yield "\n".join(["| resource | state | provisioned \u2192 actual |", "|---|---|---|", *rows])
