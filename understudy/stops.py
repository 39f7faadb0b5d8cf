"""Stops: an event that is also set when another one is, for what can be ended by more than one."""

from __future__ import annotations

import threading
import time

__all__ = ["EitherStop"]

_STEP = 0.05
"""Seconds after which the other one is looked at again."""


class EitherStop(threading.Event):
    """An event that is set when it or another one is; setting it leaves the other alone."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        """Whether either is."""
        return super().is_set() or self._other.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in short steps, since two events cannot be waited for at once."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _STEP if deadline is None else min(_STEP, deadline - time.monotonic())
            if left <= 0:
                break
            super().wait(left)
        return self.is_set()
