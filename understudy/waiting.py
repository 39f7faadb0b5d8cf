"""Waiting until nobody works on an environment: who holds it and since when, by its lease and by its stack's locks."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Processes
from understudy.errors import InterruptedRunError, NotFoundError
from understudy.lease import BusyError, Lease, LeaseExistsError, LeaseState
from understudy.locks import why_stale
from understudy.progress import Phase, Progress, State
from understudy.session import Session
from understudy.stacks.identity import format_time

__all__ = ["create", "holder", "take", "wait_idle"]

_LOOK = 0.5
"""Seconds between two looks: each reads one file, or asks a bucket once."""


def wait_idle(
    session: Session,
    lease: Lease,
    timeout: float,
    *,
    take: Callable[[Lease], Lease] = lambda now: now,
    ask: str = "",
) -> Lease | None:
    """Wait until nobody works on the environment, and take it; None: its lease was closed meanwhile.

    Args:
        session: the command at work; its stop ends the wait.
        lease: of the environment.
        timeout: seconds; 0: it is free now or not at all.
        take: changes the lease as it is then, and raises BusyError where another command was faster.
        ask: why its owner is asked to stop, in its lease, where its heartbeat sees it; `""`: it comes to its own end.

    Raises:
        BusyError: somebody is still at work after `timeout`; the message says who, since when.
        InterruptedRunError: a signal came while it was waited for.
    """
    until = time.monotonic() + timeout
    told = ""
    while True:
        now = session.store.find(lease.id)
        if now is None:
            return None
        held = holder(session, now)
        if not held:
            try:
                return take(now)
            except BusyError as error:
                held = str(error)
        if ask and now.worked_on and now.state is not LeaseState.DESTROYING and not now.asked_to_stop:
            now = _asked(session, now, ask)
        if held != told:
            told = held
            patience = f"waiting up to {max(0.0, until - time.monotonic()):.0f} s" if timeout else "not waiting"
            session.listener(Progress(Phase.CLONE, State.INFO, f"environment {lease.id}", f"{held}; {patience}"))
        if time.monotonic() >= until:
            raise BusyError(
                f"Environment {lease.id}: {held}." + (f" It was waited for {timeout:g} s." if timeout else ""),
                hint=_hint(now),
            )
        if session.stop.wait(min(_LOOK, max(0.0, until - time.monotonic()))):
            raise InterruptedRunError(f"Interrupted while environment {lease.id} was waited for: {held}.")


def _asked(session: Session, lease: Lease, reason: str) -> Lease:
    """The lease, in which it is written that its owner is asked to stop, if it is that owner still."""

    def hold_same(now: Lease) -> None:
        if now.owner != lease.owner:
            raise BusyError("Another process has taken it over meanwhile.")

    with suppress(BusyError, NotFoundError):
        return session.store.update(lease, check=hold_same, asked_to_stop=reason)
    return lease


def _hint(lease: Lease) -> str:
    if lease.asked_to_stop and lease.worked_on:
        return (
            f"Its owner was asked to stop and has not ended by now: process {lease.owner.pid} on {lease.owner.host} is "
            "alive, so nothing was touched. --lock-timeout waits longer; or end that process, then run this again."
        )
    return "Wait until it is done, or end that process; then run this again. --lock-timeout waits longer."


def create(session: Session, lease: Lease) -> None:
    """Write a new lease once the environment of that id, if there is one, is gone.

    Raises:
        LeaseExistsError: it is kept.
        BusyError: it is still there after --lock-timeout.
    """
    while True:
        try:
            session.store.create(lease)
        except LeaseExistsError:
            known = session.store.find(lease.id)
            if known is not None and wait_idle(session, known, session.options.lock_timeout) is not None:
                raise
        else:
            return


def take(session: Session, lease: Lease, write: Callable[[Lease], Lease]) -> Lease:
    """Take over the lease of an environment that is there, by `write`, once nobody works on it.

    Raises:
        BusyError: somebody works on it still after --lock-timeout.
        NotFoundError: it was removed meanwhile.
    """
    taken = wait_idle(session, lease, session.options.lock_timeout, take=write)
    if taken is None:
        raise NotFoundError(f"Environment {lease.id} was removed while it was waited for.")
    return taken


def holder(session: Session, lease: Lease) -> str:
    """Who works on an environment and since when, in words; `""`: nobody does.

    A lock of its stack that is provably stale counts as nobody's: the engine's next verb on it removes it.
    """
    here = Processes.here()
    if lease.worked_on:
        owner = lease.owner
        began = here.began(owner.pid) if owner.alive() else None
        since = format_time(began) if began is not None else lease.created
        return f"it is {lease.state} by process {owner.pid} of {owner.user} on {owner.host} since {since}"
    for lock in session.engine.locks(StackRef(lease.project, lease.stack)):
        if not why_stale(lock, lease, here):
            return f"its stack is locked by {lock}"
    return ""
