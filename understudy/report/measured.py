"""What was measured while a run lasted: how long each resource took to make, and what each container used."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.report.moments import Moment
from understudy.targets.interface import Usage

__all__ = ["ResourceRecord", "UsageRecord"]


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """One thing that was made for the environment, or waited for: when, for how long, and whether it went well.

    `kind` is `build` (an image), `container`, `network`, `volume` or another resource of the stack, or `wait`: the
    time until a service that was made was ready. `offset` is seconds from the run's start by the monotonic clock.
    """

    name: str
    kind: str
    started: Moment
    offset: float
    seconds: float
    ok: bool = True
    part: str = ""


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What one container used from its start to its end, by the samples in `usage.jsonl` (null: none was taken).

    A container that was started again is counted over all its starts. `memory_peak` is the kernel's own high-water
    mark where the daemon tells it (control groups of version 1), else the largest sample.
    """

    service: str
    container: str
    cpu_seconds: float | None
    memory_peak: int | None
    memory_limit: int | None
    received: int | None
    sent: int | None
    samples: int
    part: str = ""

    @classmethod
    def of(cls, usage: Usage) -> UsageRecord:
        """The record of what a target measured."""
        u = usage
        return cls(u.service, u.container, u.cpu_seconds, u.memory_peak, u.memory_limit, u.received, u.sent, u.samples)
