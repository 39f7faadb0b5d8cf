"""What a Docker daemon has left, memory and disk, and what of that nobody here can know."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.errors import ToolError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Capacity", "capacity"]

_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is left on a daemon's machine, in bytes.

    `memory` is what the machine has (0: the daemon does not say), `claimed` the sum of the limits of all running
    containers, `unlimited` how many of them have none. `available` is what the kernel of this machine says is free,
    `disk` what is free where the daemon's data lie; None: the daemon is not on this machine, so nobody here can know.
    """

    memory: int
    claimed: int
    unlimited: int
    available: int | None
    disk: int | None
    root: str


def capacity(client: DockerClient) -> Capacity:
    """Ask a daemon, and this machine where the daemon is on it.

    Raises:
        ToolError: it does not answer.
    """
    from docker.errors import DockerException, NotFound

    claimed = unlimited = 0
    try:
        facts = client.info()
        for row in client.api.containers():
            try:
                limit = int(client.api.inspect_container(row["Id"])["HostConfig"].get("Memory") or 0)
            except NotFound:
                continue
            claimed += limit
            unlimited += not limit
    except (DockerException, OSError) as error:
        raise ToolError(f"Asked Docker what memory its containers claim, and it failed: {error}.") from error
    total, root = int(facts.get("MemTotal") or 0), str(facts.get("DockerRootDir") or "")
    here = _meminfo()
    same = facts.get("KernelVersion") == platform.release() and here.get("MemTotal") == total
    local = same and facts.get("Name") == socket.gethostname()
    return Capacity(
        memory=total,
        claimed=claimed,
        unlimited=unlimited,
        available=here.get("MemAvailable") if same else None,
        disk=_free(root) if local else None,
        root=root,
    )


def _meminfo() -> Mapping[str, int]:
    """Line -> bytes of /proc/meminfo (proc(5)); empty where there is none."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(amount) * 1024 for name, amount, _ in fields}


def _free(folder: str) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
