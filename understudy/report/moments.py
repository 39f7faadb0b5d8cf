"""Moments of a record: RFC 3339 in UTC, with a fraction of six digits and a Z."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

__all__ = ["MOMENT_PATTERN", "Moment", "utc"]

Moment = NewType("Moment", str)
"""A moment as text: `2026-01-31T23:59:59.000000Z`."""

MOMENT_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$"


def utc(seconds: float) -> Moment:
    """The moment of some seconds since the epoch.

    >>> utc(0.25)
    '1970-01-01T00:00:00.250000Z'
    """
    return Moment(datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
