"""What all renderers say alike: titles, counts, marks, and values that can steer neither a terminal nor a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from understudy.diff.record import DifferenceRecord, DiffRecord
from understudy.report.alike import grouped, joined
from understudy.report.visible import plural

__all__ = [
    "ABSENT",
    "CAUSES",
    "OPS",
    "Group",
    "counts",
    "fidelities",
    "headline",
    "mark",
    "operations",
    "sections",
]

ABSENT = "(absent)"

CAUSES = {"commit": "Changed by the commit", "clone": "So in every clone", "": "Differences"}
"""The headings of the sections, in their order."""

OPS = {
    "create": "+",
    "update": "~",
    "replace": "±",
    "create-replacement": "±",
    "delete-replaced": "±",
    "delete": "-",
    "refresh": "~",
}
"""Pulumi's operations and their marks."""


def mark(found: DifferenceRecord) -> str:
    """`+` for what is new, `-` for what is gone, `~` for what is another."""
    if found.before is None:
        return "+"
    return "-" if found.after is None else "~"


@dataclass(frozen=True, slots=True)
class Group:
    """What differs alike in one subject or in several: the title names them, `found` are the differences of the first.

    A mark on every service would else be shown once for each.
    """

    title: str
    found: tuple[DifferenceRecord, ...]


def sections(record: DiffRecord) -> Mapping[str, tuple[Group, ...]]:
    """Heading -> its groups: first what the commit changes, then what is so in every clone."""
    found: dict[str, tuple[Group, ...]] = {}
    for cause, title in CAUSES.items():
        groups = _grouped([each for each in record.differences if each.cause == cause])
        if groups:
            found[title] = groups
    return found


def _grouped(found: Sequence[DifferenceRecord]) -> tuple[Group, ...]:
    """The differences by the subjects that share them, in the order of their first."""
    shared = grouped(
        found,
        subject=lambda each: each.subject,
        same=lambda each: (each.label, each.before, each.after, each.reason, each.fidelity, each.rule),
    )
    return tuple(Group(joined(subjects), tuple(same)) for subjects, same in shared.items())


def fidelities(found: Iterable[DifferenceRecord]) -> tuple[str, ...]:
    """Every fidelity among the differences, once."""
    return tuple(dict.fromkeys(each.fidelity for each in found if each.fidelity))


def headline(record: DiffRecord) -> str:
    """What was compared came to, in one sentence."""
    if record.kind == "drift":
        if not record.drift:
            return f"No drift: {plural(record.unchanged, 'resource')} as provisioned."
        return f"{plural(len(record.drift), 'resource')} drifted, {record.unchanged} as provisioned."
    if not record.differences:
        return f"No difference in {plural(record.unchanged, 'part')}."
    parts = len(record.subjects)
    marks = ", ".join(f"{count} {name}" for name, count in record.fidelity.items())
    said = f"{plural(len(record.differences), 'difference')} in {plural(parts, 'part')}, {record.unchanged} unchanged"
    return f"{said}; fidelity: {marks}." if marks else f"{said}."


def counts(preview_counts: Mapping[str, int]) -> str:
    """Resources by operation: `3 create, 1 update, 12 same`."""
    return ", ".join(f"{count} {op}" for op, count in preview_counts.items() if count) or "nothing"


def operations(record: DiffRecord) -> str:
    """What Pulumi would do, in one sentence; empty where it was not asked."""
    if record.preview is None:
        return ""
    where = "the living environment" if record.preview.living else "an empty stack, as the branch has no environment"
    return f"Pulumi would: {counts(record.preview.counts)} (stack {record.preview.stack}, {where})."
