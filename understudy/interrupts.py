"""Signals as a designed path: the first asks everything to end and clean up, the second says what remains."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

__all__ = ["Interrupts"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_LAST = 1.0
"""Seconds for a signal that came last to be heard."""


class Interrupts:
    """While entered: the first signal sets `stop`, the second prints `remains()` and ends the process with 130.

    Nothing is raised at a random place: whoever waits looks at `stop`. The handler itself takes no lock - the main
    thread may hold that of `stop` when it runs - and only tells a thread, which does the rest. Outside the main thread
    it does nothing, because Python takes signals only there.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.stop = threading.Event()
        self.remains: Callable[[], str] = lambda: ""
        self.asked = ""
        self._say = say
        self._before: dict[signal.Signals, object] = {}
        self._told = -1
        self._thread: threading.Thread | None = None

    @property
    def interrupted(self) -> bool:
        """Whether a signal came."""
        return self.stop.is_set()

    def ask(self, reason: str) -> None:
        """End as on a signal, because another process asks for it; `asked` is why."""
        self.asked = self.asked or reason
        if not self.stop.is_set():
            self.stop.set()
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
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() itself gave back
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
        if not self.stop.is_set():
            self.stop.set()
            threading.Thread(target=self._say, args=(f"{name}: stopping, then cleaning up.",), daemon=True).start()
            return
        try:
            os.write(2, f"\n{name} again: ending at once. {self.remains()}\n".encode("utf-8", "replace"))
        finally:
            os._exit(130)
