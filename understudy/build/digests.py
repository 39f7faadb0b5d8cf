"""Digests: what an image's tag names on the daemon, or in its registry, at this moment. Nothing is pulled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from understudy.errors import ToolError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["digests_of", "present"]


def present(client: DockerClient, references: Iterable[str]) -> Mapping[str, str]:
    """Reference -> what names the same image for good, for those that the daemon has.

    That is `repository@sha256:...` where the daemon has it from a registry, else the image's id (`sha256:...`), which
    an image made here has alone.

    Raises:
        ToolError: the daemon does not answer.
    """
    from docker.errors import DockerException, ImageNotFound

    found: dict[str, str] = {}
    for reference in dict.fromkeys(references):
        try:
            image = client.images.get(reference)
        except ImageNotFound:
            continue
        except (DockerException, OSError) as error:
            raise ToolError(f"Asked the Docker daemon for the image {reference}, and it failed: {error}.") from error
        own = [
            digest for digest in image.attrs.get("RepoDigests") or () if _repository(digest) == _repository(reference)
        ]
        found[reference] = own[0] if own else str(image.id)
    return found


def digests_of(client: DockerClient, references: Iterable[str]) -> Mapping[str, str]:
    """As `present`, and of the others the digest that their registry says; what nobody knows is left out.

    Raises:
        ToolError: the daemon does not answer.
    """
    from docker.errors import DockerException

    wanted = tuple(dict.fromkeys(references))
    found = dict(present(client, wanted))
    for reference in wanted:
        if reference in found or "@" in reference:
            continue
        try:
            found[reference] = f"{_repository(reference)}@{client.images.get_registry_data(reference).id}"
        except (DockerException, OSError, KeyError):
            continue  # it cannot be had now; the provider says why when it pulls
    return found


def _repository(reference: str) -> str:
    """The reference without tag and digest, in the form in which Docker shows it."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    return name.removeprefix("docker.io/").removeprefix("library/")
