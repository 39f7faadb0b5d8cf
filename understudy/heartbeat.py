"""The heartbeat: while a command works on an environment its lease says so, and it hears when it is asked to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from understudy.errors import NotFoundError, UnderstudyError
from understudy.lease import Lease, LeaseStore

__all__ = ["Heartbeat"]

_LAST = 5.0
"""Seconds for a beat that is under way when the work is done."""


class Heartbeat:
    """While entered: a thread renews the lease as long as this process owns it, and looks who asks it to stop.

    `on_stop` is called once at most, in that thread: with why another command asks for it, or because another process
    has taken the environment over. A beat that fails is tried again at the next look.
    """

    def __init__(self, store: LeaseStore, lease: Lease, on_stop: Callable[[str], None]) -> None:
        self._store = store
        self._lease = lease
        self._on_stop = on_stop
        self._done = threading.Event()
        self._mine = lease.owner.is_this_process()
        self._told = False
        self._thread = threading.Thread(target=self._run, name=f"heartbeat {lease.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(_LAST)

    def _run(self) -> None:
        renewed = time.monotonic()  # whoever takes a lease has just renewed it
        while not self._done.wait(self._store.shelf.look_every):
            try:
                now = self._store.read(self._lease.id)
                if now.owner.is_this_process() and time.monotonic() - renewed >= self._store.shelf.renew_every:
                    self._store.update(now, check=_hold_ours)
                    renewed = time.monotonic()
            except NotFoundError:  # it was closed
                return
            except UnderstudyError:
                continue
            self._look(now)

    def _look(self, now: Lease) -> None:
        if now.owner.is_this_process():
            self._mine = True
            self._tell(now.asked_to_stop)
        elif self._mine:
            self._mine = False
            owner = now.owner
            self._tell(f"process {owner.pid} of {owner.user} on {owner.host} took the environment over")

    def _tell(self, reason: str) -> None:
        if reason and not self._told and not self._done.is_set():
            self._told = True
            self._on_stop(reason)


def _hold_ours(lease: Lease) -> None:
    if not lease.owner.is_this_process():
        raise UnderstudyError("Another process took it over.")
