"""The end of a file that a suite writes: its new lines, of a bounded length each, each time and in all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from understudy.files import open_regular

__all__ = ["AT_ONCE", "MOST", "Tail"]

AT_ONCE = 32 << 20
"""Bytes that one look reads: a suite that writes faster than it is read would keep everybody from ending it."""

MOST = 1 << 30
"""Bytes that are read in all: a file with holes is as long as a suite likes, and reading it would never end."""

_READ = 4 << 20
_LONGEST_LINE = 4 << 20


class Tail:
    """The new whole lines of a growing file at each call; a file that is not there yet has none.

    `copy` is handed all bytes that are read, as they lie there. `cut` says whether the file is longer than `most`; what
    comes after is not read.
    """

    def __init__(
        self, path: Path, copy: Callable[[bytes], None] = lambda _: None, *, at_once: int = AT_ONCE, most: int = MOST
    ) -> None:
        self.cut = False
        self._path, self._copy = path, copy
        self._at_once, self._most = at_once, most
        self._offset = 0
        self._rest = b""

    def lines(self) -> Iterator[bytes]:
        """The lines that were finished since the last call; one longer than 4 MiB is cut there."""
        try:
            source = open_regular(self._path)
        except OSError:
            return
        with source:
            source.seek(self._offset)
            end = min(self._offset + self._at_once, self._most)
            while chunk := source.read(min(_READ, end - self._offset)):
                self._offset += len(chunk)
                self._copy(chunk)
                *whole, self._rest = (self._rest + chunk).split(b"\n")
                yield from whole
                if len(self._rest) > _LONGEST_LINE:
                    yield self._rest
                    self._rest = b""
            self.cut = os.fstat(source.fileno()).st_size > self._most

    def all(self) -> Iterator[bytes]:
        """Every line that is left, once nobody writes any more."""
        before = -1
        while before != self._offset:
            before = self._offset
            yield from self.lines()
