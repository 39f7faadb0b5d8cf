"""A suite's command under a supervisor of its own, which no process that it starts can leave or outlive."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from understudy import alone, processes
from understudy.suites import process, supervisor
from understudy.suites.kin import Kin

__all__ = ["SupervisedProcess"]

START = 30.0
"""Seconds within which a supervisor must have started the command: an interpreter without packages takes 10 ms."""

LATE = 1.0
"""Seconds past its own patience after which a supervisor counts as hanging."""

_PIPE = 65_536
"""Bytes that a pipe holds (pipe(7))."""

_LAST_READS = 32
"""Reads of what is there when the supervisor has ended: it may be more than a pipe holds by default."""


class SupervisedProcess:
    """A suite's command and everything that it starts: the descendants of one supervisor (see `supervisor`).

    Should the supervisor itself be killed, what is left is found by session and mark, as where there is none.
    """

    problem = unknown = ""
    idle = 0.0
    notices: tuple[str, ...] = ()

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        held: int | None = None,
    ) -> None:
        """Start it; `held` is a descriptor that the supervisor has until its end.

        Raises:
            OSError: the log cannot be created, or the command not be started.
        """
        told, lifeline = os.pipe()
        self._status, status = os.pipe()
        self._lifeline = lifeline
        grace, patience = process.GRACE, process.PATIENCE
        self._deadline = grace + patience + LATE
        kept = () if held is None else (held,)
        try:
            try:
                with os.fdopen(process.open_log(log), "wb") as out:
                    self._popen = subprocess.Popen(
                        alone.command(supervisor.__file__, told, status, grace, patience, *kept),
                        cwd=folder,
                        env=alone.environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                        pass_fds=(told, status, *kept),
                    )
            finally:
                os.close(told)
                os.close(status)
            self._heard = b""
            self._code: int | None = None
            self._named: tuple[int, ...] = ()
            self._left: tuple[int, ...] = ()
            self._stop_at: float | None = None
            self._give_up_at: float | None = None
            self._began = processes.ticks(self._popen.pid) or 0
            session = self._begin(supervisor.pack(list(command), dict(environment)))
        except BaseException:
            self._close()
            raise
        mark = environment.get(process.MARK)
        self._kin = Kin(session, f"{process.MARK}={mark}" if mark else "")

    def _begin(self, message: bytes) -> int:
        """Say what to run, and hear the process id of the command, which leads its session.

        Raises:
            OSError: it could not be started.
        """
        with contextlib.suppress(BrokenPipeError):  # what the supervisor says or does not say tells more
            _write_all(self._lifeline, message)
        deadline = time.monotonic() + START
        watched = select.poll()
        watched.register(self._status, select.POLLIN)
        while b"\n" not in self._heard:
            ready = watched.poll(max(0.0, deadline - time.monotonic()) * 1000)
            chunk = os.read(self._status, 4096) if ready else b""
            if not chunk:
                self._popen.kill()
                raise OSError(f"its supervisor, {sys.executable}, did not start it; exit code {self._popen.wait()}")
            self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        os.set_blocking(self._status, False)
        word, _, rest = line.decode(errors="replace").partition(" ")
        if word != "pid":
            number, _, text = rest.partition(" ")
            self._popen.wait()
            raise OSError(int(number), text)
        return int(rest)

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, negative for a signal; None while it runs.

        Where a suite killed its supervisor, it is the supervisor's.
        """
        self._listen()
        return self._code if self._code is not None else self._popen.poll()

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stop_at is not None

    def stop(self) -> None:
        """Let the supervisor send SIGTERM to all, and SIGKILL after `GRACE` seconds. A second call changes nothing."""
        if self._stop_at is None:
            self._stop_at = time.monotonic()
            self._popen.send_signal(signal.SIGTERM)

    def gone(self) -> bool:
        """Whether no process of the suite runs any more."""
        ended = self._popen.poll()
        for _ in range(_LAST_READS if ended is not None else 1):
            if not self._listen():
                break
        if ended is None:
            if self._stop_at is not None:
                self._popen.send_signal(signal.SIGCONT)  # a suite may have stopped it
                if time.monotonic() >= self._stop_at + self._deadline:
                    self._popen.kill()
            return False
        self._close()
        if ended == 0:  # nothing is left: nobody but the supervisor's own end says that
            self._left = ()
            return True
        if not (alive := self._kin.alive()):
            self._left = self._gone_astray()
            return not self._left
        self._kin.signal(signal.SIGKILL, leader=False)
        now = time.monotonic()
        if self._give_up_at is None:
            limit = now + process.PATIENCE if self._stop_at is None else self._stop_at + self._deadline
            self._give_up_at = max(now + LATE, limit)
        elif now >= self._give_up_at:
            self._left = tuple(sorted(alive))
        return False

    def _gone_astray(self) -> tuple[int, ...]:
        """Of those that were named as left, whose session and mark are others by now, the ones that are there.

        A suite may have named them. None of its own is older than the supervisor.
        """
        return tuple(pid for pid in self._named if (processes.ticks(pid) or 0) > self._began)

    def survivors(self) -> tuple[int, ...]:
        """The processes that SIGKILL did not end within `PATIENCE`; empty before that."""
        return self._left if self._popen.poll() is not None else ()

    def _listen(self) -> bool:
        """Take in what the supervisor has said since; whether there was anything.

        A suite has the same user, and can write there too (proc(5), `/proc/PID/fd`): no line is trusted to be one of
        the supervisor's, and no more is read at once than a pipe holds.
        """
        try:
            heard = os.read(self._status, _PIPE) if self._status >= 0 else b""
        except BlockingIOError:
            return False
        *lines, self._heard = (self._heard + heard)[-2 * _PIPE :].split(b"\n")
        for line in lines:
            if code := re.fullmatch(rb"code (-?\d{1,3})", line):
                self._code = int(code[1])
            elif left := re.fullmatch(rb"left((?: \d{1,9})+)", line):
                self._named = tuple(map(int, left[1].split()))
        return bool(heard)

    def _close(self) -> None:
        for end in (self._status, self._lifeline):
            if end >= 0:
                os.close(end)
        self._status = self._lifeline = -1


def _write_all(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]
