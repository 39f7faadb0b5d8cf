"""Moments and durations as people read them, and as seconds from the run's start. Pure."""

from __future__ import annotations

from datetime import datetime

__all__ = ["clock", "duration", "epoch", "offset"]

_MINUTE, _HOUR = 60, 3600


def epoch(moment: str | None) -> float | None:
    """Seconds since the epoch; None for none, or for what is no moment.

    >>> epoch("1970-01-01T00:00:01.500000Z")
    1.5
    """
    try:
        return None if moment is None else datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None


def offset(moment: str | None, start: float) -> float | None:
    """Seconds from `start` (since the epoch) to a moment."""
    at = epoch(moment)
    return None if at is None else at - start


def clock(moment: str | None) -> str:
    """Date and time to the second, in UTC."""
    return "" if moment is None else moment[:19].replace("T", " ") + " UTC"


def duration(seconds: float) -> str:
    """A length as it is spoken of.

    >>> [duration(s) for s in (0.0042, 0.25, 6.7123, 75, 3700)]
    ['4 ms', '250 ms', '6.71 s', '1 min 15 s', '1 h 2 min']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"  # noqa: PLR2004 - three digits
    if seconds < _HOUR:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
