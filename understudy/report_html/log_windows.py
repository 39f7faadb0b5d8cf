"""The lines of a container's log between two moments, found by bisection, however long the log or a line is."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from understudy.files import open_regular
from understudy.report_html.clean import line
from understudy.report_html.moments import epoch

__all__ = ["LogFile", "LogLine", "opened"]

_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z ?")
_STAMP_LENGTH = 40
_LINE = 8000
"""Bytes of a line that are read; the rest is counted."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: when, in seconds since the epoch, and what it says, made inert."""

    at: float
    text: str


class LogFile:
    """A log whose lines begin with RFC 3339 stamps in rising order, as `docker logs --timestamps` writes them."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self._data = data
        self._size = len(data)

    def window(self, start: float, end: float, most: int) -> tuple[tuple[LogLine, ...], int]:
        """At most `most` lines between two moments (seconds since the epoch), and how many more there are.

        Where there are more, the last ones are kept: what comes before a failure says more than what begins a test.
        """
        place, last = self._first(start), self._first(end)
        found: list[int] = []
        while place < last and place < self._size:
            found.append(place)
            place = self._after(place)
        kept = found[-most:] if most else []
        return tuple(self._line(each, start) for each in kept), len(found) - len(kept)

    def tail(self, most: int) -> tuple[tuple[LogLine, ...], int]:
        """The last `most` lines, and whether there are more (0 or 1)."""
        places: list[int] = []
        end = self._size - 1 if self._size and self._data[self._size - 1] == 0x0A else self._size  # noqa: PLR2004 - a line's end
        while end > 0 and len(places) < most:
            begin = self._data.rfind(b"\n", 0, end) + 1
            places.append(begin)
            end = begin - 1
        return tuple(self._line(each, 0.0) for each in reversed(places)), int(end > 0)

    def _after(self, place: int) -> int:
        """Where the next line begins; the size, if there is none."""
        end = self._data.find(b"\n", place)
        return self._size if end < 0 else end + 1

    def _stamp(self, place: int) -> float | None:
        match = _STAMP.match(self._data[place : place + _STAMP_LENGTH])
        return epoch(match[0].decode().strip()) if match else None

    def _stamped(self, place: int) -> tuple[int, float] | None:
        """The first line from `place`, which begins one, that has a stamp, and its moment."""
        while place < self._size:
            at = self._stamp(place)
            if at is not None:
                return place, at
            place = self._after(place)
        return None

    def _first(self, moment: float) -> int:
        """Where the first line at or after a moment begins; the size, if there is none."""
        low, high = 0, self._size
        while low < high:
            middle = (low + high) // 2
            begin = self._data.rfind(b"\n", low, middle) + 1 or low
            found = self._stamped(begin)
            if found is None or found[1] >= moment:
                high = begin
            else:
                low = self._after(found[0])
        return low

    def _line(self, place: int, start: float) -> LogLine:
        end = self._after(place)
        whole = bytes(self._data[place : min(end, place + _LINE)])
        match = _STAMP.match(whole)
        at = epoch(match[0].decode().strip()) if match else None
        said = (whole[match.end() :] if match else whole).decode("utf-8", "replace").rstrip("\r\n")
        cut = f" \u2026 ({end - place} bytes)" if end - place > _LINE else ""
        return LogLine(start if at is None else at, line(said) + cut)


@contextmanager
def opened(path: Path) -> Iterator[LogFile | None]:
    """A log for reading; None where there is none that can be read, or nothing in it."""
    try:
        source = open_regular(path)
    except OSError:
        yield None
        return
    with source:
        try:
            data = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # an empty file cannot be mapped
            yield None
            return
        with data:
            yield LogFile(data)
