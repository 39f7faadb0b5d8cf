"""One suite's processes: a session and a mark of their own, output into a file, an end after which none is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["GRACE", "MARK", "PATIENCE", "SuiteProcess"]

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL: with it, all are gone 2 s after a failure at the latest."""

PATIENCE = 10.0
"""Seconds after SIGKILL when waiting ends: only a process that hangs in the kernel is left then."""

MARK = "UNDERSTUDY_RESULTS"
"""The variable whose value no other suite's processes have: whoever inherited it belongs to the suite."""

_GONE = frozenset("ZX")
"""The states of proc(5) in which a process runs no more."""


class SuiteProcess:
    """The command of a suite and everything that it starts, daemonised or not: its session, and who has its mark.

    A process that leaves the session and clears its environment is not known as the suite's any more.
    """

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        """Start it.

        Raises:
            OSError: the log cannot be created, or the command not be started.
        """
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            self._popen = subprocess.Popen(
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._mark = f"{MARK}={environment[MARK]}".encode() if environment.get(MARK) else b""
        self.started = time.time()
        self._kill_at: float | None = None

    @property
    def pid(self) -> int:
        """The process, group and session id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._kill_at is not None

    def stop(self) -> None:
        """Send SIGTERM to all; `gone` sends SIGKILL after `GRACE` seconds. A second call changes nothing."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + GRACE
            self._signal(signal.SIGTERM)

    def gone(self) -> bool:
        """Whether no process of the suite runs any more; past the grace it also sends SIGKILL to those that do."""
        if self.exit_code is not None and not _members(self.pid) and not self._strays():
            return True
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._signal(signal.SIGKILL)
        return False

    def survivors(self) -> tuple[int, ...]:
        """The processes that SIGKILL did not end within `PATIENCE`; empty before that."""
        if self._kill_at is None or time.monotonic() < self._kill_at + PATIENCE:
            return ()
        return tuple(sorted({*_members(self.pid), *self._strays()}))

    def _strays(self) -> set[int]:
        """The processes that left the session (setsid(2)) and still have the mark; never this process itself."""
        return _marked(self._mark) - _members(self.pid).keys() - {os.getpid()} if self._mark else set()

    def _signal(self, number: signal.Signals) -> None:
        """To the group, to members of the session that made a group of their own, and to each stray alone.

        A group or session id is not given to a new process while a member lives (setsid(2)), so after the
        command's end only groups that `_members` saw are addressed.
        """
        groups = set(_members(self.pid).values())
        if self.exit_code is None:
            groups.add(self.pid)
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        for stray in self._strays():  # its group and session may hold processes that are none of the suite's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray, number)


def _marked(mark: bytes) -> set[int]:
    """The processes of this user that were started with a variable, from proc(5)."""
    found: set[int] = set()
    with contextlib.suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):  # it is gone, or another user's
                if entry.stat().st_uid == os.getuid() and mark in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return found


def _members(session: int) -> dict[int, int]:
    """Process id -> group id of all that run in a session, from proc(5); empty where there is no /proc."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            if not entry.name.isdigit():
                continue
            try:
                text = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            state, _parent, group, of = text.rpartition(")")[2].split()[:4]
            if int(of) == session and state not in _GONE:
                found[int(entry.name)] = int(group)
    return found
