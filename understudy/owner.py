"""Owners: which process holds a lease, told apart from every other process of every machine."""

from __future__ import annotations

import functools
import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from understudy.processes import exists, read, ticks

__all__ = ["Owner", "this_process"]


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a lease.

    `boot_id` is the kernel's boot id and the PID namespace, both of which a pid belongs to (`""`: the system has no
    /proc). `started` is the process's start time in clock ticks since boot.
    """

    host: str
    boot_id: str
    pid: int
    started: int
    user: str
    ci_url: str = ""

    def alive(self) -> bool | None:
        """Whether that very process runs still; None on another host, boot or namespace, where nobody can know."""
        if not self.boot_id or (self.host, self.boot_id) != (socket.gethostname(), _boot_id()):
            return None
        started = ticks(self.pid)
        return None if started is None and exists(self.pid) else started == self.started

    def is_this_process(self) -> bool:
        """Whether the running process is the one meant."""
        if self.pid != os.getpid():
            return False
        here = this_process()
        return (self.host, self.boot_id, self.pid, self.started) == (here.host, here.boot_id, here.pid, here.started)


def this_process(ci_url: str = "") -> Owner:
    """The owner record of the running process."""
    return Owner(
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid=os.getpid(),
        started=ticks(os.getpid()) or 0,
        user=_user(),
        ci_url=ci_url,
    )


def _user() -> str:
    """The user's name; its number where a container gave it none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@functools.cache
def _boot_id() -> str:
    boot = read("/proc/sys/kernel/random/boot_id").strip()
    try:
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}" if boot else ""
    except OSError:
        return boot
