"""What a commit itself changes against production: the rows in which two topologies differ, as Changes."""

from __future__ import annotations

from .clone import Change
from .compare import rows
from .secret_values import Literals
from .topology import Topology

__all__ = ["commit_changes"]


def commit_changes(production: Topology, candidate: Topology, commit: str, literals: Literals) -> tuple[Change, ...]:
    """Every difference between production and the topology at the commit, in the order of production's document.

    Both have their secrets replaced already; a text that still holds a value of `literals` is withheld.
    """
    reason = f"changed by commit {commit[:12]}"
    found = rows(production, candidate, literals)
    return tuple(Change(row.path, row.left, row.right, reason) for row in found if not row.same)
