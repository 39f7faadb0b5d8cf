"""Teardown: destroy by the engine, sweep by label what its state did not know, look again, and only then close."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from understudy.build.tree import remove_trees
from understudy.engine.errors import StackLockedError
from understudy.engine.interface import Engine, StackRef
from understudy.errors import UnderstudyError
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.locks import break_stale
from understudy.owner import this_process
from understudy.progress import Phase, Progress, ProgressListener, State, safely
from understudy.receipts import keep
from understudy.stacks.identity import format_time, parse_time
from understudy.targets.interface import Outcome, Owned, Receipt, Spare, Target, spare_none

__all__ = ["OWN_PROJECT", "settle", "tear_down"]

OWN_PROJECT = "understudy"
"""The Pulumi project of the stacks that `run` and `up` make."""

LOCK_WAIT = 20.0
"""Seconds to wait for a stack's lock: a CLI that lost its owner took 1.1 to 2.0 s to end when that was tried."""

_LOOK = 0.25


def tear_down(
    lease: Lease,
    *,
    engine: Engine,
    target: Target,
    store: LeaseStore,
    listener: ProgressListener,
    spare: Spare = spare_none,
) -> Receipt:
    """Destroy an environment and prove it. The lease is closed only by a CLEAN receipt from the right target.

    Nothing is touched on another target than the lease's: the receipt is HOLD then. Whatever fails on the way is
    told to the listener; what counts is the second look. What the engine's state does not know and `spare` has a
    reason to keep stays.
    """
    began = time.monotonic()
    listener = safely(listener)
    if not _on_its_target(lease, target):
        receipt = target.receipt(lease.id, lease.target)
        _conclude(lease, receipt, store, listener)
        return receipt
    listener(Progress(Phase.DESTROY, State.STARTED))
    former, lease = lease, _mark(lease, store, listener)
    destroyed = _destroy(former, engine, listener)
    receipt = target.receipt(lease.id, lease.target)
    if receipt.outcome is Outcome.LEFTOVERS:
        _sweep(lease, target, listener, spare)
        receipt = target.receipt(lease.id, lease.target)
    if not destroyed and receipt.outcome is Outcome.CLEAN:
        receipt = _forget(lease, receipt, engine, listener)
    state = State.DONE if receipt.outcome is Outcome.CLEAN else State.FAILED
    listener(Progress(Phase.DESTROY, state, seconds=time.monotonic() - began))
    _conclude(lease, receipt, store, listener)
    return receipt


def settle(engine: Engine, target: Target, store: LeaseStore, listener: ProgressListener) -> tuple[Receipt, ...]:
    """Close the leases whose environments were destroyed by `pulumi destroy`, which runs no code of ours.

    Such a lease was handed over, the program that wrote it has ended, its stack has no resources, and a look by
    label finds nothing.
    """
    leases, _ = store.list()
    handed = [
        lease
        for lease in leases
        if lease.state is LeaseState.HANDED_OVER and _ended(lease) and _nothing_there(lease, target)
    ]
    if not handed:
        return ()
    alive = {stack.ref for stack in engine.list() if stack.resources != 0}
    receipts = []
    for lease in handed:
        if StackRef(lease.project, lease.stack) in alive:
            continue
        receipt = target.receipt(lease.id, lease.target)
        _conclude(lease, receipt, store, listener)
        receipts.append(receipt)
    return tuple(receipts)


def _on_its_target(lease: Lease, target: Target) -> bool:
    try:
        return target.identity() == lease.target
    except UnderstudyError:
        return False


def _nothing_there(lease: Lease, target: Target) -> bool:
    return _on_its_target(lease, target) and not target.inventory(lease.id)


def _destroy(lease: Lease, engine: Engine, listener: ProgressListener) -> bool:
    try:
        _destroy_unlocked(engine, lease, listener)
    except Exception as error:  # noqa: BLE001 - whatever it is, the sweep and the second look come next
        listener(Progress(Phase.DESTROY, State.WARNING, detail=f"{type(error).__name__}: {error}"))
        return False
    return True


def _destroy_unlocked(engine: Engine, lease: Lease, listener: ProgressListener) -> None:
    """A CLI whose owner was killed ends by itself within seconds: its lock is waited for, a stale one is broken."""
    ref, limit = StackRef(lease.project, lease.stack), time.monotonic() + LOCK_WAIT
    while True:
        try:
            engine.destroy(ref, remove=not lease.plain)
        except StackLockedError as error:
            if not break_stale(engine, lease, error.lock, listener):
                if time.monotonic() > limit:
                    raise
                time.sleep(_LOOK)
        else:
            return


