"""Provisioning in a thread of its own, so that suites can start before all of an environment is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from understudy.stops import EitherStop

__all__ = ["Making"]

T = TypeVar("T")

_POLL = 0.02
"""Seconds between two looks at whether something is there yet."""

_WORDS = 400
"""Characters of an error that suites give as the reason why they did not run; the whole of it is what `end` raises."""


class Making(Generic[T]):
    """One piece of work beside the caller's own; when the context is left it has ended, cancelled if need be.

    Args:
        work: what is done; it ends soon once the event that it is given is set, and may raise.
        stop: ends the work too.
        failed: told in words why the work failed, the moment it did.
    """

    def __init__(
        self, work: Callable[[threading.Event], T], stop: threading.Event, failed: Callable[[str], None]
    ) -> None:
        self._work, self._failed = work, failed
        self._stop, self._over = EitherStop(stop), threading.Event()
        self._cancelled = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="provision", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._result = self._work(self._stop)
        except BaseException as error:  # noqa: BLE001 - `end` raises it in the caller's thread
            self._error = error
            if not self._cancelled:
                self._failed(" ".join(str(error).split())[:_WORDS])
        finally:
            self._over.set()

    def until(self, there: Callable[[], bool]) -> None:
        """Return when something is there, or the work is over.

        Raises:
            BaseException: what the work raised.
        """
        while not there() and not self._over.wait(_POLL):
            pass
        if self._error is not None:
            raise self._error

    def cancel(self) -> bool:
        """Tell the work to end, unless it has; whether it was told."""
        if self._over.is_set():
            return False
        self._cancelled = True
        self._stop.set()
        return True

    def end(self) -> T | None:
        """Wait for the end: the work's result; None: it was cancelled before it had one.

        Raises:
            BaseException: what the work raised, unless it was cancelled.
        """
        self._over.wait()
        if self._error is not None and not self._cancelled:
            raise self._error
        return self._result
