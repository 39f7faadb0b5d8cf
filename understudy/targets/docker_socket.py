"""A call of Docker's socket waits while the daemon lives: one that is silent is asked whether it is there at all."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Any

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["ANSWER", "SILENCE", "SOCKET", "ping", "wait_while_it_lives"]

SOCKET = "unix://"
"""How the URL of a daemon on a socket of this machine begins."""

SILENCE = 10.0
"""Seconds without a byte after which a daemon is asked whether it is there."""

ANSWER = 10.0
"""Seconds that it has for the answer: a daemon at work answers `/_ping` in milliseconds, on a machine that has ten
times the work that it can do within a few seconds."""

DOUBT = 2.0
"""Seconds of silence, and for the answer, after a ping that had none: else each call would wait anew for nothing."""

_doubted: set[str] = set()
_PING = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n"


def ping(path: str) -> None:
    """Ask the daemon behind a socket, over a new connection, whether it is there.

    Raises:
        OSError: it does not answer within `ANSWER`; after a ping that had none, within `DOUBT`.
    """
    limit = DOUBT if path in _doubted else ANSWER
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(limit)
        try:
            asking.connect(path)
            asking.sendall(_PING)
            answer = asking.recv(4096)
        except TimeoutError as error:  # urllib3 would put words of its own in the place of a TimeoutError's
            _doubted.add(path)
            raise ConnectionAbortedError(f"no answer to a ping within {limit:g} s: it hangs") from error
    if not answer:
        raise ConnectionResetError("it closed the connection without an answer")
    _doubted.discard(path)


def wait_while_it_lives(client: DockerClient, path: str, timeout: int, pool: int) -> None:
    """Make a client's calls end early when the daemon of this socket hangs; `timeout` (seconds) stays their end."""
    client.api.get_adapter(client.api.base_url).close()
    client.api.mount("http+docker://", _Adapter(f"http+unix://{path}", timeout, max_pool_size=pool))


class _Socket(socket.socket):
    """Its reads wait in turns, after each of which the daemon is asked whether it is there."""

    path = ""

    def recv_into(self, *arguments: Any, **named: Any) -> int:  # noqa: ANN401 - as the socket's own
        self._await()
        return super().recv_into(*arguments, **named)

    def _await(self) -> None:
        """Wait for something to read: for the socket's timeout at most, and while the daemon answers.

        Raises:
            TimeoutError: as the socket's own, or the daemon hangs.
            OSError: the daemon is gone.
        """
        limit = self.gettimeout()
        began = time.monotonic()
        while limit != 0 and self.fileno() >= 0:  # else the read itself says what is the matter
            silence = DOUBT if self.path in _doubted else SILENCE
            left = silence if limit is None else min(silence, began + limit - time.monotonic())
            if left <= 0:
                raise TimeoutError("timed out")
            looking = select.poll()
            looking.register(self.fileno(), select.POLLIN)
            if looking.poll(left * 1000):
                _doubted.discard(self.path)
                return
            ping(self.path)


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        patient = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        patient.settimeout(self.timeout)
        patient.path = self.unix_socket
        patient.connect(self.unix_socket)
        self.sock = patient


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> _Connection:  # type: ignore[override]  # as docker-py's own, whose stubs say so too
        return _Connection(self.base_url, self.socket_path, self.timeout)  # type: ignore[arg-type]  # handed through


class _Adapter(UnixHTTPAdapter):
    def get_connection(self, url: str | bytes, proxies: object = None) -> _Pool:  # noqa: ARG002 - requests' signature
        with self.pools.lock:
            pool: _Pool | None = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = _Pool(str(url), self.socket_path, self.timeout, maxsize=self.max_pool_size)
        return pool