def _mark(lease: Lease, store: LeaseStore, listener: ProgressListener) -> Lease:
    """Say in the lease who destroys it; a lease that cannot be written stops nothing."""
    try:
        return store.update(lease, state=LeaseState.DESTROYING, owner=this_process())
    except UnderstudyError as error:
        listener(Progress(Phase.DESTROY, State.WARNING, detail=str(error)))
        return lease


def _ended(lease: Lease) -> bool:
    """Whether the process that wrote the lease is gone; where nobody here can know, whether its time is over."""
    alive = lease.owner.alive()
    return datetime.now(UTC) > parse_time(lease.expires) if alive is None else not alive


def _forget(lease: Lease, receipt: Receipt, engine: Engine, listener: ProgressListener) -> Receipt:
    """The target is empty but the stack's state is not: bring the state up to that, and destroy once more."""
    try:
        engine.refresh(StackRef(lease.project, lease.stack))
    except Exception as error:  # noqa: BLE001 - the attempt to destroy says whether it mattered
        listener(Progress(Phase.DESTROY, State.WARNING, detail=f"{type(error).__name__}: {error}"))
    if _destroy(lease, engine, listener):
        return receipt
    return replace(
        receipt,
        outcome=Outcome.LEFTOVERS,
        leftovers=(Owned("stack", f"{lease.project}/{lease.stack}", lease.stack),),
        reason="nothing is left on the target, but the stack's state could not be removed",
    )


def _sweep(lease: Lease, target: Target, listener: ProgressListener, spare: Spare) -> None:
    try:
        swept = target.sweep(lease.id, spare)
    except Exception as error:  # noqa: BLE001 - the second look says what remains
        listener(Progress(Phase.DESTROY, State.WARNING, detail=f"{type(error).__name__}: {error}"))
        return
    for owned in swept.removed:
        detail = "removed by label: the engine's state did not know it"
        listener(Progress(Phase.DESTROY, State.WARNING, f"{owned.kind} {owned.name}", detail))
    for owned, reason in swept.failed:
        listener(Progress(Phase.DESTROY, State.FAILED, f"{owned.kind} {owned.name}", reason))


def _keep(lease: Lease, receipt: Receipt, store: LeaseStore, listener: ProgressListener) -> None:
    """Keep the proof before the lease goes, and count what failed; where it cannot be kept, it is told at least."""
    try:
        keep(store, receipt, lease)
        if receipt.outcome in {Outcome.LEFTOVERS, Outcome.UNKNOWN}:
            remains = "; ".join(f"{each.kind} {each.name}" for each in receipt.leftovers)
            failure = receipt.reason or f"left over: {remains}"
            store.update(lease, check=lambda now: {"attempts": now.attempts + 1}, last_failure=failure)
    except UnderstudyError as error:
        listener(Progress(Phase.RECEIPT, State.WARNING, detail=str(error)))


def _close(lease: Lease, store: LeaseStore, listener: ProgressListener) -> bool:
    try:
        return store.close(lease)
    except UnderstudyError as error:
        listener(Progress(Phase.RECEIPT, State.WARNING, detail=str(error)))
        return False


def _remove_trees(lease: Lease, listener: ProgressListener) -> None:
    """The trees of all commits that the environment has had lie in one folder, named by its id."""
    folders = [folder for folder in Path(lease.tree).parents if folder.name == lease.id]
    try:
        for folder in folders[:1]:
            remove_trees(folder)
    except UnderstudyError as error:
        listener(Progress(Phase.DESTROY, State.WARNING, detail=str(error)))


def _conclude(lease: Lease, receipt: Receipt, store: LeaseStore, listener: ProgressListener) -> None:
    clean = receipt.outcome is Outcome.CLEAN
    _keep(lease, receipt, store, listener)
    if clean and _close(lease, store, listener):
        _remove_trees(lease, listener)
    remains = "; ".join(f"{o.kind} {o.name}" for o in receipt.leftovers)
    detail = f"{receipt.outcome} {lease.id} at {format_time(datetime.now(UTC))}"
    detail += "".join(f" - {part}" for part in (receipt.reason, remains) if part)
    listener(Progress(Phase.RECEIPT, State.DONE if clean else State.FAILED, detail=detail))
