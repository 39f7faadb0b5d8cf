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
    """What it is, what is compared, and of a commit the blueprint, of an environment the lease."""

    record: SideRecord
    compared: Compared
    blueprint: Blueprint | None = None
    lease: Lease | None = None
    warnings: tuple[str, ...] = ()
