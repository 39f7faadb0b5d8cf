"""Whose processes are a suite's where no supervisor can say: those of its session, and those that have its mark."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

__all__ = ["Kin"]

_GONE = frozenset("ZX")
"""The states of proc(5) in which a process runs no more."""


class Kin:
    """The processes of one session, and those that were started with `mark`, a variable as `NAME=value`.

    A process that leaves the session and clears its environment is not known as the suite's any more.
    """

    def __init__(self, session: int, mark: str) -> None:
        self._session = session
        self._mark = mark.encode()

    def alive(self) -> set[int]:
        """The ids of all that run; never this process itself. Empty where there is no /proc."""
        return {*_members(self._session), *self._strays()}

    def signal(self, number: signal.Signals, *, leader: bool) -> None:
        """To the groups of the session's members, and to each stray alone. `leader`: the first process runs still.

        A group or session id is not given to a new process while a member lives (setsid(2)), so after the leader's
        end only groups that were just seen are addressed.
        """
        groups = set(_members(self._session).values())
        if leader:
            groups.add(self._session)
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        for stray in self._strays():  # its group and session may hold processes that are none of the suite's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray, number)

    def _strays(self) -> set[int]:
        """The processes that left the session (setsid(2)) and still have the mark."""
        return _marked(self._mark) - _members(self._session).keys() - {os.getpid()} if self._mark else set()


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
