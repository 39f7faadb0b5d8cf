"""Pushes a built image to a registry, over the daemon's API: a login's token is in no argument and in no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.build.images import BuiltImage
from understudy.errors import ProvisionError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["push"]


def push(client: DockerClient, image: BuiltImage, repository: str, login: tuple[str, str]) -> str:
    """Push an image under its key; returns `<repository>@<digest>`.

    Args:
        client: of the daemon that has it.
        image: what was built.
        repository: where it goes, without a tag.
        login: user and token of the registry.

    Raises:
        ProvisionError: the registry or the daemon refused.
    """
    from docker.errors import DockerException

    tag = image.key
    user, token = login
    said = f"Pushed the image {image.tag} to {repository}:{tag}, and"
    digest = ""
    try:
        client.api.tag(image.reference, repository, tag)
        lines = list(
            client.api.push(
                repository, tag, stream=True, decode=True, auth_config={"username": user, "password": token}
            )
        )
    except (DockerException, OSError) as error:
        raise ProvisionError(f"{said} it failed: {error}.") from error
    for line in lines:
        if "error" in line:
            raise ProvisionError(f"{said} it failed: {line['error']}.")
        digest = (line.get("aux") or {}).get("Digest", digest)
    if not digest:
        raise ProvisionError(f"{said} the registry named no digest.")
    return f"{repository}@{digest}"
