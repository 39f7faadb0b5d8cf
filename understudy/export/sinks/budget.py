"""How often and how long one sink may try: retries for each step, seconds for all, few once a signal came."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["HURRY", "Budget", "Retriable"]

HURRY = 10.0
"""Seconds that are left once a signal came. GitHub's runner kills a cancelled job 10 s after its first signal
(docs.github.com, "Workflow cancellation"), and the environment is still to be destroyed."""

_FIRST, _LONGEST = 0.5, 20.0
"""Seconds: the bounds of the pauses before the second try and before late ones."""

T = TypeVar("T")
Retriable = Callable[[Exception], bool]
"""Whether another try may help after this error."""


class Budget:
    """One sink's tries and time. Steps may run in several threads.

    Pauses have full jitter: a random part of a bound that doubles with each try (AWS Architecture Blog, "Exponential
    Backoff And Jitter").
    """

    def __init__(
        self,
        *,
        retries: int,
        timeout: float,
        stop: threading.Event,
        tell: Callable[[str], None] = lambda _text: None,
        first: float = _FIRST,
    ) -> None:
        self.retries = retries
        self.timeout = timeout
        self.attempts = 1
        self._end = time.monotonic() + timeout
        self._stop = stop
        self._hurried = False
        self._tell = tell
        self._first = first
        self._lock = threading.Lock()

    def left(self) -> float:
        """Seconds that are left; none when it is 0 or less."""
        now = time.monotonic()
        with self._lock:
            if self._stop.is_set() and not self._hurried:
                self._hurried = True
                self._end = min(self._end, now + HURRY)
            return self._end - now

    def spent(self) -> str:
        """Why no time is left, in words."""
        return f"a signal came {HURRY:g} s ago" if self._hurried else f"its {self.timeout:g} s are over"

    def close(self) -> None:
        """No further step begins."""
        with self._lock:
            self._end = min(self._end, time.monotonic())

    def run(self, step: Callable[[], T], *, again: Retriable) -> T:
        """Do a step until it succeeds, fails for good, or tries or time run out; then its last error is raised."""
        attempt = 1
        while True:
            try:
                return step()
            except Exception as error:
                if not again(error) or attempt > self.retries or self.left() <= 0:
                    raise
                self._tell(f"try {attempt} of {self.retries + 1}: {error}")
                self._pause(random.uniform(0, min(_LONGEST, self._first * 2 ** (attempt - 1))))  # noqa: S311 - jitter
                if self.left() <= 0:
                    raise
            attempt += 1
            with self._lock:
                self.attempts = max(self.attempts, attempt)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (rest := min(until - time.monotonic(), self.left())) > 0:
            if not self._stop.wait(rest):
                return
            time.sleep(min(rest, 0.1))
