"""Sizes of Fargate tasks: the smallest pair of processor units and memory that a task's containers fit into."""

from __future__ import annotations

import math
from dataclasses import dataclass

from understudy.errors import UsageError

__all__ = ["PAIRS", "PROXY_MEMORY", "UNIT", "Size", "fitting"]

UNIT = 1024
"""Units of one processor, and MiB of one GiB."""

PROXY_MEMORY = 64
"""MiB that Service Connect's proxy needs beside the containers (ECS, Service Connect, task memory)."""


def _steps(first: int, last: int, step: int) -> tuple[int, ...]:
    return tuple(gib * UNIT for gib in range(first, last + 1, step))


PAIRS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (256, (512, UNIT, 2 * UNIT)),
    (512, _steps(1, 4, 1)),
    (1024, _steps(2, 8, 1)),
    (2048, _steps(4, 16, 1)),
    (4096, _steps(8, 30, 1)),
    (8192, _steps(16, 60, 4)),
    (16384, _steps(32, 120, 8)),
)
"""Processor units, and the MiB of memory that go with them (Amazon ECS Developer Guide, Fargate task size)."""


@dataclass(frozen=True, slots=True)
class Size:
    """Processor units and MiB of one task."""

    cpu: int
    memory: int

    @property
    def text(self) -> str:
        """The size in words."""
        return f"{self.cpu / UNIT:g} processors and {self.memory} MiB"


def fitting(cpus: float | None, memory: int | None, what: str, *, beside: int = PROXY_MEMORY) -> Size:
    """The size with the least memory, and then processors, in which `cpus` and `memory` bytes fit.

    Args:
        cpus: processors; None: not limited, so that the least are enough.
        memory: bytes; None: likewise.
        what: whose, for the message.
        beside: MiB that have to be there beside the containers.

    Raises:
        UsageError: Fargate has no task so large.
    """
    units = math.ceil(round((cpus or 0) * UNIT, 3))
    least = math.ceil((memory or 0) / UNIT**2) + (beside if memory else 0)
    found = [Size(cpu, mib) for cpu, sizes in PAIRS for mib in sizes if cpu >= units and mib >= least]
    if not found:
        raise UsageError(
            f"{what} asks for {units / UNIT:g} processors and {least} MiB, and Fargate's largest task has "
            f"{PAIRS[-1][0] / UNIT:g} and {PAIRS[-1][1][-1]}.",
            hint="Give it less in the profile: x-understudy, profiles.",
        )
    return min(found, key=lambda size: (size.cpu, size.memory))
