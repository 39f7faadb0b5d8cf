"""What a suite's container is made of: the body of Docker's create call, from what it is to run and the daemon's facts.

The functions at the end look up what it joins: the environment's networks, its certificates, the image of a service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.errors import ToolError
from understudy.stacks.identity import LABEL, Whose
from understudy.targets.docker_inventory import list_all
from understudy.targets.suite_marks import is_suite

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Box", "body", "image_of", "networks_of", "trust_volume"]

_SHARES = 512
"""A suite's weight when processors are short (docs.docker.com, Resource constraints): half of a service's 1,024."""

_TRUST = "understudy-trust-"
"""How the logical name of the volume with the authority's certificates begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One suite's container.

    Attributes:
        name: the container's.
        image: an id, or a reference.
        command: an argument vector; it takes the place of the image's entrypoint too.
        environment: all of its variables beside the image's own.
        labels: all of its labels.
        networks: ids of the networks that it joins.
        binds: folder of this machine -> where it is mounted, and whether it can be written to.
        volumes: volume -> where it is mounted, read-only.
        working_dir: an absolute path inside.
        pids: processes that it may have.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    networks: tuple[str, ...]
    binds: Mapping[Path, tuple[str, bool]]
    volumes: Mapping[str, str]
    working_dir: str
    pids: int


def body(box: Box, info: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `POST /containers/create` (Docker Engine API 1.41), joining the first network only.

    `info` is what the daemon says of itself. The command runs as the user who runs Understudy, so that the files it
    writes are that user's; with a rootless daemon that is root inside. It may have half of the daemon's memory, so
    that one which takes more is killed, and not the services beside it. An init process passes SIGTERM on, which a
    command that is process 1 and has no handler would never see.
    """
    options = {option.partition("=")[2].partition(",")[0] for option in info.get("SecurityOptions") or ()}
    memory = int(info.get("MemTotal") or 0) // 2
    made: dict[str, Any] = {
        "Image": box.image,
        "Labels": dict(box.labels),
        "Env": [f"{key}={value}" for key, value in sorted(box.environment.items())],
        "Entrypoint": [box.command[0]],
        "Cmd": list(box.command[1:]),
        "User": "0:0" if "rootless" in options else f"{os.getuid()}:{os.getgid()}",
        "WorkingDir": box.working_dir,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "Init": True,
            "NetworkMode": box.networks[0] if box.networks else "none",
            "Memory": memory,
            "MemorySwap": memory,
            "PidsLimit": box.pids,
            "CpuShares": _SHARES,
            "CapDrop": ["ALL"],
            "LogConfig": {"Type": "none", "Config": {}},  # the output goes to the suite's own log, byte by byte
            "SecurityOpt": ["no-new-privileges", *(["label=disable"] if "selinux" in options else [])],
            "Mounts": [*_binds(box), *_volumes(box)],
        },
    }
    if "userns" in options:  # another user's files otherwise, which neither side could write
        made["HostConfig"]["UsernsMode"] = "host"
    if box.networks:
        made["NetworkingConfig"] = {"EndpointsConfig": {box.networks[0]: {}}}
    return made


def _binds(box: Box) -> list[dict[str, Any]]:
    return [
        {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": not writable}
        for source, (target, writable) in box.binds.items()
    ]


def _volumes(box: Box) -> list[dict[str, Any]]:
    return [
        {"Type": "volume", "Source": name, "Target": target, "ReadOnly": True} for name, target in box.volumes.items()
    ]


def networks_of(client: DockerClient, whose: Whose, logical: Sequence[str]) -> tuple[str, ...]:
    """The ids of those of an environment's networks that production has, by their names there.

    Raises:
        ToolError: the listing failed, or one is not there.
    """
    found = {item.labels.get(LABEL + "service", ""): item.id for item in list_all(client, whose, ("network",))}
    missing = [name for name in logical if name not in found]
    if missing:
        raise ToolError(
            f"Looked for the networks of environment {whose.environment}, and {', '.join(missing)} is not there."
        )
    return tuple(found[name] for name in logical)


def trust_volume(client: DockerClient, whose: Whose) -> str | None:
    """The volume with the certificates of the environment's authority; None where it has none.

    Raises:
        ToolError: the listing failed, or there are several.
    """
    found = [
        item.name
        for item in list_all(client, whose, ("volume",))
        if item.labels.get(LABEL + "service", "").startswith(_TRUST)
    ]
    if len(found) > 1:
        raise ToolError(
            f"Looked for the certificates of environment {whose.environment}, and found {', '.join(found)}."
        )
    return found[0] if found else None


def image_of(client: DockerClient, whose: Whose, service: str) -> str | None:
    """The id of the image that a service of the environment runs; None where it has no container yet.

    Raises:
        ToolError: the daemon does not say.
    """
    from docker.errors import DockerException

    for item in list_all(client, whose, ("container",)):
        if item.labels.get(LABEL + "service") == service and not is_suite(item.labels):
            try:
                return str(client.api.inspect_container(item.id)["Image"])
            except (DockerException, OSError) as error:
                raise ToolError(f"Asked for the image of container {item.name}, and it failed: {error}.") from error
    return None
