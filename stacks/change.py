"""A Change: one recorded difference between production and a clone, and how far it takes the clone from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Change", "Fidelity", "worst"]


class Fidelity(StrEnum):
    """How a part of the clone stands to production, from the nearest to the farthest."""

    FAITHFUL = "faithful"
    SCALED = "scaled"
    CHANGED = "changed"
    MOCKED = "mocked"
    MISSING = "missing"


def worst(found: Iterable[Fidelity]) -> Fidelity:
    """The one that is farthest from production; faithful, if there is none."""
    order = tuple(Fidelity)
    return max(found, key=order.index, default=Fidelity.FAITHFUL)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference from production: where, both values as text (None: absent; secrets never), and why.

    `rule` is the place in a document (`file:line:column`) of what asked for it; empty: a rule of every clone.
    """

    path: str
    production: str | None
    clone: str | None
    reason: str
    fidelity: Fidelity = Fidelity.CHANGED
    rule: str = ""
