"""Expiry: an environment whose lease is over is removed by the next command that works on its backend and target."""

from __future__ import annotations

from datetime import UTC, datetime

from understudy.errors import UnderstudyError
from understudy.lease import Lease, LeaseState
from understudy.owner import this_process
from understudy.progress import Phase, Progress, State
from understudy.session import Session
from understudy.stacks.identity import parse_time
from understudy.teardown import tear_down

__all__ = ["remove_expired"]


class _NotOverError(UnderstudyError):
    """The lease was extended, taken over or closed meanwhile."""


def remove_expired(session: Session, *, spare: str = "") -> None:
    """Destroy every environment of this target whose lease is over; what cannot be removed is told and no failure.

    Left alone are stacks of a user's own (plain Pulumi), environments whose owner may still be at work, and `spare`,
    which the command itself is about, as long as it may be extended.
    """
    leases, _ = session.store.list()
    here = session.target.identity()
    for lease in leases:
        if lease.target != here or not _over(lease) or session.stop.is_set():
            continue
        if lease.id == spare and datetime.now(UTC) < parse_time(lease.not_after):
            continue
        try:
            mine = session.store.update(lease, check=_hold_over, state=LeaseState.DESTROYING, owner=this_process())
            detail = f"its lease ended at {lease.expires}"
            session.listener(Progress(Phase.DESTROY, State.INFO, f"environment {lease.id}", detail))
            tear_down(
                mine, engine=session.engine, target=session.target, store=session.store, listener=session.listener
            )
        except UnderstudyError as error:
            session.listener(Progress(Phase.DESTROY, State.WARNING, f"environment {lease.id}", str(error)))


def _over(lease: Lease) -> bool:
    """Whether the time is over and nobody is at work. An owner of another machine, who cannot be asked, may be."""
    if lease.plain or datetime.now(UTC) < parse_time(lease.expires):
        return False
    return lease.state is LeaseState.KEPT or lease.owner.alive() is False


def _hold_over(lease: Lease) -> None:
    if not _over(lease):
        raise _NotOverError("Its lease was extended or taken over meanwhile, so it was left.")
