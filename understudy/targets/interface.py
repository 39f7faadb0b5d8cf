"""A target's interface: who it is, what it holds of an environment, and how that is removed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from understudy.engine.interface import Seen
from understudy.redact import Redactor
from understudy.stacks.identity import Whose
from understudy.targets.watching import Watch

__all__ = [
    "ContainerFacts",
    "Followed",
    "Follower",
    "Noted",
    "Observed",
    "Outcome",
    "Owned",
    "Receipt",
    "Sampler",
    "Spare",
    "Stray",
    "Swept",
    "Target",
    "Usage",
    "spare_none",
]


@dataclass(frozen=True, slots=True, order=True)
class Owned:
    """One object and its labels, tags on AWS. `kind`: container, network, volume; on AWS what `aws.order` names."""

    kind: str
    id: str
    name: str
    labels: Mapping[str, str] = field(compare=False, default_factory=dict)
    deregistered: bool = field(compare=False, default=False)
    """Whether it is but a record of what was: all that the engine's own deletion makes of a task definition."""


class Outcome(StrEnum):
    """What the second look found."""

    CLEAN = "CLEAN"
    LEFTOVERS = "LEFTOVERS"
    UNKNOWN = "UNKNOWN"
    HOLD = "HOLD"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof after destroy: what a second listing by label found, on which target, when (RFC 3339)."""

    environment: str
    target: str
    outcome: Outcome
    taken_at: str
    leftovers: tuple[Owned, ...] = ()
    reason: str = ""
    looked: Mapping[str, int] = field(default_factory=dict)
    """Kind -> how many objects of that kind the listing showed in all, ours or not."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed and what it could not, with the reason."""

    removed: tuple[Owned, ...] = ()
    failed: tuple[tuple[Owned, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """State of one container of an environment, as evidence: JSON-ready facts without environment variables."""

    name: str
    service: str
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one container used over all its starts, by samples: seconds of processors, bytes; None: not known."""

    service: str
    container: str
    cpu_seconds: float | None = None
    memory_peak: int | None = None
    memory_limit: int | None = None
    received: int | None = None
    sent: int | None = None
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Followed:
    """What was seen of an environment's containers from their creation on, those that are gone too.

    `problems` names each log that is not whole, and why.
    """

    logs: tuple[Path, ...] = ()
    containers: tuple[ContainerFacts, ...] = ()
    usage: tuple[Usage, ...] = ()
    problems: tuple[str, ...] = ()


Sampler = Callable[[Mapping[str, object]], None]
"""Takes one sample of a container's use: `service`, `container`, and the counters, JSON-ready."""


class Follower(Protocol):
    """What follows the containers of one environment, and writes their logs as they come."""

    def finish(self) -> Followed:
        """Look once more, and say what was seen; only logs of containers that are still there go on until `close`.

        Raises nothing: what could not be had is among the problems.
        """

    def close(self, *, destroyed: bool) -> tuple[str, ...]:
        """End the logs: of what was `destroyed` with all that it said meanwhile; returns further problems."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What a target shows of one resource beside what the resource's provider does.

    `state`: that it stopped or is paused; empty: it runs, or is nothing that runs. `detail`: more, in words.
    `properties`: of each the path, its value as provisioned and as it is (None: absent).
    """

    state: Literal["", "stopped", "paused"] = ""
    detail: str = ""
    properties: tuple[tuple[str, object, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Stray:
    """What the state of an environment does not have and is in it all the same; `detail` says how that was seen."""

    kind: str
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What a target shows of an environment beside what the providers of its resources do; `noted` goes by URN."""

    noted: Mapping[str, Noted] = field(default_factory=dict)
    strays: tuple[Stray, ...] = ()


Spare = Callable[[Mapping[str, str]], str]
"""Says of an object's labels why it is to be kept; `""`: there is no reason."""


def spare_none(_labels: Mapping[str, str]) -> str:
    """No reason to keep anything."""
    return ""


@runtime_checkable
class Target(Protocol):
    """A place where clones run."""

    def identity(self) -> str:
        """`docker:<daemon id>` or `aws:<account>:<region>`; asked of the target each time.

        Raises:
            ToolError: the target does not answer.
        """

    def reach(self) -> None:
        """Hold that it takes a new connection: one that is going down serves old ones for a while.

        Raises:
            ToolError: it does not.
        """

    def foresee_look(self) -> None:
        """Hear that a look follows what is waited for now: what it needs before its first request is made meanwhile."""

    def inventory(self, whose: Whose | None = None) -> tuple[Owned, ...]:
        """All objects with all ownership labels, of one environment or of all.

        Raises:
            ToolError: a listing failed; nothing is known then.
        """

    def claimed(self) -> tuple[Owned, ...]:
        """All objects with any label in our namespace, however it is spelt, whole sets or not.

        Raises:
            ToolError: a listing failed; nothing is known then.
        """

    def clock(self) -> datetime:
        """The moment by the target's own clock, UTC.

        Raises:
            ToolError: the target does not say.
        """

    def owed(self, whose: Whose) -> tuple[str, ...]:
        """What an environment has outside of its own objects, in words, such as a database on a shared instance.

        No engine and no sweep takes that away, and what is known of it goes with the environment.

        Raises:
            ToolError: the target does not answer.
        """

    def give_back(self, whose: Whose) -> None:
        """Take away what is `owed`; doing it again does no harm.

        Raises:
            LeftoversError: it failed, so that nothing else may be removed yet.
            ToolError: the target does not answer.
        """

    def sweep(self, whose: Whose, spare: Spare = spare_none, seen: Sequence[Owned] | None = None) -> Swept:
        """Remove all that carries all ownership labels of one environment, re-reading the labels before each removal.

        Anonymous volumes go with their containers. What is already gone counts as removed. What `spare` has a reason
        to keep by the labels just read stays, and is among the failures. Where a listing is dear, it begins with what a
        look has just `seen` of the environment. What is `owed` is taken away first, or nothing is removed.
        """

    def receipt(self, whose: Whose, expected: str) -> Receipt:
        """Look again: CLEAN, LEFTOVERS, UNKNOWN (a listing failed) or HOLD (another target than `expected`).

        What another backend has under the same environment's id is not looked for; its reason says that it is there.
        """

    def observe(self, whose: Whose, seen: Sequence[Seen]) -> Observed:
        """What shows of an environment here and nowhere in what the engine has just `seen` of its resources.

        Nothing is changed. What the target itself makes by the way, and what suites run in, is no stray.

        Raises:
            ToolError: a listing failed.
        """

    def wait_ready(self, whose: Whose, timeout: float, stop: threading.Event | None = None) -> Mapping[str, float]:
        """Wait until every container of the environment is ready; service -> seconds waited.

        Raises:
            ProvisionError: one is dead for good or not ready in time, with its last log lines.
        """

    def watch(self, whose: Whose) -> AbstractContextManager[Watch]:
        """Eyes on the environment's services for as long as the context lasts."""

    def endpoints(self, whose: Whose) -> Mapping[str, tuple[str, int]]:
        """`<service>:<port>` -> host and port where tests reach it."""

    def containers(self, whose: Whose) -> tuple[ContainerFacts, ...]:
        """State, health and resource facts of all containers of the environment, dead ones too."""

    def follow(self, whose: Whose, folder: Path, redactor: Redactor, sample: Sampler) -> Follower:
        """Follow every container of the environment, those to come too.

        Each one's whole log, both streams, with time stamps and without secrets, goes to `folder/<service>.log`.
        """

    def lines(self, whose: Whose, services: tuple[str, ...], *, follow: bool) -> Iterator[tuple[str, str]]:
        """(service, line with its time stamp) of the named services or of all; with `follow` also those to come."""
