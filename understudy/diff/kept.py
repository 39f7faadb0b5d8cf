"""Clones that were kept: of an environment beside its tree, of a run in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from understudy.blueprint import Blueprint, redraw
from understudy.diff.record import SideRecord
from understudy.diff.side import Side
from understudy.errors import UsageError
from understudy.lease import Lease
from understudy.preparation import CLONE, kept_changes
from understudy.report import RecordError, RunRecord
from understudy.report.codec import decode
from understudy.stacks.clone import Clone
from understudy.stacks.differences import Compared
from understudy.stacks.topology import TopologyError

__all__ = ["environment_side", "run_side"]

Draw = Callable[[str, str, str], Blueprint]
"""(commit, profile, identity of the target) -> its blueprint, for runs of which no clone was kept."""


@dataclass(frozen=True)
class _Kept:
    clone: Clone
    files: Mapping[str, str] = field(default_factory=dict)
    schema: int = 1


def _kept(path: Path) -> Compared | None:
    """What a `clone.json` holds; None where there is none, or one of another version."""
    try:
        found = decode(_Kept, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecordError, TopologyError, RecursionError):
        return None
    return Compared(found.clone.topology, found.clone, found.files) if found.schema == 1 else None


def environment_side(lease: Lease) -> Side:
    """An environment that is there, as it was provisioned.

    Raises:
        UsageError: its files are not on this machine.
    """
    notes = [f"environment {lease.id} is {lease.state}"] if lease.worked_on else []
    compared = _kept(Path(lease.tree).parent / CLONE)
    if compared is None:
        clone = redraw(lease, kept_changes(lease)).clone
        compared = Compared(clone.topology, clone)
        notes.append(f"no clone was kept of environment {lease.id}: it is derived anew from its files")
    record = SideRecord(
        "environment",
        f"{lease.id} ({lease.key or lease.branch or lease.stack})",
        commit=lease.commit,
        branch=lease.branch,
        dirty=lease.dirty,
        profile=lease.profile,
        environment=lease.id,
        file=lease.topology,
    )
    return Side(record, compared, lease=lease, target=lease.target, warnings=tuple(notes))


def run_side(folder: Path, draw_again: Draw) -> Side:
    """A past run: the clone that its folder keeps, else that of its commit.

    Raises:
        UsageError: the folder cannot be read, or keeps no clone and its commit is not here.
    """
    try:
        record = RunRecord.from_json((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"Read the run {folder}, and it failed: {error}.") from error
    compared = _kept(folder / CLONE)
    notes: tuple[str, ...] = ()
    if compared is None:
        if record.dirty:
            raise UsageError(
                f"Looked for the clone of run {record.run}, and its folder keeps none.",
                hint="It was made of a working folder, so that it cannot be derived anew. Compare with a newer run.",
            )
        clone = draw_again(record.commit, record.profile or "default", record.target).clone
        compared = Compared(clone.topology, clone)
        notes = (f"no clone was kept of run {record.run}: it is derived anew from commit {record.commit[:12]}",)
    side = SideRecord(
        "run",
        record.run,
        commit=record.commit,
        branch=record.branch,
        dirty=record.dirty,
        profile=record.profile,
        environment=record.environment,
        run=record.run,
        file=record.topology,
    )
    return Side(side, compared, target=record.target, warnings=notes)
