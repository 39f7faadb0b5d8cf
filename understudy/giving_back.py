"""Giving back: a kept environment that was used is its lease's again; what suites of a dead owner ran in goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from understudy.errors import LeftoversError, NotFoundError, UnderstudyError
from understudy.lease import BusyError, Lease, LeaseState
from understudy.owner import this_process
from understudy.progress import Phase, Progress, State
from understudy.session import Session
from understudy.targets.suite_marks import is_suite
from understudy.waiting import wait_idle

__all__ = ["give_back", "let_rest", "resting_afterwards", "take_back"]


@contextmanager
def resting_afterwards(session: Session, lease: Lease) -> Iterator[None]:
    """Whatever happens in here, the environment is its lease's again afterwards; the first error is the one raised.

    Raises:
        UnderstudyError: nothing else failed, and the lease cannot be written.
    """
    try:
        yield
    except BaseException as error:
        let_rest(session, lease, first=error)
        raise
    let_rest(session, lease)


def let_rest(session: Session, lease: Lease, first: BaseException | None = None) -> None:
    """Give an environment back to its lease; a failure after a `first` error is told only, and left to the watchdog.

    Raises:
        UnderstudyError: there was no error before, and the lease cannot be written.
    """
    try:
        session.store.update(lease, check=_hold_mine, state=lease.rests_as or LeaseState.KEPT)
    except UnderstudyError as error:
        if first is None:
            raise
        session.listener(Progress(Phase.DESTROY, State.WARNING, f"environment {lease.id}", str(error)))


def give_back(session: Session, lease: Lease) -> None:
    """Remove the containers of suites from an environment that this process has taken over, and let it rest.

    Raises:
        LeftoversError: one of them is there still; the lease says that it is to be given back.
        NotFoundError: the environment is on another target.
        UnderstudyError: the target does not answer, or the lease cannot be written.
    """
    if (here := session.target.identity()) != lease.target:
        raise NotFoundError(f"Environment {lease.id} is on {lease.target}, and this is {here}.")
    session.target.sweep(lease.whose, lambda labels: "" if is_suite(labels) else "its lease has it")
    if left := [item.name for item in session.target.inventory(lease.whose) if is_suite(item.labels)]:
        raise LeftoversError(f"Removed the containers of suites from environment {lease.id}, and {left[0]} is left.")
    let_rest(session, lease)


def take_back(session: Session, lease: Lease) -> None:
    """Give a kept environment back whose owner died, if that is so still.

    Raises:
        BusyError: somebody works on it, or it is not to be given back any more.
        UnderstudyError: as `give_back`.
    """
    taken = wait_idle(
        session, lease, 0.0, take=lambda now: session.store.update(now, check=_hold_kept, owner=this_process())
    )
    if taken is not None:
        give_back(session, taken)


def _hold_mine(now: Lease) -> None:
    if not now.owner.is_this_process():
        raise BusyError(f"Environment {now.id} was taken over by another process.")


def _hold_kept(now: Lease) -> None:
    now.hold_idle()
    if now.rests_as is None:
        raise BusyError(f"Environment {now.id} is {now.state}, and not to be given back.")
