"""A container's log as Docker stores it: message by message, of one stream each, followed or as far as it goes."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from understudy.targets.docker_client import TIMEOUT

if TYPE_CHECKING:
    from docker import DockerClient
    from requests import Response

__all__ = ["GoneError", "Messages", "UnreadableError"]

_HEADER = struct.Struct(">BxxxL")
_CUT = 31 + (16 << 10)
"""Bytes after which Docker cuts a line into a message of its own, stamp and all (daemon/logger/copier.go)."""

_OK = 200
_GONE = (404, 409)
"""There is none, or it is being removed (Engine API, ContainerLogs and `container is dead`)."""


class GoneError(Exception):
    """There is no such container any more."""


class UnreadableError(Exception):
    """The daemon does not give the log out, and why."""


class Messages:
    """(stream, message) of a container's log; `close`, from any thread, ends them.

    Args:
        client: of the daemon.
        ident: the container's id.
        tty: whether it has a terminal, so that its streams are one.
        follow: bring those to come too, until the container has ended.
        since: a stamp; older messages are left out. Empty: none is.

    Raises:
        GoneError: there is no such container.
        UnreadableError: its log cannot be read, as with the log driver `none`.
        OSError: the daemon does not answer.
    """

    def __init__(self, client: DockerClient, ident: str, *, tty: bool, follow: bool, since: bytes = b"") -> None:
        asked: dict[str, str | int] = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow)}
        if since:
            asked["since"] = _seconds(since)
        url = f"{client.api.base_url}/v{client.api.api_version}/containers/{ident}/logs"
        timeout = (TIMEOUT, None if follow else TIMEOUT)
        self._response: Response = client.api.get(url, params=asked, stream=True, timeout=timeout)
        self._tty = tty
        if self._response.status_code != _OK:
            said = _message(self._response)
            raise GoneError(said) if self._response.status_code in _GONE else UnreadableError(said)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        raw: Any = self._response.raw
        try:
            if self._tty:
                yield from ((1, message) for message in _cut(self._response.iter_content(None)))
                return
            while len(header := raw.read(_HEADER.size)) == _HEADER.size:
                stream, length = _HEADER.unpack(header)
                message = raw.read(length)
                if len(message) < length:  # closed in the middle: it comes again when the log is read on
                    return
                yield stream, message
        finally:
            self._response.close()

    def close(self) -> None:
        """End the messages, also those that another thread waits for."""
        from docker.types import CancellableStream

        with contextlib.suppress(Exception):  # it has ended, or its transport cannot be ended from here
            CancellableStream(iter(()), self._response).close()


def _message(response: Response) -> str:
    try:
        return str(json.loads(response.content)["message"])
    except (ValueError, KeyError, TypeError):
        return f"the daemon answered {response.status_code}"
    finally:
        response.close()


def _seconds(stamp: bytes) -> str:
    """A stamp as Docker takes it: seconds since the epoch and nanoseconds, to the last digit."""
    text = stamp.decode("ascii")
    return f"{int(datetime.fromisoformat(text[:19] + '+00:00').timestamp())}.{text[20:29]}"


def _cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A terminal's messages: whole lines, and the pieces of one that Docker cut."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        while rest:
            end = rest.find(b"\n") + 1
            if len(rest) >= _CUT and not 0 < end <= _CUT:
                end = _CUT
            if not end:
                break
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest
