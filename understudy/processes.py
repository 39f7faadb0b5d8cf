"""What the kernel says of a process, by its pid in this PID namespace."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["exists", "read", "runs", "stat", "ticks"]


def exists(pid: int) -> bool:
    """Whether there is such a process, also one that /proc does not show (mounted with hidepid, proc(5))."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def runs(pid: int) -> bool:
    """Whether there is such a process that has not ended (state Z, X)."""
    return exists(pid) and stat(pid)[:1] not in (["Z"], ["X"])


def ticks(pid: int) -> int | None:
    """When it started, in clock ticks since boot; None when that cannot be read, 0 when it has ended (state Z, X)."""
    fields = stat(pid)
    if not fields:
        return None
    return 0 if fields[0] in "ZX" else int(fields[19])


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, so that field 22, its start, is number 19; empty: not there."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def read(path: str) -> str:
    """A file of /proc as text; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
