"""Signals as a designed path: the first asks everything to end and clean up; what takes too long is left to another."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from understudy.stops import Stop

__all__ = ["DEADLINE", "Interrupts", "Rest", "alone"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

DEADLINE = 8.5
"""Seconds from the first signal until what is left is handed over. GitHub's runner kills a cancelled step after 10 s:
SIGINT, SIGTERM 7.5 s later, the end 2.5 s after that (docs.github.com, workflow cancellation reference)."""

TOGETHER = 1.0
"""Seconds in which another SIGTERM or SIGHUP belongs to the first signal: a terminal that is closed and its shell both
tell a job, and so do a runner and a wrapper. A second Ctrl-C is a person's at any time."""

FLUSH = 1.0
"""Seconds in which evidence is written, or a command comes to its own end, before the process ends at once."""

_LAST = 1.0
"""Seconds for a signal that came last to be heard."""


def alone() -> None:
    """For an entry point, whose process ends with its command: a signal after the command has ended is ignored.

    What came of the command is its exit code then. One that comes before the command has begun ends it as ever.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _before_work)


def _before_work(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        signal.default_int_handler(number, frame)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class Rest:
    """What would be left of a command that ends at once; this one leaves nothing, and nobody would finish it."""

    def second(self) -> str:
        """What a second signal does, said with the first."""
        return "Once more, and it ends at once."

    def hand_over(self, *, asked: bool) -> str:  # noqa: ARG002 - for those who have a rest
        """Leave the rest to somebody who is surely there, and say to whom; empty: there is nobody, or no rest.

        `asked`: a second signal came, and whoever sent it waits no longer; else the deadline has.
        """
        return ""

    def flush(self, handed: str) -> None:
        """Write the evidence that exists, and that the rest was handed over; asked in a thread, for `FLUSH` seconds."""

    def remains(self) -> str:
        """What remains when nobody takes it, and the command that removes it."""
        return ""


class Interrupts:
    """While entered: the first signal sets `stop`; a second, or the deadline, hands the rest over and ends with 130.

    Nothing is raised at a random place: whoever waits looks at `stop`. The handler itself takes no lock - the main
    thread may hold that of `stop` when it runs - and only tells a thread, which does the rest. Outside the main thread
    it does nothing, because Python takes signals only there. At the deadline a process whose rest nobody takes goes on.
    After a signal the others are ignored from the exit on, and after `alone` every one: all is done, and the process
    ends with a code that says so.
    """

    def __init__(self, say: Callable[[str], None], deadline: float = DEADLINE) -> None:
        self.stop = Stop()
        self.rest = Rest()
        self._say, self._deadline = say, deadline
        self._before: dict[signal.Signals, object] = {}
        self._told = -1
        self._thread: threading.Thread | None = None
        self._first: float | None = None
        self.over = threading.Event()
        self._ending = threading.Lock()

    @property
    def interrupted(self) -> bool:
        """Whether a signal came, or another process asks for the end."""
        return self.stop.is_set()

    def ask(self, reason: str) -> None:
        """End as on a signal, because another process asks for it."""
        if not self.stop.is_set():
            self.stop.ask(reason)
            self._say(f"{reason}: stopping, then cleaning up.")

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard, self._told = os.pipe()
            os.set_blocking(self._told, False)
            self._thread = threading.Thread(target=self._listen, args=(heard,), name="signals", daemon=True)
            self._thread.start()
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and jobs of a script, ignore on purpose
                    self._before[number] = signal.signal(number, self._tell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        for number, handler in self._before.items():
            after = handler if self._first is None and handler is not _before_work else signal.SIG_IGN
            signal.signal(number, after)  # type: ignore[arg-type]  # what signal() itself gave back
        if self._thread is not None:
            os.close(self._told)
            self._thread.join(_LAST)

    def _tell(self, number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):  # thousands are waiting to be heard already
            os.write(self._told, bytes([number]))

    def _listen(self, heard: int) -> None:
        with open(heard, "rb", buffering=0) as pipe:
            while number := pipe.read(1):
                self._take(signal.Signals(number[0]).name)

    def _take(self, name: str) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self.stop.set()
            for work in (self._until_deadline, self._say_first):
                threading.Thread(target=work, args=(name,), daemon=True).start()
        elif name == "SIGINT" or now - self._first > TOGETHER:
            handed = self._hand_over(asked=True)
            if handed or not self.over.wait(FLUSH):  # a command whose rest is done is writing its record
                self._end(f"{name} again: {handed or f'ending at once. {self.rest.remains()}'}")

    def _say_first(self, name: str) -> None:
        self._say(f"{name}: stopping, then cleaning up. {self.rest.second()}")

    def _until_deadline(self, name: str) -> None:
        if not self.over.wait(self._deadline) and (handed := self._hand_over(asked=False)):
            self._end(f"{self._deadline:g} s after {name}: {handed}")

    def _hand_over(self, *, asked: bool) -> str:
        """Who does the rest; empty: nobody. Once there is somebody, this process ends, so that is asked but once."""
        self._ending.acquire()
        if handed := self.rest.hand_over(asked=asked):
            flushing = threading.Thread(target=self.rest.flush, args=(handed,), daemon=True)
            flushing.start()
            flushing.join(FLUSH)
        else:
            self._ending.release()
        return handed

    def _end(self, text: str) -> None:
        try:
            if select.select([], [2], [], 0)[1]:  # a reader that has stopped keeps nobody here
                os.write(2, f"\n{text}\n".encode("utf-8", "replace"))
        finally:
            os._exit(130)
