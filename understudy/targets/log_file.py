"""One container's log as it grows: whole lines with their time stamps, without secrets, readable, none twice."""

from __future__ import annotations

import codecs
import os
import re
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from understudy.redact import Redactor, Stream

__all__ = ["STAMP", "LogFile"]

STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
"""What Docker puts before each message (RFC3339NanoFixed): always 31 bytes."""

_STAMP = 31
_CUT = 16 << 10
_REMEMBERED = 1000
"""Messages that are known again when a log is read on."""


@dataclass(slots=True)
class _Line:
    """One of the streams of a container, in the middle of a line or between two."""

    cleaner: Stream
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("backslashreplace")
    )
    open: bool = False
    stamp: bytes = b""
    over: bool = False
    """Whether the line is at its end although no line feed came: it was not cut at Docker's length."""


class LogFile:
    r"""A new file of mode 0600 that takes Docker's messages. Memory is bounded, however long a line is.

    Docker cuts a line into messages of 16 KiB, each with the stamp of the first (daemon/logger/copier.go): they are
    put together again, so that a secret across a cut is found. A line that the other stream breaks into goes on in
    a line of its own. Bytes that are no UTF-8 are written as `\xff`.

    Raises:
        OSError: the file cannot be made; one of that name is never written to.
    """

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self.path = path
        self._redactor = redactor
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._lines: dict[int, _Line] = {}
        self._at: int | None = None
        self._recent: deque[tuple[bytes, int]] = deque(maxlen=_REMEMBERED)
        self._known: Counter[tuple[bytes, int]] = Counter()

    def resume(self) -> bytes:
        """The stamp from which the log has to be read on; what was taken is left out then. Empty: from its begin.

        Two streams may be stamped in another order than they are stored in, by some microseconds: so the last
        messages are asked for again, and known by their stamps.
        """
        self._known = Counter(self._recent)
        if len(self._recent) < _REMEMBERED:
            return b""
        return min(stamp for stamp, _ in islice(self._recent, _REMEMBERED // 2, None))

    def take(self, stream: int, message: bytes) -> None:
        """Write what one message of a stream (1: out, 2: err) says.

        Raises:
            OSError: it cannot be written.
        """
        stamped = STAMP.match(message) is not None
        stamp, body = (message[: _STAMP - 1], message[_STAMP:]) if stamped else (b"", message)
        key = (stamp, stream)
        if self._known[key] > 0:
            self._known[key] -= 1
            return
        self._recent.append(key)
        line = self._lines.setdefault(stream, _Line(self._redactor.stream()))
        for number, other in self._lines.items():  # the driver `local` leaves out the line feed of a line that was cut
            if other.open and (other.over if number != stream else stamp != other.stamp):
                self._end(number, other, b"\n")
        line.open, line.over, line.stamp = not body.endswith(b"\n"), len(body) < _CUT, stamp
        text = line.cleaner.feed(body)
        if not line.open:
            text += line.cleaner.end()
        self._put(stream, stamp, line.decoder.decode(text, final=not line.open).encode())

    def _put(self, stream: int, stamp: bytes, text: bytes) -> None:
        if not text:
            return
        begins = self._at != stream
        broken = b"\n" if begins and self._at is not None else b""
        data = broken + (stamp + b" " if begins and stamp else b"") + text
        written = os.write(self._handle, data)
        if written < len(data):
            os.write(self._handle, data[written:])  # raises what stopped the first writing
        self._at = stream if not text.endswith(b"\n") else None

    def note(self, text: str) -> None:
        """Say in the file why there is no log."""
        os.write(self._handle, f"# {self._redactor.text(text)}\n".encode())

    def settle(self) -> None:
        """Write what waits of a line that may go on, but for what may be the beginning of a secret.

        Raises:
            OSError: it cannot be written.
        """
        for stream, line in self._lines.items():
            if line.open:
                self._put(stream, line.stamp, line.decoder.decode(line.cleaner.settle()).encode())

    def close(self) -> None:
        """Write what waits for the end of its line.

        Raises:
            OSError: it cannot be written; the file is closed all the same.
        """
        try:
            for stream, line in self._lines.items():
                if line.open:
                    self._end(stream, line, b"")
        finally:
            os.close(self._handle)

    def _end(self, stream: int, line: _Line, mark: bytes) -> None:
        """Write what waits of a line, and the mark of its end."""
        self._put(stream, line.stamp, line.decoder.decode(line.cleaner.end(), final=True).encode() + mark)
        line.open = False
