"""When what began and ended: the phases of a run, and in them the things that were made, from its progress."""

from __future__ import annotations

from understudy.progress import Phase, Progress, State
from understudy.report import PhaseRecord, ResourceRecord, utc

__all__ = ["Timing"]

_MAKING = {Phase.BUILD: "build", Phase.PROVISION: ""}
"""The phases whose subjects are things that are made, and their kind; empty: the subject begins with it."""

_OVER = frozenset({State.DONE, State.FAILED, State.STOPPED})


class Timing:
    """Pairs beginnings with ends. `began` is the run's start by the monotonic clock; not safe for several threads."""

    def __init__(self, began: float) -> None:
        self.began = began
        self._open: dict[tuple[Phase, str], Progress] = {}

    @property
    def running(self) -> tuple[str, ...]:
        """The phases that are under way, the one that began first first."""
        return tuple(phase.value for phase, subject in self._open if not subject)

    def offset(self, event: Progress) -> float:
        """Seconds from the run's start to an event."""
        return event.clock - self.began

    def hear(self, event: Progress) -> PhaseRecord | ResourceRecord | None:
        """What an event ends; None: it ends nothing that began."""
        if event.subject and event.phase not in _MAKING:
            return None
        key = (event.phase, event.subject)
        if event.state is State.STARTED:
            self._open[key] = event
            return None
        if event.state not in _OVER:
            return None
        first = self._open.pop(key, None)
        if first is None:
            return None
        seconds, started, offset = event.clock - first.clock, utc(first.at), self.offset(first)
        ok = event.state is State.DONE
        if not event.subject:
            return PhaseRecord(event.phase.value, started, offset, seconds, ok)
        kind, name = _MAKING[event.phase], event.subject
        if not kind:
            kind, _, name = event.subject.partition(" ")
        return ResourceRecord(name, kind, started, offset, seconds, ok)
