"""The outbox: sends one run folder to all sinks side by side, first the evidence, then the rest, and keeps count."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from understudy.errors import ExportError
from understudy.export.sinks.budget import Budget
from understudy.export.sinks.interface import Delivery, Sink, Stage
from understudy.progress import Phase, Progress, ProgressListener, State, safely
from understudy.redact import Redactor
from understudy.report import SinkRecord

__all__ = ["Outbox"]

_TICK = 0.1
_OVERRUN = 5.0
"""Seconds that a sink gets to end by itself once its time is over: a command's processes are ended in them."""


class Outbox:
    """All sinks of one run. What `records` says of a sink holds for every delivery together."""

    def __init__(self, sinks: Sequence[Sink] = (), *, retries: int = 4, timeout: float = 600.0) -> None:
        self.sinks = tuple(sinks)
        self.retries = retries
        self.timeout = timeout
        self._records: dict[int, SinkRecord] = {}

    @property
    def records(self) -> tuple[SinkRecord, ...]:
        """What came of each sink that was sent to, in the order in which they were named."""
        return tuple(record for _, record in sorted(self._records.items()))

    def check(self) -> tuple[str, ...]:
        """Look whether the sinks can be used, before anything is made; the doubts, in words.

        Raises:
            UsageError: one certainly cannot be used.
        """
        return tuple(filter(None, [sink.check() for sink in self.sinks]))

    def send(
        self,
        folder: Path,
        stage: Stage,
        *,
        stop: threading.Event,
        listener: ProgressListener,
        redactor: Redactor | None = None,
    ) -> tuple[ExportError, ...]:
        """Send a run folder to every sink, and wait until each has said yes or its tries or time have run out.

        One that failed an earlier delivery is not asked again. Returns what failed now, one error a sink.
        """
        delivery = Delivery(folder, stage, redactor or Redactor())
        failed = {number for number, record in self._records.items() if not record.ok}
        works = [
            _Work(sink, delivery, self._budget(sink, stop, listener), number, safely(listener))
            for number, sink in enumerate(self.sinks)
            if number not in failed
        ]
        for work in works:
            work.start()
        errors = []
        for work in works:
            record = work.wait()
            before = self._records.get(work.number)
            self._records[work.number] = record if before is None else _both(before, record)
            if not record.ok:
                errors.append(_error(record, folder))
        return tuple(errors)

    def _budget(self, sink: Sink, stop: threading.Event, listener: ProgressListener) -> Budget:
        tell = safely(listener)
        return Budget(
            retries=self.retries,
            timeout=self.timeout,
            stop=stop,
            tell=lambda text: tell(Progress(Phase.EXPORT, State.WARNING, sink.name, text)),
        )


class _Work:
    """One delivery to one sink, in a thread that is left behind if it hangs past its time."""

    def __init__(self, sink: Sink, delivery: Delivery, budget: Budget, number: int, listener: ProgressListener) -> None:
        self.number = number
        self._sink = sink
        self._delivery = delivery
        self._budget = budget
        self._listener = listener
        self._began = time.monotonic()
        self._message: str | None = None
        self._thread = threading.Thread(target=self._send, name=f"export {number}", daemon=True)

    def start(self) -> None:
        self._listener(Progress(Phase.EXPORT, State.STARTED, self._sink.name, str(self._delivery.stage)))
        self._thread.start()

    def _send(self) -> None:
        try:
            self._sink.send(self._delivery, self._budget)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sink did not take it, and destroy has to follow
            self._message = str(error) or type(error).__name__
        else:
            self._message = ""

    def wait(self) -> SinkRecord:
        while self._thread.is_alive() and self._budget.left() > -_OVERRUN:
            self._thread.join(_TICK)
        self._budget.close()
        given_up = f"it was left behind: {self._budget.spent()}"
        message = self._delivery.redactor.text(given_up if self._message is None else self._message)
        seconds = time.monotonic() - self._began
        state = State.FAILED if message else State.DONE
        self._listener(Progress(Phase.EXPORT, state, self._sink.name, message or str(self._delivery.stage), seconds))
        return SinkRecord(self._sink.name, not message, self._budget.attempts, seconds, message)


def _both(first: SinkRecord, second: SinkRecord) -> SinkRecord:
    attempts, seconds = max(first.attempts, second.attempts), first.seconds + second.seconds
    return SinkRecord(first.sink, second.ok, attempts, seconds, second.message)


def _error(record: SinkRecord, folder: Path) -> ExportError:
    tries = f"{record.attempts} {'try' if record.attempts == 1 else 'tries'}"
    return ExportError(
        f"Sent {folder} to {record.sink}, and it failed after {tries} in {record.seconds:.1f} s: {record.message}.",
        hint=f"The folder has all of it: `understudy export {folder.name}` sends it again.",
    )
