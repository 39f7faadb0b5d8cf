"""Stops: why a command has to end, and an event that is also set when another one is."""

from __future__ import annotations

import threading
import time

from understudy.errors import ExportError, InterruptedRunError, LeftoversError, SupersededError, UnderstudyError

__all__ = ["SUPERSEDED", "EitherStop", "Stop", "ended"]

SUPERSEDED = "superseded by commit "
"""How the reason begins for which a newer commit's run asks an older one's to stop."""

_STEP = 0.05
"""Seconds after which the other one is looked at again."""


class Stop(threading.Event):
    """What ends a command: a signal, or another command that asks for it, which says why."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = ""

    def ask(self, why: str) -> None:
        """Set it because another command asks for it; where it is set already the first reason stays."""
        if not self.is_set():
            self.asked = why
            self.set()


def ended(stop: Stop, error: UnderstudyError) -> UnderstudyError:
    """What an error is once a command was told to end: that it was, and by what, with what failed then.

    What remained of a run that was superseded, and what of it could not be exported, counts all the same.
    """
    if not stop.is_set():
        return error
    if stop.asked.startswith(SUPERSEDED):
        own = isinstance(error, (LeftoversError, ExportError, SupersededError))
        return error if own else SupersededError(f"Stopped: {stop.asked}. {error}")
    if stop.asked or error.exit_code != InterruptedRunError.exit_code:
        return InterruptedRunError.by(stop.asked, error)
    return error


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
