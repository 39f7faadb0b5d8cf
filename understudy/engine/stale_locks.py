"""A stack's Pulumi locks: who holds one, and whether that owner is provably gone."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from understudy.processes import read, runs, stat

__all__ = ["Lock", "Processes", "why_gone"]

DOUBT = timedelta(seconds=5)
"""How far two clocks of one machine may be apart: boot time is known to the second, and NTP moves the wall clock."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock as Pulumi 3.200 writes it (pkg/backend/diy/lock.go): pid, user, host and moment, and nothing more.

    `since` is RFC 3339. `path` is its file's path or its object's address; `""` where only the CLI's words are known.
    `pid` 0: it names nobody; `written` is when it was written then, as its place says.
    """

    user: str
    host: str
    pid: int
    since: str
    path: str = ""
    written: datetime | None = None

    @classmethod
    def read(cls, path: Path) -> Lock | None:
        """The lock in a file; None: it is gone."""
        try:
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            return cls("", "", 0, "", str(path))
        return cls.parse(text, str(path), written)

    @classmethod
    def parse(cls, text: bytes, path: str, written: datetime) -> Lock:
        """The lock that a text is. One that is none is a lock of nobody: `user` and `host` are `""`.

        A CLI that was killed while it wrote leaves such a text, and the engine takes it for a lock like any other.
        """
        try:
            said = json.loads(text.decode(errors="replace"))
            user, since = str(said.get("username", "")), str(said.get("timestamp", ""))
            return cls(user, str(said["hostname"]), int(said["pid"]), since, path)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls("", "", 0, "", path, written)

    def meant_by(self, said: Lock | None) -> bool:
        """Whether it is the lock that was said: by where it lies, else by its process; None: any lock is."""
        if said is None:
            return True
        return self.path == said.path if said.path else (self.host, self.pid) == (said.host, said.pid)

    def __str__(self) -> str:
        if not self.pid:
            return f"a lock that cannot be read, {self.path}"
        return f"process {self.pid} of {self.user} on {self.host} since {self.since}"

    @property
    def made(self) -> datetime | None:
        """When it was made; None where that cannot be read."""
        try:
            moment = datetime.fromisoformat(self.since)
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Processes:
    """What this machine says of its processes; replaced in tests.

    `there` asks the kernel, so that a /proc mounted with hidepid hides nothing. `began` is when a process started,
    None where it cannot be known. `name` is that of its executable.
    """

    host: str
    booted: datetime | None
    there: Callable[[int], bool]
    began: Callable[[int], datetime | None]
    name: Callable[[int], str]

    @classmethod
    def here(cls) -> Processes:
        """Those of this machine, as this PID namespace shows them."""
        booted = _booted()
        return cls(socket.gethostname(), booted, runs, lambda pid: _began(pid, booted), _name)


def why_gone(lock: Lock, here: Processes, *, same_place: bool = True) -> str:
    """Why the process that made the lock is certainly gone; `""`: it may be there.

    A lock says a host's name and a pid, and both mean something only in one boot and one PID namespace.

    Args:
        lock: it.
        here: the processes of this machine.
        same_place: False: what is known of the environment says that a host of this name may be another machine,
            boot or container; nothing is proven then.
    """
    if not same_place or lock.host != here.host or not lock.pid:
        return ""
    if not here.there(lock.pid):
        return f"there is no process {lock.pid} any more"
    if "pulumi" in here.name(lock.pid):  # whatever the clocks say, it may be the one
        return ""
    if lock.made is not None and here.booted is not None and lock.made + DOUBT < here.booted:
        return f"this machine has started anew since, at {here.booted:%Y-%m-%dT%H:%M:%SZ}"
    began = here.began(lock.pid)
    if lock.made is not None and began is not None and lock.made + DOUBT < began:
        return f"process {lock.pid} is another one now, started at {began:%Y-%m-%dT%H:%M:%SZ}"
    return ""


def _booted() -> datetime | None:
    """When the kernel started (btime of proc(5)); None where the system has no /proc."""
    for line in read("/proc/stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "btime" and value.strip().isdigit():
            return datetime.fromtimestamp(int(value), UTC)
    return None


def _began(pid: int, booted: datetime | None) -> datetime | None:
    """When a process started: field 22 of /proc/PID/stat (proc(5)), clock ticks since boot."""
    fields = stat(pid)
    if booted is None or len(fields) < 20:  # noqa: PLR2004 - field 22, counted from the third
        return None
    return booted + timedelta(seconds=int(fields[19]) / os.sysconf("SC_CLK_TCK"))


def _name(pid: int) -> str:
    return read(f"/proc/{pid}/comm").strip()
