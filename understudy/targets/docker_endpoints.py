"""Endpoints: containers are taken off a network one after another, and only those that are ours."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["clear_network", "leave_networks", "network_lock"]

_PLAIN_NETWORKS = frozenset({"bridge", "host", "none"})
_LOCKS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_GUARD = threading.Lock()


def network_lock(network_id: str) -> threading.Lock:
    """The lock of this process under which endpoints of a network are taken away.

    In parallel the daemon can lose an update of its endpoint counter, and the network then refuses its own removal
    until the daemon restarts (moby#42119).
    """
    with _GUARD:
        return _LOCKS[network_id]


def leave_networks(client: DockerClient, facts: Mapping[str, Any]) -> None:
    """Take a running container, as `docker inspect` shows it, off its networks, each under its lock.

    The end of its process would do the same, outside of the locks; so this goes before it.

    Raises:
        docker.errors.APIError: the daemon refuses.
    """
    if not facts["State"].get("Running"):
        return
    for name, network in ((facts.get("NetworkSettings") or {}).get("Networks") or {}).items():
        network_id = network.get("NetworkID")
        if name not in _PLAIN_NETWORKS and network_id:
            with network_lock(network_id):
                _detach(client, network_id, facts["Id"])


def clear_network(
    client: DockerClient, facts: Mapping[str, Any], ours: Callable[[Mapping[str, str] | None], bool]
) -> str:
    """Take containers off a network until one of somebody else is met, which stays: its name, or "" when none is.

    The caller holds the network's lock.

    Args:
        client: of the daemon.
        facts: the network, as `docker network inspect` shows it.
        ours: whether labels are those of a container of ours.

    Raises:
        docker.errors.APIError: the daemon refuses.
    """
    from docker.errors import NotFound

    for container_id, endpoint in (facts.get("Containers") or {}).items():
        try:
            labels = client.api.inspect_container(container_id)["Config"].get("Labels")
        except NotFound:
            continue
        if not ours(labels):
            return str(endpoint.get("Name") or container_id)
        _detach(client, facts["Id"], container_id)
    return ""


def _detach(client: DockerClient, network_id: str, container_id: str) -> None:
    """Take a container off a network; one that is not on it, or gone, is fine."""
    from docker.errors import APIError, NotFound

    try:
        client.api.disconnect_container_from_network(container_id, network_id, force=True)
    except NotFound:
        return
    except APIError as error:
        if "is not connected" not in str(error.explanation or error):
            raise
