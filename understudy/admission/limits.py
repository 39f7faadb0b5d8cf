"""Limits: what a target must have left before anything is created on it, and what it lacks, in words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from understudy.targets.docker_capacity import Capacity

__all__ = ["Limits", "amount", "doubts", "no_memory", "no_place", "no_subnets"]

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """The most environments at once, the least free memory and disk in bytes; 0: no limit."""

    environments: int = 0
    memory: int = 0
    disk: int = 0


def amount(size: int) -> str:
    """Bytes for a person.

    >>> amount(1536 * 1024 * 1024), amount(12)
    ('1.5 GiB', '12 bytes')
    """
    number, unit = float(size), 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} bytes"


def no_place(limits: Limits, others: Collection[str]) -> Iterator[str]:
    """What is wrong where so many other environments are there or before this one."""
    if limits.environments and len(others) >= limits.environments:
        named = ", ".join(sorted(others)[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
        yield f"--max-environments allows {limits.environments}, and {len(others)} are there or came before: {named}"


def no_memory(limits: Limits, found: Capacity) -> Iterator[str]:
    """What memory and disk the daemon's machine lacks, by what can be known of it."""
    unclaimed = max(0, found.memory - found.claimed)
    if limits.memory and found.memory and unclaimed < limits.memory:
        yield (
            f"--min-free-memory asks for {amount(limits.memory)}, and of {amount(found.memory)} the limits of running "
            f"containers leave {amount(unclaimed)}"
        )
    elif limits.memory and found.available is not None and found.available < limits.memory:
        yield f"--min-free-memory asks for {amount(limits.memory)}, and {amount(found.available)} are free"
    if limits.disk and found.disk is not None and found.disk < limits.disk:
        yield f"--min-free-disk asks for {amount(limits.disk)}, and {amount(found.disk)} are free in {found.root}"


def doubts(limits: Limits, found: Capacity) -> Iterator[str]:
    """What of the limits cannot be held here, because nobody can know."""
    if limits.memory and not found.memory:
        yield "--min-free-memory is not held: the Docker daemon does not say how much memory it has"
    elif limits.memory and found.available is None and found.unlimited:
        yield (
            f"--min-free-memory is held by limits only: the Docker daemon is on another machine, and what "
            f"{found.unlimited} running containers without a limit use cannot be known here"
        )
    if limits.disk and found.disk is None:
        yield "--min-free-disk is not held: the Docker daemon's disk is on another machine and cannot be looked at here"


def no_subnets(pool: str, networks: int, missing: int) -> Iterator[str]:
    """What is wrong where so many of the networks find no subnet."""
    if missing:
        yield (
            f"the pool of subnets {pool} has none free for {missing} of the {networks} networks (another pool: "
            "UNDERSTUDY_SUBNET_POOL)"
        )
