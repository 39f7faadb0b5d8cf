"""Which runs are of the same branch, whose commit is the newer one, and what a run does about the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from understudy.lease import Lease, LeaseState

__all__ = ["Ancestor", "Course", "course", "is_ahead", "is_newer", "rivals"]

_VERDICT = frozenset({LeaseState.EXPORTING, LeaseState.DESTROYING})
"""The states of a run that has come to its verdict and ends by itself."""

Ancestor = Callable[[str, str], bool]
"""Whether the first commit is known to be an ancestor of the second."""


@dataclass(frozen=True, slots=True)
class Course:
    """What a run does now: give way to one, ask some to stop, wait for some; nothing of it: go on."""

    give_way: Lease | None = None
    stop: tuple[Lease, ...] = ()
    wait: tuple[Lease, ...] = ()


def is_newer(one: Lease, other: Lease, ancestor: Ancestor) -> bool:
    """Whether the commit of `one` is newer: by git where it knows both, else by the time of commit.

    Two commits of one second that git does not know both of are told apart by when their runs came. The same commit
    is never newer than itself: a matrix, shards, a job that is run again.
    """
    if one.commit == other.commit:
        return False
    if ancestor(other.commit, one.commit):
        return True
    if ancestor(one.commit, other.commit):
        return False
    return (one.committed, *_arrival(one)) > (other.committed, *_arrival(other))


def rivals(mine: Lease, leases: Iterable[Lease]) -> tuple[Lease, ...]:
    """Runs at work, or waiting to begin, of other commits of the same branch of the same topology.

    An environment of `up` is no run, and an owner that is gone is nobody to wait for. Without a branch there are none;
    nor has a fork's any, whose name says nothing: a stranger's `main` would stop ours, one `patch-1` another's.
    """
    return tuple(
        lease
        for lease in leases
        if lease.run
        and mine.branch
        and not (mine.fork or lease.fork)
        and (lease.repository, lease.topology, lease.branch) == (mine.repository, mine.topology, mine.branch)
        and lease.commit != mine.commit
        and lease.id != mine.id
        and lease.worked_on
    )


def course(mine: Lease, others: Iterable[Lease], on_newer: str, ancestor: Ancestor) -> Course:
    """What a run that waits to begin does about its rivals.

    `supersede`: it gives way to a newer one, asks older ones to stop that have no verdict yet, and waits for those
    that have made something.
    `queue`: it waits for those that are at work or came before it. `parallel`: nothing.
    """
    found = tuple(others)
    if on_newer == "parallel":
        return Course()
    if on_newer == "queue":
        return Course(wait=tuple(lease for lease in found if not is_waiting(lease) or is_ahead(lease, mine)))
    newer = [lease for lease in found if not lease.asked_to_stop and is_newer(lease, mine, ancestor)]
    if newer:
        return Course(give_way=newer[0])
    return Course(
        stop=tuple(lease for lease in found if not lease.asked_to_stop and lease.state not in _VERDICT),
        wait=tuple(lease for lease in found if not is_waiting(lease)),
    )


def is_waiting(lease: Lease) -> bool:
    """Whether its run waits to begin, so that nothing of it is there."""
    return lease.state is LeaseState.WAITING


def is_ahead(one: Lease, other: Lease) -> bool:
    """Whether `one` came before `other`; every process sees the same order."""
    return _arrival(one) < _arrival(other)


def _arrival(lease: Lease) -> tuple[str, str]:
    return lease.created, lease.id
