"""Production's own images: which of them can be had here, so that the others are built after all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["unobtainable"]


def unobtainable(client: DockerClient, images: Iterable[str]) -> dict[str, str]:
    """Image -> why it is neither on the daemon nor to be pulled. What can be pulled is on the daemon afterwards."""
    from docker.errors import DockerException, ImageNotFound

    reasons: dict[str, str] = {}
    for image in dict.fromkeys(images):
        try:
            client.images.get(image)
        except ImageNotFound:
            try:
                client.images.pull(image)
            except (DockerException, OSError) as error:
                reasons[image] = str(error)
    return reasons
