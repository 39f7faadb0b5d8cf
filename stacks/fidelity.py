"""How near a clone is to production: a verdict for each service and third party."""

from __future__ import annotations

from collections.abc import Mapping

from .clone import Change, Clone, Fidelity, worst

__all__ = ["fidelity"]


def fidelity(clone: Clone) -> Mapping[str, Fidelity]:
    """How each service and third party of the clone stands to production: the worst of its Changes.

    A volume that starts empty is on the volume's own path and counts for no service.
    """
    gone = (change.path.removeprefix("services.") for change in clone.changes if _is_gone(change, clone))
    result = {**dict.fromkeys(clone.topology.services, Fidelity.FAITHFUL), **dict.fromkeys(gone, Fidelity.MISSING)}
    result |= dict.fromkeys(clone.topology.externals, Fidelity.MISSING)
    result |= {mock.name: Fidelity.MOCKED for mock in clone.mocks}
    result |= {external.name: Fidelity.FAITHFUL for external in clone.allowed}
    if clone.open_network:
        result |= {n: Fidelity.FAITHFUL for n, e in clone.topology.externals.items() if e.mock is None}
    for name in clone.topology.services:
        path = f"services.{name}"
        own = [change.fidelity for change in clone.changes if f"{change.path}.".startswith(f"{path}.")]
        result[name] = worst([result[name], *own])
    return result


def _is_gone(change: Change, clone: Clone) -> bool:
    """Whether the Change says that the clone has not a service that production has."""
    name = change.path.removeprefix("services.")
    return change.clone is None and change.path != name and name not in clone.topology.services and "." not in name
