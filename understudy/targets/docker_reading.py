"""What a Docker host says of what runs on it, read only: every request is a GET."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.errors import ToolError
from understudy.stacks.sources.docker_host import COMPOSE, HostData
from understudy.targets.docker_client import daemon_host

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["read_host"]


def read_host(client: DockerClient, *, project: str = "", label: str = "") -> HostData:
    """The containers, ended ones too, with their images, networks and volumes.

    Args:
        client: of the daemon.
        project: only those of this Compose project.
        label: only those with this label, `KEY` or `KEY=VALUE`.

    Raises:
        ToolError: the daemon does not say.
    """
    from docker.errors import DockerException

    wanted = [text for text in (f"{COMPOSE}project={project}" if project else "", label) if text]
    try:
        listed = client.api.containers(all=True, filters={"label": wanted} if wanted else {})
        found = [_inspected(client, row["Id"]) for row in sorted(listed, key=lambda row: str(row["Id"]))]
        containers = tuple(container for container in found if container)
        images = {str(container["Image"]): str(container["Image"]) for container in containers}
        networks = {str(row["Name"]): row for row in client.api.networks()}
        volumes = {str(row["Name"]): row for row in client.api.volumes()["Volumes"] or ()}
        return HostData(
            containers,
            {name: _image(client, name) for name in images},
            _used(networks, {name for c in containers for name in c["NetworkSettings"]["Networks"] or {}}),
            _used(volumes, {str(m["Name"]) for c in containers for m in c["Mounts"] if m["Type"] == "volume"}),
            client.api.info(),
            daemon_host(),
        )
    except (DockerException, OSError) as error:
        raise ToolError(f"Read what runs on the Docker host, and it failed: {error}.") from error


def _used(things: Mapping[str, Mapping[str, Any]], names: set[str]) -> dict[str, Mapping[str, Any]]:
    return {name: thing for name, thing in things.items() if name in names}


def _inspected(client: DockerClient, container: str) -> Mapping[str, Any] | None:
    """The container as it is; None: it went away since it was listed."""
    from docker.errors import NotFound

    try:
        found: Mapping[str, Any] = client.api.inspect_container(container)
    except NotFound:
        return None
    return found


def _image(client: DockerClient, image: str) -> Mapping[str, Any]:
    """The image; one that was removed by force says nothing but its id."""
    from docker.errors import NotFound

    try:
        found: Mapping[str, Any] = client.api.inspect_image(image)  # type: ignore[no-untyped-call]  # docker-py's decorator has no types
    except NotFound:
        return {"Id": image}
    return found
