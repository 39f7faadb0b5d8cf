"""What an owner holds: a connection to the watchdog, whose end without a release says that the owner is gone."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from understudy import groups
from understudy.watchdog.place import WatchdogError, connect
from understudy.watchdog.process import LIMIT, start_time

__all__ = ["HUNTED", "Guard", "guarded"]

HUNTED = frozenset(
    {
        "BUILD_ID",  # Jenkins
        "BUILD_NUMBER",
        "CI_JOB_ID",  # GitLab
        "HUDSON_COOKIE",
        "HUDSON_SERVER_COOKIE",
        "JENKINS_NODE_COOKIE",
        "JENKINS_SERVER_COOKIE",
        "RUNNER_TRACKING_ID",  # GitHub
        "VSTS_PROCESS_LOOKUP_ID",  # Azure Pipelines
    }
)
"""Variables by which CI runners find the processes of a job that is over, to end them."""

ANSWER = 2.0
"""Seconds for the watchdog's answer; it never does anything that takes longer."""

AGAIN = 5
"""How often a guard whose watchdog was ended looks for another one."""


class Guard:
    """While entered, the watchdog waits for this process's end; left without a release, it sets to work.

    Process groups that are begun meanwhile (`understudy.groups`) are registered with it, and ended first. Where no
    watchdog can be had, a warning is said once and the work goes on; `there` is False then.

    Args:
        argv: what is run when this process is gone, again and again until it exits with 0.
        env: its whole environment; the variables by which runners hunt are taken out.
        state: the folder below which the watchdog has its own.
        limit: seconds after which one run of it is ended.
        warn: told why there is none.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        state: Path,
        limit: float = LIMIT,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._argv = list(argv)
        self._limit = limit
        self._env = {name: value for name, value in env.items() if name not in HUNTED}
        self._state, self._warn = state, warn
        self._lock = threading.RLock()
        self._children: dict[int, int] = {}
        self._answered = threading.Condition()
        self._answers: dict[int, bool] = {}
        self._asked = 0
        self._connection: socket.socket | None = None
        self._done = False
        self._left = AGAIN

    @property
    def there(self) -> bool:
        """Whether a watchdog is waiting for this process."""
        return self._connection is not None

    def __enter__(self) -> Self:
        self._connect()
        groups.listen(self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        groups.ignore(self._heard)
        with self._lock:
            self._done = True
            self._drop()

    def child(self, pid: int) -> None:
        """End this process and its group, of which it is the leader, before anything else is done."""
        with self._lock:
            self._children[pid] = start_time(pid)
            self._send({"verb": "child", "pid": pid, "started": self._children[pid]})

    def ended(self, pid: int) -> None:
        """A child has ended."""
        with self._lock:
            self._children.pop(pid, None)
            self._send({"verb": "ended", "pid": pid})

    def release(self) -> None:
        """Nothing is to be done any more when this process ends: what it made is gone, or handed over."""
        with self._lock:
            self._done = True
        self._ask({"verb": "release"})

    def confirm(self) -> bool:
        """Ask the watchdog whether it will set to work when this process ends."""
        return not self._done and self._ask(self._registration())

    def _heard(self, pid: int, begun: bool) -> None:  # noqa: FBT001 - the listener's form
        (self.child if begun else self.ended)(pid)

    def _registration(self) -> dict[str, object]:
        said = {"argv": self._argv, "env": self._env, "limit": self._limit, "children": list(self._children.items())}
        return {"verb": "own", **said}

    def _connect(self) -> None:
        """Find the watchdog, or start it, and register."""
        try:
            self._connection = connect(self._state, _line(self._registration(), 0))
        except WatchdogError as error:
            self._warn(f"no watchdog: {error}. Were this command killed, what it has made would stay until the next.")
            return
        threading.Thread(target=self._listen, args=(self._connection,), name="guard", daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        """Take in answers until the watchdog is gone, which is then replaced."""
        unread = b""
        with suppress(OSError):
            while piece := connection.recv(4096):
                *lines, unread = (unread + piece).split(b"\n")
                for line in lines:
                    self._hear(line)
        with self._lock:
            if self._connection is connection:
                self._drop()
                self._left -= 1
                if self._left >= 0 and not self._done:
                    self._connect()

    def _hear(self, line: bytes) -> None:
        with suppress(ValueError, KeyError, TypeError), self._answered:
            said = json.loads(line)
            self._answers[int(said["number"])] = bool(said["ok"])
            self._answered.notify_all()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()
            self._connection = None

    def _send(self, message: Mapping[str, object], number: int = 0) -> bool:
        """Whether it could be sent; the answer to what has a number is waited for."""
        if self._connection is None:
            return False
        try:
            self._connection.sendall(_line(message, number))
        except OSError:
            return False  # the listening thread sees its end too
        return True

    def _ask(self, message: Mapping[str, object]) -> bool:
        """Send, and wait for the answer."""
        with self._lock:
            self._asked += 1
            number = self._asked
            sent = self._send(message, number)
        with self._answered:
            self._answered.wait_for(lambda: number in self._answers, ANSWER if sent else 0.0)
            return self._answers.pop(number, False)


def _line(message: Mapping[str, object], number: int) -> bytes:
    return json.dumps({**message, "number": number}).encode() + b"\n"


def guarded(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    state: Path,
    limit: float = LIMIT,
    warn: Callable[[str], None] = lambda _: None,
) -> Guard:
    """A guard that runs `argv` when this process dies; see `Guard`. `env`: default is this process's own."""
    return Guard(argv, os.environ if env is None else env, state=state, limit=limit, warn=warn)
