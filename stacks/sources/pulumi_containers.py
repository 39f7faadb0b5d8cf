"""Containers of a Pulumi stack (pulumi_docker) as services: equal ones under numbered names are replicas of one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from understudy.stacks.topology import Condition, Dependency, NetworkLink

from .kinds import kind_of_image
from .pulumi_container import service_of
from .pulumi_found import Found
from .pulumi_resources import Resource, State
from .pulumi_shared import NETWORK, logical

__all__ = ["CONTAINER", "MAPPERS"]

CONTAINER = "docker:index/container:Container"

_NUMBERED = re.compile(r"(.*?)[-_.]?\d+")
_IMAGES = (
    "docker:index/remoteImage:RemoteImage",
    "docker:index/image:Image",
    "docker:index/registryImage:RegistryImage",
)


def _container(resource: Resource, state: State, found: Found) -> None:
    if "containers" not in state.memory:
        state.memory["containers"] = _groups(state)
    replicas: list[Resource] = state.memory["containers"][resource.urn]
    if replicas[0] is not resource:
        return
    name = found.free_name(resource.name if len(replicas) == 1 else _stem(resource.name))
    image = _image(resource, state)
    if image is None:
        found.leave_out(f"services.{name}", "a container", f"its image is a secret of the stack ({resource.urn})")
        return
    service = service_of(name, resource, state, found)
    service = replace(
        service,
        image=image[0],
        kind="job" if _is_job(resource) else kind_of_image(image[1]),
        replicas=len(replicas),
        networks=_links(resource, name, state, found),
        network_of=_shared(resource, state, found, name),
    )
    found.add(service, *(replica.urn for replica in replicas))
    depended = [other for replica in replicas for other in state.depended(replica) if other.type == CONTAINER]
    conditions = {found.of_urn[other.urn]: _condition(other) for other in depended if other.urn in found.of_urn}
    dependencies = tuple(
        Dependency(other, condition) for other, condition in sorted(conditions.items()) if other != name
    )
    found.services[name] = replace(service, depends_on=dependencies)


def _groups(state: State) -> dict[str, list[Resource]]:
    """URN of each container -> the containers of its service, itself among them."""
    alike: dict[str, list[Resource]] = {}
    for resource in state.of(CONTAINER):
        meant = {key: value for key, value in resource.inputs.items() if key != "name"}
        key = json.dumps([_stem(resource.name), meant], sort_keys=True, default=str)
        alike.setdefault(key, []).append(resource)
    return {resource.urn: group for group in alike.values() for resource in group}


def _stem(name: str) -> str:
    """A name without its number: `catalog` of `catalog-2` and of `catalog`."""
    match = _NUMBERED.fullmatch(name)
    return match[1] if match and match[1] else name


def _image(resource: Resource, state: State) -> tuple[str, str] | None:
    """The image by its digest where the stack knows it, and the name that it goes by; None: it is a secret."""
    given = resource.inputs.get("image")
    if not isinstance(given, str) or not given:
        return None
    source = state.behind(resource, "image", given, *_IMAGES)
    if source is None:
        return given, given
    name = source.text("imageName") or source.text("name") or given
    name = name.partition("@")[0]
    digest = (source.text("repoDigest") or source.text("sha256Digest") or "").rpartition("@")[2]
    if digest.startswith("sha256:") and not name.startswith("sha256:"):
        return f"{name}@{digest}", name
    return (given if given.startswith("sha256:") else name), name


def _is_job(resource: Resource) -> bool:
    """Whether the program waits for the container's end, or does not mind it (pulumi_docker, attach and mustRun)."""
    return resource.inputs.get("mustRun") is False


def _condition(resource: Resource) -> Condition:
    """What a dependent of the container waits for: its end (attach), its health (wait), else its start."""
    if resource.inputs.get("attach") is True:
        return "completed" if _is_job(resource) else "started"
    return "healthy" if resource.inputs.get("wait") is True else "started"


def _links(resource: Resource, name: str, state: State, found: Found) -> tuple[NetworkLink, ...]:
    links: list[NetworkLink] = []
    for entry in resource.inputs.get("networksAdvanced") or ():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            continue
        network = logical(NETWORK, entry["name"], state)
        mine = {name, resource.name, resource.text("name")}
        aliases = tuple(dict.fromkeys(str(a) for a in entry.get("aliases") or () if a not in mine))
        if entry.get("ipv4Address") or entry.get("ipv6Address"):
            path = f"services.{name}.networks.{network}.ipv4_address"
            found.leave_out(path, entry.get("ipv4Address"), "a clone's networks have subnets of their own")
        links.append(NetworkLink(network, aliases))
    mode = resource.inputs.get("networkMode")
    if links or (isinstance(mode, str) and mode.startswith(("none", "host", "container:"))):
        return tuple(links)
    return (NetworkLink("default"),)


def _shared(resource: Resource, state: State, found: Found, name: str) -> str | None:
    mode = resource.inputs.get("networkMode")
    if mode == "host":
        found.leave_out(f"services.{name}.network_mode", mode, "a clone has networks of its own")
    if not isinstance(mode, str) or not mode.startswith("container:"):
        return None
    other = state.behind(resource, "networkMode", mode.partition(":")[2], CONTAINER)
    if other is None or other.urn not in found.of_urn:
        found.leave_out(f"services.{name}.network_mode", mode, "it is a container that the stack does not have")
        return None
    return found.of_urn[other.urn]


MAPPERS: Mapping[str, Callable[[Resource, State, Found], None]] = {CONTAINER: _container}
