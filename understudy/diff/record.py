"""The record of a difference: what every renderer shows, as frozen plain data, versioned, with a published schema."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from understudy.stacks.differences import Difference

__all__ = [
    "SCHEMA",
    "DiffRecord",
    "DifferenceRecord",
    "DriftRecord",
    "PreviewRecord",
    "PropertyRecord",
    "SideRecord",
    "StepRecord",
]

SCHEMA: Literal[1] = 1
"""The version of the record; it rises when a field changes its meaning or goes."""

SideKind = Literal["production", "commit", "file", "environment", "run", "target"]
DriftState = Literal["gone", "stopped", "paused", "changed", "added"]


@dataclass(frozen=True, slots=True)
class SideRecord:
    """One side: what it is, its name for people, and what it was made of as far as that is known (else empty)."""

    kind: SideKind
    name: str
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    profile: str = ""
    environment: str = ""
    run: str = ""
    file: str = ""

    @property
    def title(self) -> str:
        """What it is, for people: kind and name, and the commit where the name does not say it."""
        more = self.branch if self.kind == "commit" else self.commit[:12] and f"commit {self.commit[:12]}"
        return f"{self.kind} {self.name}" + f" ({more})" * bool(more)


@dataclass(frozen=True, slots=True)
class DifferenceRecord:
    """One property that differs: both values (null: absent), the reason where one is on record, and its fidelity.

    `subject` is what it belongs to, the beginning of `path`. `cause` is `commit` for what the commit itself changes,
    `clone` for what is so in every clone, else empty.
    """

    path: str
    subject: str
    before: str | None
    after: str | None
    reason: str = ""
    fidelity: str = ""
    rule: str = ""
    cause: str = ""

    @classmethod
    def of(cls, found: Difference) -> DifferenceRecord:
        """The record of a difference."""
        mark = found.fidelity.value if found.fidelity is not None else ""
        return cls(found.path, found.subject, found.before, found.after, found.reason, mark, found.rule, found.cause)

    @property
    def label(self) -> str:
        """The property without its subject; the subject's last word where it is all that differs."""
        return self.path.removeprefix(self.subject).lstrip(".") or self.subject.partition(".")[0].removesuffix("s")


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What Pulumi would do with one resource: its operation, and per property add, update, delete, or `-replace`."""

    op: str
    type: str
    name: str
    urn: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreviewRecord:
    """What `pulumi up` would do: on which stack, whether that has a living environment, resources by operation."""

    stack: str
    living: bool
    counts: Mapping[str, int]
    steps: tuple[StepRecord, ...] = ()

    @property
    def changes(self) -> int:
        """How many resources would not stay as they are."""
        return sum(count for op, count in self.counts.items() if op != "same")


@dataclass(frozen=True, slots=True)
class PropertyRecord:
    """One property of a resource: as it was provisioned and as it is (null: absent)."""

    path: str
    provisioned: str | None
    actual: str | None


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """One resource that is not as it was provisioned, or (`added`) that nothing of the environment provisioned.

    `service` is the service that it is of, where it is one's.
    """

    kind: str
    name: str
    state: DriftState
    properties: tuple[PropertyRecord, ...] = ()
    detail: str = ""
    service: str = ""

    @property
    def title(self) -> str:
        """Its name for people: with its service, where the name does not end with that."""
        told = not self.service or self.name.endswith(f"-{self.service}")
        return self.name if told else f"{self.name} ({self.service})"


@dataclass(frozen=True, slots=True)
class DiffRecord:
    """Two sides and what differs. `kind` is `topology`, or `drift` of an environment against its target.

    `unchanged` counts the subjects in which nothing differs; `different` is what `--exit-code` goes by.
    """

    kind: Literal["topology", "drift"]
    before: SideRecord
    after: SideRecord
    project: str = ""
    different: bool = False
    unchanged: int = 0
    differences: tuple[DifferenceRecord, ...] = ()
    fidelity: Mapping[str, int] = field(default_factory=dict)
    preview: PreviewRecord | None = None
    drift: tuple[DriftRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    version: str = ""
    schema: Literal[1] = SCHEMA

    @property
    def subjects(self) -> Mapping[str, tuple[DifferenceRecord, ...]]:
        """Subject -> its differences, in their order."""
        found: dict[str, tuple[DifferenceRecord, ...]] = {}
        for each in self.differences:
            found[each.subject] = (*found.get(each.subject, ()), each)
        return found

    @property
    def identity(self) -> str:
        """What tells this comparison from others on the same page, whatever their commits are."""
        return f"{self.kind}:{self.project}:{self.before.kind}:{self.after.kind}"

    def to_json(self) -> str:
        """The record as JSON text."""
        from understudy.report.codec import encode

        return json.dumps({"schema": self.schema, **encode(self)}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> DiffRecord:
        """The reverse of `to_json`.

        Raises:
            RecordError: the text is no such record, or one of another version.
        """
        from understudy.report.codec import read_version

        return read_version(cls, text, SCHEMA)

    @classmethod
    def json_schema(cls) -> dict[str, object]:
        """The JSON schema of the record; `understudy/schemas/diff.schema.json` is this, published."""
        from understudy.report.codec import schema_of

        return schema_of(cls, identity="urn:understudy:diff:1", title="Understudy diff record, version 1")


def counted(found: tuple[DifferenceRecord, ...]) -> Mapping[str, int]:
    """How many differences there are of each fidelity, the unmarked ones left out."""
    return dict(Counter(each.fidelity for each in found if each.fidelity))
