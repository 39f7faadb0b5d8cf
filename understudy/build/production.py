"""Production's own images: which of them can be had here, so that the others are built after all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from understudy.errors import ToolError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["unobtainable"]


def unobtainable(client: DockerClient, images: Iterable[str], *, pull: bool = True) -> dict[str, str]:
    """Image -> why it is neither on the daemon nor to be pulled. What can be pulled is on the daemon afterwards.

    Without `pull` nothing is fetched: an image whose name allows it counts as one that can be had.

    A reference without a `/`, such as `myapp:1`, is not pulled: a registry would take it for one of its public
    images, and a stranger's would run in the place of what production built.

    Raises:
        ToolError: the daemon does not answer.
    """
    from docker.errors import DockerException, ImageNotFound

    reasons: dict[str, str] = {}
    for image in dict.fromkeys(images):
        try:
            client.images.get(image)
        except ImageNotFound:
            if "/" not in image:
                reasons[image] = "it is not on the daemon, and its name has no registry or organisation to pull it from"
                continue
            if not pull:
                continue
            try:
                client.images.pull(image)
            except (DockerException, OSError) as error:
                reasons[image] = str(error)
        except (DockerException, OSError) as error:
            raise ToolError(f"Asked the Docker daemon for the image {image}, and it failed: {error}.") from error
    return reasons
