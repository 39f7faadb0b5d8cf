"""Strangers: what another backend has on the target under the id of an environment of ours; it is never touched."""

from __future__ import annotations

from understudy.lease import BusyError, Lease
from understudy.targets.interface import Owned, Target
from understudy.targets.ownership import CLASH, other_backend, whose_of

__all__ = ["hold_no_stranger"]


def hold_no_stranger(target: Target, lease: Lease) -> tuple[Owned, ...]:
    """Hold that nobody else has an environment of this id on the target: its objects' names are the same as ours.

    Returns what there is of it that is ours.

    Raises:
        BusyError: another backend has.
        ToolError: the target does not answer.
    """
    there = target.inventory()
    found = [item for item in there if other_backend(item.labels, lease.whose)]
    if found:
        backend = other_backend(found[0].labels, lease.whose)
        raise BusyError(
            f"Environment {lease.id} is on {lease.target} already ({len(found)} objects, such as {found[0].kind} "
            f"{found[0].name}), made by another backend, {backend}; this one is {lease.backend_id}, {lease.backend}.",
            hint=CLASH,
        )
    return tuple(item for item in there if whose_of(item.labels) == lease.whose)
