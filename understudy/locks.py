"""Whether a stack's lock is stale, by what this machine and the lease of its environment say of who made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from understudy.engine.interface import Engine, StackRef
from understudy.engine.stale_locks import Lock, Processes, why_gone
from understudy.lease import HEARTBEAT_LOST, Lease
from understudy.owner import Owner, this_process
from understudy.progress import Phase, Progress, ProgressListener, State
from understudy.stacks.identity import format_time, parse_time

__all__ = ["break_ended", "break_stale", "why_stale"]


def why_stale(lock: Lock, lease: Lease, here: Processes, now: datetime | None = None) -> str:
    """Why a lock may be broken; `""`: its owner may be alive.

    On this host the owner has to be provably gone. Where the lease's owner shows that a host of this name is another
    boot or container, and on any other host, nobody can prove that: its lock counts as stale once the owner of
    the lease on that host has lost its heartbeat, or the environment is past its `not_after`.

    Args:
        lock: of the environment's stack.
        lease: as it was before the asking command took it over.
        here: the processes of this machine.
        now: the moment; default: the present one.
    """
    now = now or datetime.now(UTC)
    if not lock.pid:
        return _why_unreadable(lock, now)
    owner = lease.owner
    known_as_elsewhere = owner.host == lock.host == here.host and not _same_place(owner)
    if lock.host == here.host and not known_as_elsewhere:
        return why_gone(lock, here)
    return _why_lost(lock, lease, now)


def break_stale(engine: Engine, lease: Lease, said: Sequence[Lock], listener: ProgressListener) -> bool:
    """Break the stack's stale locks and tell of each; returns whether there was one.

    Args:
        engine: that holds the stack.
        lease: as it was before the asking command took it over.
        said: the locks that the engine named, for a backend whose locks it does not list: there it deletes all at once
            or none, so that one whose owner may be alive keeps the others.
        listener: is told.
    """
    here = Processes.here()
    return _break(
        engine, StackRef(lease.project, lease.stack), said, lambda lock: why_stale(lock, lease, here), listener
    )


def break_ended(engine: Engine, ref: StackRef, said: Sequence[Lock], listener: ProgressListener) -> bool:
    """As `break_stale` for a stack that has no lease: only locks of this machine whose owners are provably gone."""
    here = Processes.here()
    return _break(engine, ref, said, lambda lock: why_gone(lock, here), listener)


def _break(
    engine: Engine, ref: StackRef, said: Sequence[Lock], why: Callable[[Lock], str], listener: ProgressListener
) -> bool:
    listed = engine.locks(ref)
    stale = [(lock, reason) for lock in listed or said if (reason := why(lock))]
    if not listed and len(stale) < len(said):
        return False
    for number, (lock, reason) in enumerate(stale):
        if listed or number == 0:
            engine.cancel(ref, lock)
        detail = f"broke the lock of {lock}: {reason}"
        listener(Progress(Phase.DESTROY, State.WARNING, f"stack {ref.qualified}", detail))
    return bool(stale)


def _same_place(owner: Owner) -> bool:
    """Whether an owner's pid means something here: the same boot of the kernel, and the same PID namespace."""
    return owner.boot_id == this_process().boot_id


def _why_lost(lock: Lock, lease: Lease, now: datetime) -> str:
    if now >= parse_time(lease.not_after):
        return f"the environment's last moment was {lease.not_after}"
    silent = lease.renewed or lease.created
    at_work = not lease.state.at_rest and lease.owner.host == lock.host
    if at_work and _older(parse_time(silent), now) and _older(lock.made, now):
        return f"its owner on {lock.host} has given no sign of life since {silent}"
    return ""


def _why_unreadable(lock: Lock, now: datetime) -> str:
    """A lock that names nobody: the engine writes locks whole, so that it is debris, once a while has passed."""
    written = lock.written
    return f"it names nobody, and was written at {format_time(written)}" if written and _older(written, now) else ""


def _older(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now >= moment + timedelta(seconds=HEARTBEAT_LOST)
