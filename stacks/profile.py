"""A profile: how a clone is made smaller than production, and which services it does without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = ["DEFAULT", "LEAST_MEMORY", "Profile", "ServiceProfile"]

LEAST_MEMORY = 6 * 1024 * 1024
"""Bytes: Docker Engine starts no container with a limit below 6 MiB (docs.docker.com, Resource constraints)."""


def _hold(replicas: int | None, cpus: float | None, memory: int | None) -> None:
    if replicas is not None and replicas < 1:
        raise ValueError(f"replicas are a whole number from 1, not {replicas!r}")
    if cpus is not None and not 0 < cpus < float("inf"):
        raise ValueError(f"cpus are a number above 0, not {cpus!r}")
    if memory is not None and memory < LEAST_MEMORY:
        raise ValueError(f"memory is at least 6 MiB, with less Docker starts no container; not {memory} bytes")


@dataclass(frozen=True, slots=True)
class ServiceProfile:
    """What one service has in the clone, whatever production and the rest of the profile say; None: not said here.

    `cpus` are processors, `memory` is in bytes, both of each container.

    Raises:
        ValueError: a value is not allowed; the message says what is.
    """

    replicas: int | None = None
    cpus: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        """Hold the limits."""
        _hold(self.replicas, self.cpus, self.memory)


@dataclass(frozen=True, slots=True)
class Profile:
    """The most that any service has in the clone: containers, and of each container processors and bytes of memory.

    None: as in production. `without` names services that the clone does not have, `services` what single ones have.
    `network` open lets services out. `name` is for messages.

    Raises:
        ValueError: a value is not allowed, or a service is left out and described; the message says what is allowed.
    """

    name: str = "default"
    replicas: int | None = None
    network: Literal["closed", "open"] = "closed"
    cpus: float | None = None
    memory: int | None = None
    without: tuple[str, ...] = ()
    services: Mapping[str, ServiceProfile] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Hold the limits, and that no service is in both lists."""
        _hold(self.replicas, self.cpus, self.memory)
        if self.network not in {"closed", "open"}:
            raise ValueError(f"network is closed or open, not {self.network!r}")
        if both := sorted(set(self.without) & set(self.services)):
            raise ValueError(f"{both[0]!r} is left out by 'without', and stands under 'services' as well")


DEFAULT = Profile(replicas=1)
"""What `default` means where the document does not say: one container of each service, closed networks."""
