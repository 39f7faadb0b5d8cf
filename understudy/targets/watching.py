"""Watching what tests run against: the deaths of an environment's services while a watch lasts, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

__all__ = ["Death", "How", "StillWatch", "Watch"]


class How(StrEnum):
    """What became of a service, or of the one who would know."""

    EXITED = "exited"
    MEMORY = "out-of-memory"
    UNHEALTHY = "unhealthy"
    REMOVED = "removed"
    UNKNOWN = "unknown"
    """The target did not answer any more."""


@dataclass(frozen=True, slots=True)
class Death:
    """A service that died for good, was killed for memory or turned unhealthy.

    `at` is seconds since the epoch by this machine's clock: the end of its process, or the beginning of the first
    health check in a row that failed. `clock` is, by the monotonic clock, since when that is for good: later, where it
    might have been started again. `health` is the last check's output, `log` the last lines of its log.
    """

    service: str
    container: str
    how: How
    at: float
    reason: str
    clock: float
    exit_code: int | None = None
    health: str = ""
    log: str = ""

    def __str__(self) -> str:
        return f"service {self.service} {self.reason}" if self.service else self.reason


class Watch(Protocol):
    """Eyes on an environment while its tests run."""

    def deaths(self) -> Sequence[Death]:
        """What died by now, in the order in which it was noticed; returns at once."""

    def settle(self, seconds: float) -> Sequence[Death]:
        """Look once more, with last log lines, for what was not noticed yet; returns within `seconds`."""


class StillWatch:
    """A watch that sees what it was made with: for what has no environment, and for tests."""

    def __init__(self, seen: Sequence[Death] = (), later: Sequence[Death] = ()) -> None:
        """`seen` is noticed at once, `later` by the last look."""
        self._seen = tuple(seen)
        self._later = tuple(later)

    def deaths(self) -> Sequence[Death]:
        """What is seen at once."""
        return self._seen

    def settle(self, seconds: float) -> Sequence[Death]:  # noqa: ARG002 - it never has to wait
        """All of it."""
        return (*self._seen, *self._later)
