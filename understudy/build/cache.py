"""Built images as a cache: which are there, which were used last, one builder for each key, and pruning by a budget."""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.errors import InterruptedRunError, ToolError, UnderstudyError
from understudy.stacks.identity import CACHE_LABEL, LABEL

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["KEY_LABEL", "PREFIX", "ImageCache", "Pruned"]

KEY_LABEL = LABEL + "key"
"""The label that carries a built image's key."""

PREFIX = "understudy/"
"""The repository prefix of every tag that a build makes."""

_KEY = re.compile(r"[0-9a-f]{16}")

RECENT = 3600.0
"""Seconds after its last use in which an image is never pruned: another process may be about to run it."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning removed (tags, or ids without one), the bytes it was counted with, and what failed, and why."""

    removed: tuple[str, ...]
    freed: int
    failed: tuple[tuple[str, str], ...] = ()


class ImageCache:
    """The images with our cache label on one daemon.

    For each key there is an empty file in the state folder: locked while the image is built, its modification time
    is the image's last use.
    """

    def __init__(self, client: DockerClient, state: Path) -> None:
        self._client = client
        self._folder = state / "images"

    def find(self, tag: str, key: str) -> str | None:
        """The id of the image of this key, tagged with `tag`; one of another service with the same key gets the tag.

        Raises:
            ToolError: the daemon does not answer.
        """
        from docker.errors import DockerException

        try:
            filters = {"label": [f"{KEY_LABEL}={key}", f"{CACHE_LABEL}=image"]}
            found = self._client.api.images(filters=filters)
            for image in found:
                if tag in _tags(image):
                    return str(image["Id"])
            for image in found:
                if not any(name.startswith(PREFIX) and name.endswith(f":{key}") for name in _tags(image)):
                    continue  # labels are inherited: an image that somebody based on ours carries our key
                repository, _, version = tag.rpartition(":")
                self._client.api.tag(image["Id"], repository, version)
                return str(image["Id"])
        except (DockerException, OSError) as error:
            raise ToolError(f"Looked for image {tag} at the Docker daemon, and it failed: {error}.") from error
        return None

    @contextmanager
    def building(self, key: str, stop: threading.Event) -> Iterator[None]:
        """Hold the right to build the image of a key, against every other process with this state folder.

        Raises:
            InterruptedRunError: `stop` was set while another process was building.
            UnderstudyError: the state folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._folder / key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UnderstudyError(f"Opened a lock in {self._folder}, and it failed: {error}.") from error
        try:
            while not _try_lock(handle):
                if stop.wait(0.1):
                    raise InterruptedRunError(f"Ended while another process was building the image of key {key}.")
            yield
        finally:
            os.close(handle)

    def touch(self, key: str) -> None:
        """Note that the image of a key is used now."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / key).touch(mode=0o600)

    def _last_use(self, image: dict[str, Any]) -> float:
        """The later of the noted use and, where none is noted, the image's creation."""
        try:
            return (self._folder / str(image["Labels"][KEY_LABEL])).stat().st_mtime
        except OSError:
            return float(image["Created"])

    def prune(self, budget: int, *, recent: float = RECENT, pretend: bool = False) -> Pruned:
        """Remove built images, least recently used first, until all of them together are within a budget.

        Never removed: an image that a container (running or not) was made from, one used within the last `recent`
        seconds, one that somebody tagged with a name of their own, one without both of our labels. The name by which it
        was pushed to a registry, which ends with its key, is ours.

        Args:
            budget: bytes. Layers that images share are counted with each of them, so that less than this is on disk.
            recent: seconds.
            pretend: say what would be removed, and remove nothing.

        Raises:
            ToolError: the daemon does not answer.
        """
        from docker.errors import DockerException

        try:
            images = self._client.api.images(filters={"label": [KEY_LABEL, f"{CACHE_LABEL}=image"]})
            used = {container["ImageID"] for container in self._client.api.containers(all=True)}
        except (DockerException, OSError) as error:
            raise ToolError(f"Listed images and containers to prune the cache, and it failed: {error}.") from error
        total = sum(int(image["Size"]) for image in images)
        removed: list[str] = []
        failed: list[tuple[str, str]] = []
        freed = 0
        for image in sorted(images, key=self._last_use):
            if total - freed <= budget:
                break
            if image["Id"] in used or not _ours(image) or time.time() - self._last_use(image) < recent:
                continue
            try:
                for name in _tags(image) or (image["Id"],):
                    if not pretend:
                        self._client.api.remove_image(name)
                    removed.append(name)
            except (DockerException, OSError) as error:
                failed.append((str(image["Id"]), str(error)))
                continue
            if not pretend:
                (self._folder / image["Labels"][KEY_LABEL]).unlink(missing_ok=True)
            freed += int(image["Size"])
        return Pruned(tuple(removed), freed, tuple(failed))


def _tags(image: dict[str, Any]) -> tuple[str, ...]:
    return tuple(tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>")


def _ours(image: dict[str, Any]) -> bool:
    key = image["Labels"][KEY_LABEL]
    return bool(_KEY.fullmatch(key)) and all(tag.startswith(PREFIX) or tag.endswith(f":{key}") for tag in _tags(image))


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
