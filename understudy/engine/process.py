"""One CLI process: its own process group, output in files, exactly one SIGTERM, and after a deadline the end."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import ToolError
from understudy.groups import group

__all__ = ["GRACE", "Finished", "run"]

GRACE = 20.0
"""Seconds between the SIGTERM and the SIGKILL of the whole group: in-flight creates are waited for and recorded."""

_TICK = 0.05
"""Seconds after which a stop or a new event is noticed at the latest."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended.

    Attributes:
        code: Exit code; negative: the signal that ended it.
        stdout: All of it, as UTF-8 with replacements.
        stderr: The same.
        pid: Its process id.
        stopped: The `stop` event told it to end.
        killed: It did not end in time after it was told, by whatever, and its group was killed.
        overran: The limit in seconds that it was told to end at; 0: it ended within it.
    """

    code: int
    stdout: str
    stderr: str
    pid: int
    stopped: bool = False
    killed: bool = False
    overran: float = 0.0


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    folder: Path,
    stop: threading.Event | None = None,
    watch: Callable[[], bool] = lambda: False,
    grace: float = GRACE,
    limit: float = math.inf,
) -> Finished:
    """Run one process to its end.

    Its output goes to files in `folder`, never to pipes: a CLI whose parent was killed would die of SIGPIPE on a
    pipe with its lock held, and on a file it ends by itself with its state saved.

    Args:
        argv: The argument vector.
        env: The whole environment.
        cwd: Where it runs.
        folder: Where its output lies while it runs.
        stop: Once set, the process gets one SIGTERM.
        watch: Called about every 50 ms and once after the end; once it returns True, the process gets one SIGTERM.
        grace: Seconds from the SIGTERM to the SIGKILL of the process group.
        limit: Seconds after which the process gets one SIGTERM.

    Raises:
        ToolError: it could not be started.
    """
    out, err = folder / "stdout", folder / "stderr"
    child = _Child(_start(argv, env, cwd, out, err), grace)
    until, overran = time.monotonic() + limit, 0.0
    with group(child.pid):
        try:
            while not child.ended(_TICK):
                if watch():
                    child.tell()
                elif stop is not None and stop.is_set():
                    child.stopped = child.stopped or not child.told
                    child.tell()
                elif time.monotonic() >= until:
                    overran = overran if child.told else limit
                    child.tell()
                child.kill_when_due()
            watch()
        finally:
            child.end()
            texts = [path.read_text(encoding="utf-8", errors="replace") for path in (out, err)]
            out.unlink()
            err.unlink()
    return Finished(child.code, texts[0], texts[1], child.pid, child.stopped, child.killed, overran)


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, out: Path, err: Path) -> subprocess.Popen[bytes]:
    with out.open("wb") as stdout, err.open("wb") as stderr:
        try:
            return subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(
                f"Started the Pulumi CLI at {argv[0]}, and it failed: {error}.",
                hint="`understudy doctor` says which CLI is used.",
            ) from error


def _handle(pid: int) -> int | None:
    """A descriptor that says when a process has ended; None where the system gives none, and it has to be asked."""
    try:
        return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except OSError:
        return None


class _Child:
    """A running process and what was done to it; only this thread reaps it, so a signal never hits another."""

    def __init__(self, process: subprocess.Popen[bytes], grace: float) -> None:
        self._process = process
        self._grace = grace
        self._due = 0.0
        self._fd = _handle(process.pid)
        self.pid = process.pid
        self.told = False
        self.stopped = False
        self.killed = False

    @property
    def code(self) -> int:
        """The exit code; waits for it."""
        return int(self._process.wait())

    def ended(self, seconds: float) -> bool:
        """Wait up to `seconds` for the end."""
        if self._fd is not None:
            waiter = select.poll()
            waiter.register(self._fd, select.POLLIN)
            return bool(waiter.poll(seconds * 1000))
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def tell(self) -> None:
        """Send the one SIGTERM: the CLI takes a second as 'terminate now' and forgets what is in flight."""
        if not self.told:
            self.told = True
            self._due = time.monotonic() + self._grace
            self._process.send_signal(signal.SIGTERM)

    def kill_when_due(self) -> None:
        """Kill once the time since the SIGTERM is up."""
        if self.told and not self.killed and time.monotonic() >= self._due:
            self.kill()

    def kill(self) -> None:
        """Kill the whole group."""
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Whatever happened, nothing runs after this; a second interruption on the way does not wait any longer."""
        try:
            while not self.ended(_TICK):
                self.tell()
                self.kill_when_due()
        except BaseException:
            self.kill()
            raise
        finally:
            self._process.wait()
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None
