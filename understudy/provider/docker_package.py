"""The Docker package: the `docker` resources that the components use, each with its ownership labels."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from .check import check, chosen_name
from .container import Containers
from .diff import Difference, diff
from .image import Images
from .instance import Instance
from .network import Networks
from .package import Kind
from .room import Call, Room
from .schema import Table
from .shape import Failure
from .volume import Volumes

__all__ = ["VERSION", "DockerPackage"]

VERSION = "5.2.0"
"""The version of pulumi_docker whose schema this is."""

_ENGINE_CONFIG = frozenset({"version", "pluginDownloadURL", "__internal"})


class DockerPackage:
    """See Package."""

    title = "The embedded Docker provider"
    otherwise = "Use the published provider (--docker-provider official) for others."
    version = VERSION

    def __init__(self, room: Room) -> None:
        self._room = room
        self.kinds: tuple[Kind[Call], ...] = (Networks(), Volumes(), Containers(), Images())

    def check_config(self, config: Mapping[str, Any]) -> tuple[Failure, ...]:
        """The daemon is that of the process: a host that differs, and all else that we would not heed, is refused."""
        ours = {"host": os.environ.get("DOCKER_HOST")}
        return tuple(
            Failure(
                key,
                "the embedded Docker provider takes no such configuration; the daemon is named by DOCKER_HOST or the "
                "docker context, registry logins come from `docker login`",
            )
            for key, value in config.items()
            if key not in _ENGINE_CONFIG and not (key in ours and value == ours[key])
        )

    def configure(self, _instance: Instance, _config: Mapping[str, Any]) -> None:
        """There is nothing to configure."""

    def check(
        self, table: Table, logical: str, seed: bytes, inputs: dict[str, Any], olds: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[Failure, ...]]:
        """See Package.check: a name is chosen once, and kept."""
        if table.named and not inputs.get("name"):
            inputs["name"] = olds.get("name") or chosen_name(logical, seed)
        return inputs, check(table, inputs)

    def diff(
        self,
        _instance: Instance,
        table: Table,
        old: Mapping[str, Any],
        _state: Mapping[str, Any],
        new: Mapping[str, Any],
    ) -> tuple[tuple[Difference, ...], bool]:
        """See Package.diff: everything here has a name of its own, so a successor waits for its predecessor's end."""
        return diff(table, old, new), True

    def call(
        self, instance: Instance, urn: str, stop: threading.Event, timeout: float, abandoned: Callable[[], bool]
    ) -> Call:
        """See Package.call."""
        return Call(self._room, instance, urn, stop, timeout, abandoned)
