"""What a suite's processes are to the test stage, wherever they run; and those of a machine without subreapers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from understudy.suites.kin import Kin

__all__ = ["GRACE", "MARK", "PATIENCE", "PlainProcess", "SuiteProcess", "open_log"]

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL: with it, all are gone 2 s after a failure at the latest."""

PATIENCE = 10.0
"""Seconds after SIGKILL when waiting ends: only a process that hangs in the kernel is left then."""

MARK = "UNDERSTUDY_RESULTS"
"""The variable whose value no other suite's processes have: whoever inherited it belongs to the suite."""


class SuiteProcess(Protocol):
    """The command of a suite and everything that it starts. No method waits."""

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, negative for a signal; None while it runs."""

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""

    @property
    def idle(self) -> float:
        """Seconds in which it was not at work: before its command began and since it ended, where that takes long."""

    @property
    def problem(self) -> str:
        """Why it could not be started, where that is known only after its start; else empty."""

    @property
    def unknown(self) -> str:
        """Why it is not known what it came to, although it ran; else empty."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know of how it ended."""

    def stop(self) -> None:
        """Send SIGTERM to all; SIGKILL follows after `GRACE` seconds. A second call changes nothing."""

    def gone(self) -> bool:
        """Whether no process of the suite runs any more. To be asked again and again until it says so."""

    def survivors(self) -> tuple[int, ...]:
        """The processes that SIGKILL did not end within `PATIENCE`; empty before that."""


def open_log(log: Path) -> int:
    """The descriptor of a new file for a suite's output, for its owner alone.

    Raises:
        OSError: it is there, or cannot be created.
    """
    return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)


class PlainProcess:
    """A suite as a session of its own, and whoever has its mark: what can be had where there is no subreaper."""

    problem = unknown = ""
    idle = 0.0
    notices: tuple[str, ...] = ()

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        """Start it.

        Raises:
            OSError: the log cannot be created, or the command not be started.
        """
        with os.fdopen(open_log(log), "wb") as out:
            self._popen = subprocess.Popen(
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._kin = Kin(self._popen.pid, f"{MARK}={environment[MARK]}" if environment.get(MARK) else "")
        self._kill_at: float | None = None

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
            self._kin.signal(signal.SIGTERM, leader=self.exit_code is None)

    def gone(self) -> bool:
        """Whether no process of the suite runs any more; past the grace it also sends SIGKILL to those that do."""
        if self.exit_code is not None and not self._kin.alive():
            return True
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kin.signal(signal.SIGKILL, leader=self.exit_code is None)
        return False

    def survivors(self) -> tuple[int, ...]:
        """The processes that SIGKILL did not end within `PATIENCE`; empty before that."""
        if self._kill_at is None or time.monotonic() < self._kill_at + PATIENCE:
            return ()
        return tuple(sorted(self._kin.alive()))
