"""Removal by label: containers with their anonymous volumes, then networks, then volumes, each looked at before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from understudy.errors import ToolError
from understudy.stacks.identity import Whose
from understudy.targets.docker_endpoints import clear_network, leave_networks, network_lock
from understudy.targets.docker_inventory import KINDS, inspect, label_filter, list_kind
from understudy.targets.interface import Owned, Spare, Swept, spare_none
from understudy.targets.ownership import ENVIRONMENT, is_owned, refusal

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["PARALLEL", "sweep"]

PARALLEL = 8
"""Removals at once: the daemon is the limit."""

PATIENCE = 10.0
"""Seconds for what passes by itself: a creation or removal in progress, an endpoint that is being released."""

_BUSY = ("active endpoints", "in use", "already in progress")

_IN_CREATION = "the daemon lists it and does not know it by its id: it is still being created"
"""Docker 20.10 answers so for as long as it copies an image's files into a new volume, also when whoever asked for the
container is gone by then; it is there afterwards."""


def sweep(
    client: DockerClient,
    whose: Whose,
    identity: str,
    patience: float = PATIENCE,
    spare: Spare = spare_none,
) -> Swept:
    """Remove all that carries all ownership labels of an environment of this backend's and names this target.

    A failure, of a listing too, is recorded and never stops the rest.

    Args:
        client: of the daemon.
        whose: whose the objects are.
        identity: the target's identity, just asked.
        patience: seconds for each object that is busy.
        spare: says of labels just read why an object is to be kept.
    """
    removed: list[Owned] = []
    failed: list[tuple[Owned, str]] = []

    def refused(labels: Mapping[str, str]) -> str:
        return refusal(labels, whose, identity) or spare(labels)

    for kind in KINDS:
        try:
            listed = list_kind(client, kind, {"label": label_filter(whose)})
        except ToolError as error:
            failed.append((Owned(kind, "", "(all)"), str(error)))
            continue
        items = sorted(item for item in listed if is_owned(item.labels, whose))
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="sweep") as pool:
            reasons = pool.map(lambda item: _remove(client, item, refused, whose, patience), items)
            for item, reason in zip(items, reasons, strict=True):
                if reason:
                    failed.append((item, reason))
                else:
                    removed.append(item)
    return Swept(tuple(removed), tuple(failed))


def _remove(client: DockerClient, item: Owned, refused: Spare, whose: Whose, patience: float) -> str:
    """Remove one object; return why it could not be, or nothing. What is gone counts as removed."""
    from docker.errors import APIError, DockerException, NotFound

    deadline = time.monotonic() + patience
    pause = 0.1
    while True:
        try:
            facts = inspect(client, item)
            labels = (facts["Config"] if item.kind == "container" else facts).get("Labels")
            return refused(labels or {}) or _REMOVERS[item.kind](client, facts, whose)
        except NotFound:
            reason = _why_listed(client, item)
            if not reason or time.monotonic() > deadline:
                return reason
        except APIError as error:
            reason = str(error.explanation or error)
            busy = any(word in reason for word in _BUSY)
            if not busy or time.monotonic() > deadline:
                return _explained(item, reason)
        except (DockerException, OSError) as error:
            return str(error)
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def _why_listed(client: DockerClient, item: Owned) -> str:
    """Why what is not found is not gone; `""`: it is."""
    if item.kind != "container":
        return ""
    try:  # asked for by its id, the daemon does not list it
        listed = list_kind(client, item.kind, {"label": [f"{ENVIRONMENT}={item.labels[ENVIRONMENT]}"]})
    except ToolError as error:
        return str(error)
    return _IN_CREATION if item in listed else ""


def _remove_container(client: DockerClient, facts: Mapping[str, Any], _whose: Whose) -> str:
    leave_networks(client, facts)
    client.api.remove_container(facts["Id"], v=True, force=True)
    return ""


def _remove_network(client: DockerClient, facts: Mapping[str, Any], whose: Whose) -> str:
    with network_lock(facts["Id"]):
        stranger = clear_network(client, facts, lambda labels: is_owned(labels, whose))
        if stranger:
            return f"container {stranger} of somebody else is on it; kept"
        client.api.remove_network(facts["Id"])
    return ""


def _remove_volume(client: DockerClient, facts: Mapping[str, Any], _whose: Whose) -> str:
    client.api.remove_volume(facts["Name"])
    return ""


_REMOVERS: dict[str, Callable[[DockerClient, Mapping[str, Any], Whose], str]] = {
    "container": _remove_container,
    "network": _remove_network,
    "volume": _remove_volume,
}
"""Each removes an object of its kind, just looked at, and returns why it was kept, or nothing."""


def _explained(item: Owned, reason: str) -> str:
    if item.kind == "network" and "active endpoints" in reason:
        return (
            f"{reason}. If no container is joined to it, the daemon has lost count of its endpoints "
            "(moby issue 42119): it can be removed after a restart of the daemon."
        )
    return reason
