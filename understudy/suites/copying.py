"""A suite's growing files, copied into the run folder without their secrets while they grow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from understudy.files import open_regular
from understudy.redact import Redactor

__all__ = ["Copies", "Copy", "Follower"]

PIECE = 256 << 10
"""Bytes of one suite's output that one look takes: some milliseconds, so that a failure elsewhere is seen in time."""

MOST = 1 << 30
"""Bytes of a log that are copied in all."""

_LOG, _RESULTS = "output.log", "results.jsonl"


class Copy:
    """A new file of mode 0600 that takes bytes piece by piece, and lets go what holds no secret.

    `problem` says why it is not whole, `begun` whether there is a file.
    """

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._path, self._stream = path, redactor.stream()
        self._handle = -1
        self._settled = True
        self.begun = False
        self.problem = ""

    def take(self, data: bytes) -> None:
        """Write what of all that came can be let go; the first piece makes the file."""
        self._settled = False
        self._put(self._stream.feed(data))

    def settle(self) -> None:
        """When nothing came for a while: write all but what may be the beginning of a secret."""
        if not self._settled:
            self._settled = True
            self._put(self._stream.settle())

    def close(self) -> None:
        """Write the rest. A second call changes nothing."""
        if self._handle >= 0:
            self._put(self._stream.end())
            os.close(self._handle)
            self._handle = -1

    def _put(self, data: bytes) -> None:
        if self.problem:
            return
        try:
            if not self.begun:
                self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
                self.begun = True
            left = memoryview(data)
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            self.problem = f"{self._path.name}: {error}"


class Follower:
    """A file that another process writes, opened once: what is put in its place later is not read."""

    def __init__(self, path: Path, copy: Copy) -> None:
        self.copy = copy
        self._offset, self._room = 0, MOST
        self.notice = ""
        self._source: BinaryIO | None = None
        try:
            self._source = open_regular(path)
            copy.take(b"")
        except OSError as error:
            copy.problem = str(error)

    def step(self, most: int = PIECE) -> bool:
        """Copy what is new, at most so many bytes, and say whether there was any.

        A file that was emptied is read from its beginning again.
        """
        if self._source is None or self.copy.problem:
            return False
        handle = self._source.fileno()
        self._offset = self._offset if self._offset <= os.fstat(handle).st_size else 0
        data = os.pread(handle, min(most, self._room), self._offset)
        self._offset += len(data)
        self._room -= len(data)
        if data:
            self.copy.take(data)
        else:
            self.copy.settle()
        return bool(data)

    def last(self, most: int) -> bytes:
        """The end of the file, at most so many bytes."""
        if self._source is None:
            return b""
        handle = self._source.fileno()
        return os.pread(handle, most, max(0, os.fstat(handle).st_size - most))

    def finish(self) -> None:
        """Copy all that is there now, and close both files."""
        if self._source is not None:
            end = os.fstat(self._source.fileno()).st_size
            while self._offset < end and self.step(4 * PIECE):
                pass
            if not self._room:
                self.notice = f"output.log has {end} bytes, of which the first {MOST} were kept"
            self._source.close()
            self._source = None
        self.copy.close()


class Copies:
    """The log of one attempt of a suite, followed, and its results, which are copied as they are read."""

    def __init__(self, raw: Path, folder: Path, redactor: Redactor) -> None:
        self._folder = folder
        self._shelf = ""
        self.log = Follower(raw / _LOG, Copy(folder / _LOG, redactor))
        self.results = Copy(folder / _RESULTS, redactor)

    def step(self) -> None:
        """Copy some of what is new."""
        self.log.step()
        self.results.settle()

    def move(self, shelf: str) -> None:
        """Go on in another folder below the same one, which is made.

        Raises:
            OSError: it cannot be made.
        """
        self.results.close()
        (self._folder / shelf).mkdir(mode=0o700)
        for name in self.names():
            (self._folder / name).rename(self._folder / shelf / name)
        self._shelf = f"{shelf}/"

    def names(self) -> list[str]:
        """The files that are there, relative to the suite's folder."""
        made = ((_LOG, self.log.copy), (_RESULTS, self.results))
        return [f"{self._shelf}{name}" for name, copy in made if copy.begun]

    def finish(self) -> list[str]:
        """Copy the rest; what could not be copied, in words."""
        self.log.finish()
        self.results.close()
        return [copy.problem for copy in (self.log.copy, self.results) if copy.problem]
