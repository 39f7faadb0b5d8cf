"""Progress of a run as typed events: every stage speaks through them, every renderer listens."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

__all__ = ["Phase", "Progress", "ProgressListener", "State", "safely", "silent", "stoppable"]


class Phase(StrEnum):
    """The stages of a run, in their order."""

    CLONE = "clone"
    BUILD = "build"
    PROVISION = "provision"
    READY = "ready"
    TEST = "test"
    EXPORT = "export"
    DESTROY = "destroy"
    RECEIPT = "receipt"


class State(StrEnum):
    """What happened to the subject."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing that happened: in which phase, to what (`""`: the phase itself), how it went; `seconds` it took.

    `at` is seconds since the epoch, `clock` the same moment by the monotonic clock.
    """

    phase: Phase
    state: State
    subject: str = ""
    detail: str = ""
    seconds: float | None = None
    at: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)


ProgressListener = Callable[[Progress], None]


def safely(listener: ProgressListener) -> ProgressListener:
    """A listener whose failure goes no further: clean-up must not end because nobody can be told of it."""

    def tell(event: Progress) -> None:
        with contextlib.suppress(Exception):
            listener(event)

    return tell


def stoppable(listener: ProgressListener, stop: threading.Event) -> ProgressListener:
    """A listener that hears of what fails once `stop` is set as stopped: it was told to end, and did not fail."""

    def tell(event: Progress) -> None:
        cut = event.state is State.FAILED and stop.is_set()
        listener(replace(event, state=State.STOPPED) if cut else event)

    return tell


def silent(_event: Progress) -> None:
    """The listener that listens to nothing."""
