"""Digests: what an image's tag names on the daemon, or in its registry, at this moment. Nothing is pulled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from understudy.errors import ToolError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["digests_of", "present"]

_AT_ONCE = 16
"""Questions to registries that are under way side by side: each answer takes a part of a second."""


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

    A registry that the daemon does not reach is asked once.

    Raises:
        ToolError: the daemon does not answer.
    """
    wanted = tuple(dict.fromkeys(references))
    found = dict(present(client, wanted))
    unknown = [reference for reference in wanted if reference not in found and "@" not in reference]
    heads = {_registry(reference): reference for reference in reversed(unknown)}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(
            zip(heads, pool.map(lambda reference: _published(client, reference), heads.values()), strict=True)
        )
        others = [each for each in unknown if each not in heads.values() and answers[_registry(each)].reached]
        said = zip(others, pool.map(lambda reference: _published(client, reference), others), strict=True)
        both = {**{heads[name]: answer for name, answer in answers.items()}, **dict(said)}
    return found | {reference: answer.digest for reference, answer in both.items() if answer.digest}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a registry said of one reference; none where it cannot be had now: the provider says why when it pulls."""

    digest: str = ""
    reached: bool = True


def _published(client: DockerClient, reference: str) -> _Answer:
    from docker.errors import APIError, DockerException

    try:
        return _Answer(f"{_repository(reference)}@{client.images.get_registry_data(reference).id}")
    except APIError as error:
        return _Answer(reached=not error.is_server_error())  # so the daemon tells that it does not reach a registry
    except (DockerException, OSError, KeyError):
        return _Answer()


def _registry(reference: str) -> str:
    """The host that a reference names, as Docker tells one from an organisation; empty: Docker's own registry."""
    head, slash, _ = reference.partition("/")
    return head if slash and (set(head) & set(".:") or head == "localhost") else ""


def _repository(reference: str) -> str:
    """The reference without tag and digest, in the form in which Docker shows it."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    return name.removeprefix("docker.io/").removeprefix("library/")
