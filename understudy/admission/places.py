"""Places: how many environments hold one, counted so that two that come at once cannot both take the last. Pure.

Whoever comes writes its lease first, as one that waits, and counts then. Where there is room for it behind those that
came before, it writes that it has taken a place, and counts a second time, now only those who have taken one: of two
who took the last place at once the later writer sees the other, and gives its own back. So it needs no lock, only that
what was written is seen by every later listing, as it is in a folder and in S3.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from understudy.admission.order import is_ahead, is_waiting, rivals
from understudy.lease import Lease, over

__all__ = ["before", "taken"]


def taken(mine: Lease, leases: Iterable[Lease], seen: Iterable[str], now: datetime | None = None) -> frozenset[str]:
    """The environments of this target, other than mine, that hold a place.

    `seen` are those of which the target shows labelled objects: they are there, whatever their leases say.
    """
    moment = now or datetime.now(UTC)
    held = {
        lease.id for lease in leases if lease.target == mine.target and not is_waiting(lease) and _live(lease, moment)
    }
    return frozenset((held | set(seen)) - {mine.id})


def before(mine: Lease, leases: Iterable[Lease]) -> frozenset[str]:
    """The environments of this target that came before mine and wait for a place.

    One that waits for a run of its own branch to stop takes that run's place, and is counted with it already.
    """
    listed = tuple(leases)
    return frozenset(
        lease.id
        for lease in listed
        if lease.target == mine.target
        and lease.id != mine.id
        and is_waiting(lease)
        and lease.worked_on
        and is_ahead(lease, mine)
        and all(is_waiting(other) for other in rivals(lease, listed))
    )


def _live(lease: Lease, now: datetime) -> bool:
    """Whether somebody works on it, or it was left running on purpose and its time is not over by the one rule."""
    return lease.worked_on or lease.owner.is_this_process() or (lease.stays and not over(lease, now))
