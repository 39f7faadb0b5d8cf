"""What containers print while they are destroyed: their logs, followed on until they are gone."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from understudy.targets.docker_logs import GoneError, Messages, UnreadableError
from understudy.targets.log_file import LogFile

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Tails"]

_MOST = 128
"""Logs that are followed at once; further ones end with the evidence."""

_LAST_WORDS = 2.0
"""Seconds after a destroy in which what was printed meanwhile is still read: it is on its way to us."""


class Tails:
    """The logs that go on after the evidence was taken, each by a thread, until `close`."""

    def __init__(self, client: DockerClient) -> None:
        self._client = client
        self._tails: list[_Tail] = []

    def follow(self, name: str, ident: str, log: LogFile, *, tty: bool) -> None:
        """Follow the log of the container `ident`, called `name` in problems, from where `log` has it.

        Raises:
            OSError: there are too many, and the log could not be closed.
        """
        if len(self._tails) >= _MOST:
            log.close()
            return
        self._tails.append(_Tail(self._client, name, ident, log, tty=tty))

    def close(self, *, destroyed: bool) -> tuple[str, ...]:
        """End them: of what was `destroyed` with all that it said meanwhile; returns what went wrong.

        A log file whose thread does not end is left to it. Whoever asks again finds nothing to end.
        """
        tails, self._tails = self._tails, []
        limit = time.monotonic() + (_LAST_WORDS if destroyed else 0.0)
        for tail in tails:
            tail.wait(limit)
        for tail in tails:
            tail.end()
        limit = time.monotonic() + _LAST_WORDS
        return tuple(problem for tail in tails if (problem := tail.closed(limit)))


class _Tail:
    def __init__(self, client: DockerClient, name: str, ident: str, log: LogFile, *, tty: bool) -> None:
        self._client = client
        self._name = name
        self._ident = ident
        self._log = log
        self._tty = tty
        self._ended = threading.Event()
        self._messages: Messages | None = None
        self._problem = ""
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def _write(self) -> None:
        try:
            since = self._log.resume()
            self._messages = Messages(self._client, self._ident, tty=self._tty, follow=True, since=since)
            if self._ended.is_set():
                self._messages.close()
            for stream, message in self._messages:
                self._log.take(stream, message)
        except (GoneError, UnreadableError):
            return
        except Exception as error:  # noqa: BLE001 - the evidence is whole without it, and destroy goes on
            if not self._ended.is_set():
                self._problem = f"{type(error).__name__}: {error}"

    def wait(self, limit: float) -> None:
        self._thread.join(max(0.0, limit - time.monotonic()))

    def end(self) -> None:
        self._ended.set()
        if self._messages is not None:
            self._messages.close()

    def closed(self, limit: float) -> str:
        self.wait(limit)
        if self._thread.is_alive():
            return f"{self._name}: the reader of its last lines did not end"
        try:
            self._log.close()
        except OSError as error:
            self._problem = self._problem or str(error)
        return f"{self._name}: its last lines: {self._problem}" if self._problem else ""
