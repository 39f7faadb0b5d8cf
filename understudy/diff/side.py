"""One side of a comparison, found and read."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.blueprint import Blueprint
from understudy.diff.record import SideRecord
from understudy.lease import Lease
from understudy.stacks.differences import Compared

__all__ = ["Side"]


@dataclass(frozen=True)
class Side:
    """What it is, what is compared, and of a commit the blueprint, of an environment the lease.

    `target` is the identity of the target that an environment is on, or a run was; empty: nothing was made of it.
    """

    record: SideRecord
    compared: Compared
    blueprint: Blueprint | None = None
    lease: Lease | None = None
    target: str = ""
    warnings: tuple[str, ...] = ()
