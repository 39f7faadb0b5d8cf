"""What the parts of a run have come to while they run: a pure count that says when the others have to end."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

from understudy.errors import InterruptedRunError, ProvisionError, UsageError
from understudy.progress import Phase, Progress, State
from understudy.suites.shards import Shard

__all__ = ["Reason", "Tally", "how_it_ended"]

_MAKING = frozenset({Phase.CLONE, Phase.BUILD, Phase.PROVISION, Phase.READY})
_ENDS_ALL = frozenset({UsageError.exit_code, ProvisionError.exit_code, InterruptedRunError.exit_code})
"""Exit codes of a part without which there is no whole. Failed tests are counted one by one; what remained of an
environment, or was not exported, is no reason to end tests."""

_WORDS = 400


@dataclass(frozen=True, slots=True)
class Reason:
    """Why parts have to end: which one was the cause, in words, and when, in seconds since the epoch."""

    shard: Shard
    why: str
    at: float


@dataclass(slots=True)
class Tally:
    """Failures of all parts. `stop_after` of them, or one part that cannot go on, end the others; None: nothing does.

    >>> tally = Tally(1)
    >>> tally.hear(Shard(1, 2), Progress(Phase.TEST, State.FAILED, "api: test_x", "assert 0", at=5.0))
    >>> tally.reason.why
    'part 1/2: test test_x failed in suite api'
    """

    stop_after: int | None
    reason: Reason | None = None
    _failed: dict[tuple[Shard, str, str], None] = field(default_factory=dict)

    def hear(self, shard: Shard, event: Progress) -> None:
        """Take in what a part says."""
        if event.state is not State.FAILED:
            return
        if event.phase in _MAKING and not event.subject and event.detail:
            self._end(shard, " ".join(event.detail.split())[:_WORDS], event.at)
        elif event.phase is Phase.TEST and event.subject:
            self._failure(shard, event)

    def _failure(self, shard: Shard, event: Progress) -> None:
        """A test that failed, told as `SUITE: ID`, or a suite, which counts where no test of it did."""
        suite, _, test = event.subject.partition(": ")
        if not test and any(key[:2] == (shard, suite) for key in self._failed):
            return
        self._failed[shard, suite, test] = None
        if self.stop_after is None or len(self._failed) < self.stop_after:
            return
        said = f"test {test} failed in suite {suite}" if test else f"suite {suite}: {event.detail}"
        many = f"{len(self._failed)} tests failed, the last of them: " if len(self._failed) > 1 else ""
        self._end(shard, many + said, event.at)

    def ended(self, shard: Shard, code: int, at: float) -> None:
        """Take in that a part's process has ended."""
        if code in _ENDS_ALL or code < 0:
            self._end(shard, how_it_ended(code), at)

    def _end(self, shard: Shard, why: str, at: float) -> None:
        if self.stop_after is not None and self.reason is None:
            self.reason = Reason(shard, f"part {shard}: {why}", at)


def how_it_ended(code: int) -> str:
    """A process's exit code in words.

    >>> how_it_ended(3), how_it_ended(-9)
    ('its process ended with exit code 3', 'its process was ended by SIGKILL')
    """
    if code >= 0:
        return f"its process ended with exit code {code}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"
