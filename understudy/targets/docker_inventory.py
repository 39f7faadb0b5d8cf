"""What a Docker daemon holds: containers, networks and volumes, listed by label and checked again by us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.errors import ToolError
from understudy.stacks.identity import LABEL, OWNERSHIP, Whose
from understudy.targets.interface import Owned
from understudy.targets.ownership import BACKEND, ENVIRONMENT, is_owned

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["KINDS", "inspect", "label_filter", "list_all", "list_claimed", "list_kind"]

KINDS = ("container", "network", "volume")
"""In the order of removal: a network or volume in use cannot be removed."""


def list_kind(client: DockerClient, kind: str, filters: Mapping[str, list[str]] | None = None) -> list[Owned]:
    """Every object of one kind that the filters let through, ours or not, dead containers too.

    Raises:
        ToolError: the listing failed or is not whole, so that nothing is known.
    """
    from docker.errors import DockerException

    chosen = dict(filters or {})
    try:
        if kind == "container":
            rows = client.api.containers(all=True, filters=chosen)
            return [Owned(kind, row["Id"], _container_name(row), row.get("Labels") or {}) for row in rows]
        if kind == "network":
            rows = client.api.networks(filters=chosen)
            return [Owned(kind, row["Id"], row["Name"], row.get("Labels") or {}) for row in rows]
        answer = client.api.volumes(filters=chosen)
    except (DockerException, OSError) as error:
        raise ToolError(f"Listed the {kind}s of the Docker daemon, and it failed: {error}.") from error
    if answer.get("Warnings"):
        raise ToolError(f"Listed the volumes of the Docker daemon, and it warns: {answer['Warnings']}.")
    return [Owned(kind, row["Name"], row["Name"], row.get("Labels") or {}) for row in answer["Volumes"] or ()]


def label_filter(whose: Whose | None) -> list[str]:
    """What Docker's filter `label` lets through: all ownership labels, of one environment or of all."""
    return [*OWNERSHIP, *([f"{ENVIRONMENT}={whose.environment}", f"{BACKEND}={whose.backend}"] if whose else [])]


def list_all(client: DockerClient, whose: Whose | None, kinds: tuple[str, ...] = KINDS) -> tuple[Owned, ...]:
    """All objects of these kinds with all ownership labels, of one environment or of all, sorted by kind and id.

    Raises:
        ToolError: a listing failed.
    """
    labels = label_filter(whose)
    found = [item for kind in kinds for item in list_kind(client, kind, {"label": labels})]
    return tuple(sorted(item for item in found if is_owned(item.labels, whose)))


def list_claimed(client: DockerClient) -> tuple[Owned, ...]:
    """All objects with any label in our namespace, however it is spelt, whole sets or not, sorted by kind and id.

    Raises:
        ToolError: a listing failed.
    """
    found = [item for kind in KINDS for item in list_kind(client, kind)]
    return tuple(sorted(item for item in found if any(key.lower().startswith(LABEL) for key in item.labels)))


def inspect(client: DockerClient, item: Owned) -> dict[str, Any]:
    """The object as it is now.

    Raises:
        docker.errors.NotFound: it is gone.
        docker.errors.DockerException: the daemon does not say.
    """
    if item.kind == "container":
        return dict(client.api.inspect_container(item.id))
    return dict(client.api.inspect_network(item.id) if item.kind == "network" else client.api.inspect_volume(item.name))


def _container_name(row: Mapping[str, Any]) -> str:
    names = row.get("Names") or [row["Id"]]
    return str(names[0]).removeprefix("/")
