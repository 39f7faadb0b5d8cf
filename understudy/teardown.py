"""Teardown: the lease says who destroys, the removal is tried, and only a clean second look closes the lease."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from understudy.build.tree import remove_trees
from understudy.engine.interface import Engine, StackRef
from understudy.errors import UnderstudyError
from understudy.lease import BusyError, Lease, LeaseExistsError, LeaseState, LeaseStore
from understudy.owner import this_process
from understudy.progress import Phase, Progress, ProgressListener, State, safely
from understudy.receipts import keep
from understudy.removal import LOCK_WAIT, Removal, answers
from understudy.stacks.identity import format_time, parse_time
from understudy.targets.interface import Outcome, Owned, Receipt, Spare, Target, spare_none
from understudy.targets.ownership import NOT_AFTER

__all__ = ["OWN_PROJECT", "close_gone", "settle", "tear_down"]

OWN_PROJECT = "understudy"
"""The Pulumi project of the stacks that `run` and `up` make."""

_LOOK = 0.25


def tear_down(
    lease: Lease,
    *,
    engine: Engine,
    target: Target,
    store: LeaseStore,
    listener: ProgressListener,
    spare: Spare = spare_none,
    former: Lease | None = None,
) -> Receipt:
    """Destroy an environment and prove it. The lease is closed only by a CLEAN receipt from the right target.

    Nothing is touched on another target than the lease's: the receipt is HOLD then. A target that does not answer, as
    while its daemon restarts, is waited for up to COMEBACK. Whatever fails on the way is told to the listener; what
    counts is the second look. An environment that another process destroys is left to that one.

    Args:
        lease: of the environment.
        engine: that has its stack.
        target: where it is looked for.
        store: where the lease lies.
        listener: is told.
        spare: why an object that the engine's state does not know is kept; `""`: it is not.
        former: the lease as it was before the caller took it over, whose owner may have left a lock.
    """
    began = time.monotonic()
    listener = safely(listener)
    there = answers(target, listener)
    if not there or _is_another(target, lease):
        found = target.receipt(lease.whose, lease.target)
        if not there or found.outcome is Outcome.HOLD:
            return _conclude(lease, found, store, listener)
    listener(Progress(Phase.DESTROY, State.STARTED))
    former = former or lease
    try:
        lease = _mark(lease, store, listener)
    except BusyError as busy:
        return _left_to_another(lease, target, store, listener, str(busy.args[0]))
    removal = Removal(lease, former, engine, target, listener, spare)
    receipt = removal.attempt()
    if receipt.outcome is Outcome.UNKNOWN and answers(target, listener):
        receipt = removal.attempt()
    state = State.DONE if receipt.outcome is Outcome.CLEAN else State.FAILED
    listener(Progress(Phase.DESTROY, state, seconds=time.monotonic() - began))
    return _conclude(lease, receipt, store, listener)


def settle(engine: Engine, target: Target, store: LeaseStore, listener: ProgressListener) -> tuple[Receipt, ...]:
    """Close the leases whose environments were destroyed by `pulumi destroy`, which runs no code of ours.

    Such a lease was handed over, the program that wrote it has ended, its stack has no resources, and its environment
    is gone from the target.
    """
    leases, _ = store.list()
    handed = [
        lease
        for lease in leases
        if lease.state is LeaseState.HANDED_OVER and _ended(lease) and _remains(lease, target) is not None
    ]
    if not handed:
        return ()
    alive = {stack.ref for stack in engine.list() if stack.resources != 0}
    gone = [lease for lease in handed if StackRef(lease.project, lease.stack) not in alive]
    receipts = [close_gone(lease, target, store, listener) for lease in gone]
    return tuple(receipt for receipt in receipts if receipt is not None)


def close_gone(lease: Lease, target: Target, store: LeaseStore, listener: ProgressListener) -> Receipt | None:
    """Close the lease of an environment that is gone from its target, by a receipt; None: it may not be, or not wholly.

    Gone is one of which nothing is there, or only what is deregistered, as the engine's destroy leaves it; that is
    removed first. One that lives has former revisions too, but active ones beside them, and log groups.
    """
    remains = _remains(lease, target)
    if remains is None or not _removed(remains, lease, target, listener):
        return None
    return _conclude(lease, target.receipt(lease.whose, lease.target), store, listener)


def _remains(lease: Lease, target: Target) -> tuple[Owned, ...] | None:
    """What an environment that is gone has left, deregistered all of it; None: there is more, or nobody knows."""
    try:
        there = target.inventory(lease.whose) if target.identity() == lease.target else None
    except UnderstudyError:
        return None
    return there if there is not None and all(item.deregistered for item in there) else None


def _removed(remains: Sequence[Owned], lease: Lease, target: Target, listener: ProgressListener) -> bool:
    """Remove what is deregistered; whether nothing stayed. What stays is told, and keeps its lease.

    The sweep looks at all that there is by then: another process may have closed the lease and made it all anew.
    """
    if not remains:
        return True
    try:
        failed = target.sweep(lease.whose, partial(_spare_later, lease), remains).failed
    except UnderstudyError as error:
        failed = tuple((item, str(error)) for item in remains)
    for item, reason in failed:
        listener(Progress(Phase.DESTROY, State.WARNING, f"{item.kind} {item.name}", reason))
    return not failed


def _spare_later(lease: Lease, labels: Mapping[str, str]) -> str:
    later = labels[NOT_AFTER] > lease.not_after
    return "it was made under a later lease; kept" if later else ""


def _is_another(target: Target, lease: Lease) -> bool:
    """Whether it is another target than the lease's; nothing is listed for that, which on AWS takes seconds."""
    try:
        return target.identity() != lease.target
    except UnderstudyError:  # the look after the removal says so too
        return False


