"""What a container uses of a machine, by samples of Docker's own counters, summed up over all its starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.targets.interface import Usage

__all__ = ["Meter"]

_CACHE = ("inactive_file", "total_inactive_file")
"""Page cache that the kernel takes back when it needs it: control groups of version 2 and 1 (docker stats, CLI)."""


class Meter:
    """Takes the answers of `GET /containers/{id}/stats` about one container."""

    def __init__(self) -> None:
        self._cpu = 0.0
        self._before = 0.0
        self._sums = {"received": (0, 0), "sent": (0, 0)}
        self._peak = 0
        self._samples = 0

    def take(self, raw: Mapping[str, Any]) -> dict[str, object] | None:
        """One sample as JSON-ready data; None: the container does not run."""
        total = (raw.get("cpu_stats") or {}).get("cpu_usage", {}).get("total_usage") or 0
        memory = raw.get("memory_stats") or {}
        if not total or "usage" not in memory:
            return None
        if total < self._cpu:  # a new start counts from nothing
            self._before += self._cpu
        self._cpu = total
        counted = memory.get("stats") or {}
        used = memory["usage"] - next((counted[name] for name in _CACHE if name in counted), 0)
        self._peak = max(self._peak, memory.get("max_usage") or 0, used)
        self._samples += 1
        networks = (raw.get("networks") or {}).values()
        for name, key in (("received", "rx_bytes"), ("sent", "tx_bytes")):
            before, last = self._sums[name]
            now = sum(each.get(key, 0) for each in networks)
            self._sums[name] = (before + last, now) if now < last else (before, now)
        return {
            "cpu_seconds": (self._before + total) / 1e9,
            "memory": used,
            "received": sum(self._sums["received"]),
            "sent": sum(self._sums["sent"]),
            "processes": (raw.get("pids_stats") or {}).get("current"),
        }

    def usage(self, service: str, container: str, memory_limit: int | None) -> Usage:
        """All of it."""
        if not self._samples:
            return Usage(service, container, memory_limit=memory_limit)
        return Usage(
            service,
            container,
            cpu_seconds=(self._before + self._cpu) / 1e9,
            memory_peak=self._peak,
            memory_limit=memory_limit,
            received=sum(self._sums["received"]),
            sent=sum(self._sums["sent"]),
            samples=self._samples,
        )
