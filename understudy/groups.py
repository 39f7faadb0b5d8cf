"""Process groups that this process has begun and that are to end with it; whoever guards it hears of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Listener", "group", "ignore", "listen"]

Listener = Callable[[int, bool], None]
"""Told the leader's pid, and whether it has begun (or ended). It raises nothing."""

_lock = threading.RLock()
_running: set[int] = set()
_listeners: list[Listener] = []


@contextmanager
def group(leader: int) -> Iterator[None]:
    """For as long as a process that leads a group of its own is waited for."""
    with _lock:
        _running.add(leader)
        for listener in _listeners:
            listener(leader, True)
    try:
        yield
    finally:
        with _lock:
            _running.discard(leader)
            for listener in _listeners:
                listener(leader, False)


def listen(listener: Listener) -> None:
    """Hear of every group that runs, and of those to come."""
    with _lock:
        _listeners.append(listener)
        for leader in _running:
            listener(leader, True)


def ignore(listener: Listener) -> None:
    """Hear no more."""
    with _lock:
        _listeners.remove(listener)
