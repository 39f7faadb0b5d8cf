"""Halts: how one part of a run hears from whoever started it that another part has failed, or that nobody is left."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Self

__all__ = ["VARIABLE", "Halt", "Halted", "halting_line"]

VARIABLE = "UNDERSTUDY_HALT_FD"
"""The variable in which a part is told the descriptor that it hears from; private to `understudy.sharding`."""

_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Halted:
    """Why the suites have to end, in words, and since when (by the monotonic clock)."""

    why: str
    since: float


def halting_line(why: str, at: float) -> bytes:
    r"""What is written to a part to end its suites; `at` is seconds since the epoch.

    >>> halting_line("part 1/2 failed", 3.5)
    b'{"why": "part 1/2 failed", "at": 3.5}\n'
    """
    return json.dumps({"why": why[: _LONGEST // 16], "at": at}).encode() + b"\n"


class Halt:
    """Whether the suites have to end for a reason of another part; asked from any thread. By default: never."""

    def __init__(self) -> None:
        self.said: Halted | None = None

    @classmethod
    def of(cls, variables: MutableMapping[str, str], lost: Callable[[], None]) -> Self:
        """What the process that started this one says, where it said that it would; no child of ours hears it.

        Args:
            variables: the process's environment, out of which the private variable is taken.
            lost: called when that process has ended: nobody waits for the result any more.
        """
        halt = cls()
        told = variables.pop(VARIABLE, "")
        if told.isascii() and told.isdigit():
            heard = int(told)
            with contextlib.suppress(OSError):
                os.set_inheritable(heard, False)
                threading.Thread(target=halt.listen, args=(heard, lost), name="halts", daemon=True).start()
        return halt

    def listen(self, heard: int, lost: Callable[[], None]) -> None:
        """Read until the other side is gone."""
        with contextlib.suppress(OSError), open(heard, "rb", buffering=0) as pipe:
            line = b""
            while piece := pipe.read(_LONGEST):
                line = (line + piece)[:_LONGEST]
                if self.said is None and b"\n" in line:
                    self._take(line.partition(b"\n")[0])
        lost()

    def _take(self, line: bytes) -> None:
        now = time.monotonic()
        with contextlib.suppress(ValueError, KeyError, TypeError):
            data = json.loads(line)
            self.said = Halted(str(data["why"]), now - max(0.0, time.time() - float(data["at"])))
