"""Gathering: stacks, objects, then leases, so that whatever is listed had its lease before; nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from understudy.engine.interface import Engine, StackRef, StackSummary
from understudy.errors import UnderstudyError
from understudy.lease import Lease, LeaseStore
from understudy.reap.branches import branches_gone
from understudy.reap.model import Facts, LeaseFact, StackFact
from understudy.stacks.identity import LABEL
from understudy.targets.interface import Owned, Target
from understudy.teardown import OWN_PROJECT

__all__ = ["Gone", "Locked", "fact_of", "gather"]

Locked = Callable[[StackRef], bool]
"""Whether a process that is not known to be gone holds the lock of a stack."""

_T = TypeVar("_T")

Gone = Callable[[tuple[Lease, ...]], Mapping[str, bool | None]]


def gather(
    target: Target,
    store: LeaseStore,
    engine: Engine | None = None,
    *,
    locked: Locked = lambda _ref: True,
    gone: Gone = branches_gone,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Facts:
    """Read all that a verdict leans on; what cannot be read is among the problems, and keeps nothing else from it.

    Args:
        target: whose objects are listed.
        store: the leases of the backend.
        engine: of the backend; None: stacks are not looked at.
        locked: tells whether a stack is locked.
        gone: leases -> environment -> whether its branch is gone.
        now: this machine's clock.
    """
    problems: list[str] = []

    def tried(read: Callable[[], _T], without: _T) -> _T:
        try:
            return read()
        except UnderstudyError as error:
            problems.append(str(error.args[0]))
            return without

    summaries = tried(engine.list, None) if engine is not None else None
    here = tried(target.identity, "")
    clock = tried(target.clock, None) if here else None
    moment = now()
    nothing: tuple[Owned, ...] = ()
    objects = tried(target.claimed, nothing) if here else nothing
    none: tuple[tuple[Lease, ...], tuple[str, ...]] = ((), ())
    leases, broken = tried(store.list, none)
    named = {(lease.project, lease.stack) for lease in leases}
    stacks = None
    if summaries is not None and engine is not None:
        stacks = tuple(_stack(summary, engine, named, locked) for summary in summaries)
    branches = gone(tuple(lease for lease in leases if lease.target == here)) if here else {}
    return Facts(
        target=here,
        now=moment,
        clock=clock,
        leases=tuple(fact_of(lease, branches.get(lease.id)) for lease in leases),
        broken=tuple(Path(path).name.removesuffix(".json") for path in broken),
        objects=objects,
        stacks=stacks,
        problems=tuple(problems),
    )


def fact_of(lease: Lease, branch_gone: bool | None = None) -> LeaseFact:  # noqa: FBT001 - a fact, not a switch
    """A lease with what is known of its owner now."""
    return LeaseFact(lease, lease.owner.alive(), lease.owner.is_this_process(), branch_gone)


def _stack(summary: StackSummary, engine: Engine, named: set[tuple[str, str]], locked: Locked) -> StackFact:
    """Only a stack of ours that no lease names is looked into."""
    ref = summary.ref
    if ref.project != OWN_PROJECT or (ref.project, ref.name) in named:
        return StackFact(ref, summary.resources)
    state: object = {}
    if summary.resources:
        try:
            state = engine.export_state(ref)
        except (UnderstudyError, json.JSONDecodeError):
            state = {}
    labels = list(_labels(state))
    targets = {label[LABEL + "target"] for label in labels}
    latest = max((label[LABEL + "not-after"] for label in labels), default="")
    target = targets.pop() if len(targets) == 1 else ""
    return StackFact(ref, summary.resources, locked(ref), target, latest)


def _labels(value: object) -> Iterator[Mapping[str, str]]:
    """Every set of labels in a state that names a target and a not-after, as a map or as the provider's list."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            pending += each.values()
        elif isinstance(each, list):
            pending += each
            pairs = {
                str(i["label"]): str(i["value"]) for i in each if isinstance(i, dict) and {"label", "value"} <= {*i}
            }
            if LABEL + "target" in pairs and LABEL + "not-after" in pairs:
                yield pairs