def _mark(lease: Lease, store: LeaseStore, listener: ProgressListener) -> Lease:
    """Say in the lease who destroys it; one that is gone or cannot be read is written anew, so that one is there.

    Should the removal be cut off, that lease names what it left. A lease that cannot be written stops nothing.

    Raises:
        BusyError: another process destroys it, or has taken it over; or it is another environment's by now.
    """

    def hold(now: Lease) -> None:
        if now.created != lease.created:
            raise BusyError(f"Environment {lease.id} was made anew at {now.created}, so it is another one by now.")
        now.hold_idle()

    problem = ""
    for _ in range(2):  # once more where another process has written one since
        try:
            return store.update(lease, check=hold, state=LeaseState.DESTROYING, owner=this_process())
        except BusyError:
            raise
        except UnderstudyError as error:
            problem = str(error.args[0])
        try:
            marked = _restored(lease, store)
        except LeaseExistsError:
            continue
        except UnderstudyError as error:
            problem += f" {error.args[0]}"
            break
        detail = f"{problem} Its lease was lost; it is written anew until all is removed."
        listener(Progress(Phase.DESTROY, State.WARNING, f"environment {lease.id}", detail))
        return marked
    listener(Progress(Phase.DESTROY, State.WARNING, f"environment {lease.id}", problem))
    return lease


def _restored(lease: Lease, store: LeaseStore) -> Lease:
    """The lease of what this process destroys, written where there is none; raises LeaseExistsError where one is."""
    now = format_time(datetime.now(UTC))
    marked = replace(lease, state=LeaseState.DESTROYING, owner=this_process(), renewed=now, asked_to_stop="")
    store.restore(marked)
    return marked


def _left_to_another(lease: Lease, target: Target, store: LeaseStore, listener: ProgressListener, why: str) -> Receipt:
    """Wait a while for the process that is at it, touching nothing, and say what is there then."""
    listener(Progress(Phase.DESTROY, State.WARNING, detail=f"{why} It is left to that one."))
    limit = time.monotonic() + LOCK_WAIT
    while time.monotonic() < limit and _held(lease, store):
        time.sleep(_LOOK)
    receipt = target.receipt(lease.whose, lease.target)
    if _held(lease, store):
        receipt = replace(receipt, outcome=_worse(receipt.outcome), reason=f"{why} It was left to that one.")
    clean = receipt.outcome is Outcome.CLEAN
    listener(Progress(Phase.DESTROY, State.DONE if clean else State.FAILED))
    _tell(lease, receipt, listener)
    return receipt


