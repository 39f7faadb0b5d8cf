"""The rule of expiry: when an environment's time is over, and why; whether somebody works on it is another matter."""

from __future__ import annotations

from datetime import datetime, timedelta

from understudy.lease.record import Lease
from understudy.stacks.identity import format_time, parse_time

__all__ = ["ends", "over"]


def over(lease: Lease, now: datetime, *, branch_gone: bool | None = None) -> str:
    """Why an environment's time is over, in words, or "": of the hard limit, its time and disuse, what came first.

    Args:
        lease: the environment's.
        now: an aware moment.
        branch_gone: whether the branch or the pull request it was made for is gone; None: nobody knows.
    """
    moment, why = ends(lease)
    if now >= moment:
        return why
    return f"its branch {lease.branch!r} is gone" if branch_gone else ""


def ends(lease: Lease) -> tuple[datetime, str]:
    """When its time is over if nothing happens any more (aware, UTC), and why that is.

    Disuse counts from the last time that a command or a person used it or its owner was heard of.
    """
    found = [
        (parse_time(lease.not_after), f"the hard limit of its life, {lease.not_after}, is past"),
        (parse_time(lease.expires), f"its time ended at {lease.expires}"),
    ]
    if lease.idle:
        last = max(parse_time(moment) for moment in (lease.created, lease.active, lease.renewed) if moment)
        found.append((last + timedelta(seconds=lease.idle), f"nobody used it since {format_time(last)}"))
    return min(found, key=lambda each: each[0])
