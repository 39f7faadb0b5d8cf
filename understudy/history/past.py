"""What earlier runs say of tests and suites: how each ended, which failed last time, how long each takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from understudy.suites.results import Outcome, SuiteStatus

__all__ = ["BAD", "NOTHING", "VERDICTS", "Ended", "Pass", "Past", "clipped", "failed_last", "usual_seconds"]

KEPT = 10
"""Earlier runs that are told of a test or a suite."""

BAD = frozenset({Outcome.FAILED, Outcome.ERROR, SuiteStatus.FAILED, SuiteStatus.ERROR, SuiteStatus.TIMEOUT})
"""A test or suite that ended so has failed; an environment that died is no failure of a test."""

VERDICTS = BAD | {Outcome.PASSED, Outcome.FLAKY, Outcome.XPASSED, Outcome.XFAILED}
"""It ran to an end of its own: what was stopped, skipped or never began says nothing."""

_LONGEST_NAME = 400


@dataclass(frozen=True, slots=True)
class Ended:
    """How a test or suite ended in one earlier run, and whether that run was of this very branch."""

    outcome: str
    seconds: float
    own: bool = True


@dataclass(frozen=True, slots=True)
class Past:
    """What is known: (suite, test) and suite -> earlier ends, oldest first; `note` says which runs they come from.

    `problem` is why nothing could be read.
    """

    tests: Mapping[tuple[str, str], Sequence[Ended]] = field(default_factory=dict)
    suites: Mapping[str, Sequence[Ended]] = field(default_factory=dict)
    note: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """A suite as it passed: in which run, when that started, of which commit; test -> how it ended."""

    run: str
    started: str
    commit: str
    tests: Mapping[str, str]


NOTHING = Past()
"""No run is known."""


def failed_last(ends: Sequence[Ended]) -> bool:
    """Whether the newest verdict is a failure: that of this branch, or of the base where this branch has none.

    >>> failed_last([Ended("failed", 1.0), Ended("not-run", 0.0), Ended("passed", 1.0, own=False)])
    True
    """
    spoken = [end for end in ends if end.outcome in VERDICTS]
    own = [end for end in spoken if end.own]
    last = (own or spoken)[-1:]
    return bool(last) and last[0].outcome in BAD


def usual_seconds(ends: Iterable[Ended]) -> float | None:
    """The median of the runs that came to an end of their own, of the passed ones if there are any; None: no such.

    >>> usual_seconds([Ended("passed", 1.0), Ended("passed", 9.0), Ended("passed", 2.0), Ended("failed", 100.0)])
    2.0
    """
    spoken = [end for end in ends if end.outcome in VERDICTS]
    whole = [end.seconds for end in spoken if end.outcome not in BAD] or [end.seconds for end in spoken]
    return median(whole) if whole else None


def clipped(name: str, limit: int = _LONGEST_NAME) -> str:
    """A name as the database holds it: no NUL, no lone surrogate, and so short that every database can index it."""
    from hashlib import sha256

    text = name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if len(text) <= limit:
        return text
    return f"{text[: limit - 17]}~{sha256(text.encode()).hexdigest()[:16]}"
