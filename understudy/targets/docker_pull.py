"""Images that suites run in: found on the daemon, or pulled before anything is made for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from understudy.errors import InterruptedRunError, ProvisionError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["obtain"]


def obtain(client: DockerClient, reference: str, stop: threading.Event) -> None:
    """Hold that the daemon has an image; pull it where it has not.

    Raises:
        ProvisionError: it is not there, and cannot be pulled.
        InterruptedRunError: `stop` was set.
    """
    from docker.errors import DockerException, ImageNotFound
    from docker.utils import parse_repository_tag

    tried = f"Image {reference} is not on this daemon, and pulling it"
    hint = "Check the name, build or load the image first, or log in with `docker login`."
    failure = ""
    try:
        client.images.get(reference)
    except ImageNotFound:
        pass
    except (DockerException, OSError) as error:
        raise ProvisionError(f"Asked the Docker daemon for the image {reference}, and it failed: {error}.") from error
    else:
        return
    repository, tag = parse_repository_tag(reference)
    try:
        for line in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if stop.is_set():
                raise InterruptedRunError(f"Interrupted while the image {reference} was being pulled.")
            failure = line.get("error") or failure
    except (DockerException, OSError) as error:
        raise ProvisionError(f"{tried} failed: {error}.", hint=hint) from error
    if failure:
        raise ProvisionError(f"{tried} failed: {failure}.", hint=hint)
