"""The record while the run lasts: the newest is written by a thread of its own, so often and no oftener."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from understudy.report import RunRecord

__all__ = ["EVERY", "SHARE", "Checkpoints"]

EVERY = 0.5
"""Seconds from the end of one writing to the next, at least."""

SHARE = 10
"""How many times as long as a writing took is waited before the next: a large record costs a run a tenth at most."""


class Checkpoints:
    """Takes records and writes the newest; what came in between is never written.

    Args:
        write: writes a record whole or not at all, and raises nothing.
        every: seconds between two writings, at least.
    """

    def __init__(self, write: Callable[[RunRecord], None], every: float = EVERY) -> None:
        self._write = write
        self._every = every
        self._changed = threading.Condition()
        self._waiting: RunRecord | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether what is taken will be written."""
        return self._thread.is_alive()

    def take(self, record: RunRecord) -> None:
        """Write this one next."""
        with self._changed:
            self._waiting = record
            self._changed.notify()

    def close(self) -> None:
        """End; when this returns nothing is being written, and nothing will be."""
        self._closed.set()
        with self._changed:
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while not self._closed.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closed.is_set())
                record, self._waiting = self._waiting, None
            if record is None or self._closed.is_set():
                continue
            began = time.monotonic()
            self._write(record)
            self._closed.wait(max(self._every, SHARE * (time.monotonic() - began)))