def _held(lease: Lease, store: LeaseStore) -> bool:
    """Whether the lease is there still, in another process's hands; one that cannot be read may be."""
    try:
        now = store.find(lease.id)
    except UnderstudyError:
        return True
    return now is not None and now.created == lease.created and now.worked_on


def _worse(outcome: Outcome) -> Outcome:
    """Nothing found while another process is at work is no proof."""
    return Outcome.UNKNOWN if outcome is Outcome.CLEAN else outcome


def _ended(lease: Lease) -> bool:
    """Whether the process that wrote the lease is gone; where nobody here can know, whether its time is over."""
    alive = lease.owner.alive()
    return datetime.now(UTC) > parse_time(lease.expires) if alive is None else not alive


def _keep(lease: Lease, receipt: Receipt, store: LeaseStore, listener: ProgressListener) -> Receipt:
    """Keep the proof before the lease goes, and count what failed; without a kept proof the lease is left over."""
    try:
        keep(store, receipt, lease)
        if receipt.outcome in {Outcome.LEFTOVERS, Outcome.UNKNOWN}:
            remains = "; ".join(f"{each.kind} {each.name}" for each in receipt.leftovers)
            failure = receipt.reason or f"left over: {remains}"
            store.update(lease, check=lambda now: {"attempts": now.attempts + 1}, last_failure=failure[:1000])
    except UnderstudyError as error:
        listener(Progress(Phase.RECEIPT, State.WARNING, detail=str(error)))
        return _lease_left(receipt, f"its receipt could not be kept: {error.args[0]}")
    return receipt


def _lease_left(receipt: Receipt, why: str) -> Receipt:
    if receipt.outcome is not Outcome.CLEAN:
        return receipt
    return replace(
        receipt,
        outcome=Outcome.LEFTOVERS,
        leftovers=(Owned("lease", receipt.environment, receipt.environment),),
        reason=f"nothing is left on the target, but {why}",
    )


def _close(lease: Lease, receipt: Receipt, store: LeaseStore, listener: ProgressListener) -> Receipt:
    """Close the lease of what is proven gone; one that cannot be closed is left over, one taken over is another's.

    The trees go first: whoever is killed between the two leaves a lease that names what is left.
    """
    taken = partial(_hold_owner, lease)
    try:
        lease = store.update(lease, check=taken, state=LeaseState.DESTROYING, owner=this_process())
    except BusyError:
        return receipt
    except UnderstudyError:  # lost, or the disk is full: nobody else could take it either, and a close needs no room
        pass
    _remove_trees(lease, listener)
    try:
        store.close(lease)
    except UnderstudyError as error:
        listener(Progress(Phase.RECEIPT, State.WARNING, detail=str(error)))
        return _lease_left(receipt, f"its lease could not be closed: {error.args[0]}")
    return receipt


def _hold_owner(lease: Lease, now: Lease) -> None:
    if now.owner != lease.owner:
        raise BusyError(f"Environment {now.id} was taken over by another process.")


def _remove_trees(lease: Lease, listener: ProgressListener) -> None:
    """The trees of all commits that the environment has had lie in one folder, named by its id."""
    folders = [folder for folder in Path(lease.tree).parents if folder.name == lease.id]
    try:
        for folder in folders[:1]:
            remove_trees(folder)
    except UnderstudyError as error:
        listener(Progress(Phase.DESTROY, State.WARNING, detail=str(error)))


def _conclude(lease: Lease, receipt: Receipt, store: LeaseStore, listener: ProgressListener) -> Receipt:
    """Keep the receipt, and close the lease where it is CLEAN; returns what came of that."""
    receipt = _keep(lease, receipt, store, listener)
    if receipt.outcome is Outcome.CLEAN:
        receipt = _close(lease, receipt, store, listener)
    _tell(lease, receipt, listener)
    return receipt


def _tell(lease: Lease, receipt: Receipt, listener: ProgressListener) -> None:
    clean = receipt.outcome is Outcome.CLEAN
    remains = "; ".join(f"{o.kind} {o.name}" for o in receipt.leftovers)
    detail = f"{receipt.outcome} {lease.id} at {format_time(datetime.now(UTC))}"
    detail += "".join(f" - {part}" for part in (receipt.reason, remains) if part)
    listener(Progress(Phase.RECEIPT, State.DONE if clean else State.FAILED, detail=detail))
