"""Labels: whose an object is, what it stands for, and what production called it."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.stacks import identity
from understudy.stacks.identity import LABEL, PROTECT, RESERVED_LABELS

__all__ = ["container_labels", "inherited", "object_labels"]


def inherited(labels: Mapping[str, str]) -> dict[str, str]:
    """Production's own labels without those of a reserved namespace."""
    return {key: value for key, value in labels.items() if not key.startswith(RESERVED_LABELS)}


def object_labels(
    environment: identity.Environment, logical: str, production: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The labels of a network or volume, or the first half of a container's: production's, ownership, logical name."""
    return {
        **inherited(production or {}),
        **identity.ownership_labels(environment),
        LABEL + "service": logical,
    }


def container_labels(
    environment: identity.Environment,
    logical: str,
    *,
    kind: str,
    ports: tuple[int, ...] = (),
    after: tuple[str, ...] = (),
    production: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The labels of a container: `ports` are probed for readiness, `after` names the containers to start before.

    Docker adds those of the image that are not given here, and an image may be a stranger's: none keeps its container.
    """
    return {
        **object_labels(environment, logical, production),
        PROTECT: "false",
        LABEL + "kind": kind,
        LABEL + "ports": ",".join(str(port) for port in ports),
        LABEL + "after": ",".join(after),
    }
