"""Gathering: stacks, objects, then leases, so that whatever is listed had its lease before; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from understudy.engine.interface import Engine, StackRef, StackSummary
from understudy.engine.stale_locks import Processes, why_gone
from understudy.errors import UnderstudyError
from understudy.lease import Lease, LeaseStore
from understudy.reap.branches import branches_gone
from understudy.reap.model import Facts, LeaseFact, StackFact
from understudy.stacks.identity import LABEL
from understudy.targets.interface import Owned, Target
from understudy.teardown import OWN_PROJECT

__all__ = ["Gone", "fact_of", "gather", "locked_by"]

_T = TypeVar("_T")

Gone = Callable[[tuple[Lease, ...]], Mapping[str, bool | None]]


def gather(
    target: Target,
    store: LeaseStore,
    engine: Engine | None = None,
    *,
    gone: Gone = branches_gone,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    jump: timedelta = timedelta(0),
) -> Facts:
    """Read all that a verdict leans on; what cannot be read is among the problems, and keeps nothing else from it.

    Args:
        target: whose objects are listed.
        store: the leases of the backend.
        engine: of the backend; None: stacks are not looked at.
        gone: leases -> environment -> whether its branch is gone.
        now: this machine's clock.
        jump: how far it went ahead of what can be believed (understudy.reap.clock).
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
    backend = tried(store.find_backend_id, None)
    named = {(lease.project, lease.stack) for lease in leases}
    stacks = None
    if summaries is not None and engine is not None:
        looked = partial(_stacks, summaries, engine, named)
        stacks = tried(looked, None)
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
        jump=jump,
        backend=backend or "",
    )


def fact_of(lease: Lease, branch_gone: bool | None = None) -> LeaseFact:  # noqa: FBT001 - a fact, not a switch
    """A lease with what is known of its owner now."""
    return LeaseFact(lease, lease.owner.alive(), lease.owner.is_this_process(), branch_gone)


def locked_by(engine: Engine, ref: StackRef) -> str:
    """Which process, not known to be gone, holds a lock of a stack; `""`: none that can be seen."""
    here = Processes.here()
    return next((str(lock) for lock in engine.locks(ref) if not why_gone(lock, here)), "")


def _stacks(
    summaries: tuple[StackSummary, ...], engine: Engine, named: set[tuple[str, str]]
) -> tuple[StackFact, ...] | None:
    return tuple(_stack(summary, engine, named) for summary in summaries)


def _stack(summary: StackSummary, engine: Engine, named: set[tuple[str, str]]) -> StackFact:
    """Only a stack of ours that no lease names is looked into: its state counts resources that nobody made."""
    ref = summary.ref
    if ref.project != OWN_PROJECT or (ref.project, ref.name) in named:
        return StackFact(ref, summary.resources)
    locked = locked_by(engine, ref)
    if not summary.resources:
        return StackFact(ref, summary.resources, locked)
    try:
        state = engine.export_state(ref)
    except (UnderstudyError, ValueError):
        return StackFact(ref, None, locked)
    labels = list(_labels(state))
    targets = {label[LABEL + "target"] for label in labels}
    latest = max((label[LABEL + "not-after"] for label in labels), default="")
    return StackFact(ref, _made(state), locked, targets.pop() if len(targets) == 1 else "", latest)


def _made(state: Mapping[str, object]) -> int | None:
    """How many resources of a state exist on a target: neither the stack itself, nor components, nor providers."""
    deployment = state.get("deployment")
    resources = deployment.get("resources", []) if isinstance(deployment, dict) else None
    if not isinstance(resources, list):
        return None
    return sum(
        bool(
            isinstance(each, dict) and each.get("custom") and not str(each.get("type")).startswith("pulumi:providers:")
        )
        for each in resources
    )


def _labels(value: object) -> Iterator[Mapping[str, str]]:
    """Every set of labels in a state that names a target and a not-after, as a map or as the provider's list."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            pending += each.values()
            if LABEL + "target" in each and LABEL + "not-after" in each:
                yield {str(key): str(value) for key, value in each.items()}
        elif isinstance(each, list):
            pending += each
            pairs = {
                str(i["label"]): str(i["value"]) for i in each if isinstance(i, dict) and {"label", "value"} <= {*i}
            }
            if LABEL + "target" in pairs and LABEL + "not-after" in pairs:
                yield pairs
