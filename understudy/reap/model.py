"""What the reaper knows and what it says: facts as they were read, and a verdict with its reason; no effects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from understudy.engine.interface import StackRef
from understudy.lease import Lease
from understudy.targets.interface import Owned

__all__ = ["Facts", "Judgement", "LeaseFact", "Policy", "StackFact", "Subject", "Verdict"]


class Judgement(StrEnum):
    """What is to become of a subject."""

    KEEP = "keep"
    REAP = "reap"
    HOLD = "hold"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LeaseFact:
    """A lease and what is known about it.

    `alive`: whether its owner is, None: it cannot be looked at from here. `mine`: the owner is this very process.
    `branch_gone`: None where nobody knows.
    """

    lease: Lease
    alive: bool | None
    mine: bool = False
    branch_gone: bool | None = None

    @property
    def restored(self) -> bool:
        """Whether a reaper wrote it for an environment that had lost its own; the objects' labels go on to count."""
        return not self.lease.topology and not self.lease.commit


@dataclass(frozen=True, slots=True)
class StackFact:
    """A stack of the backend.

    `resources`: how many its state has, None: unknown. `locked`: by which process, not known to be gone. `target` and
    `not_after`: what the labels in its state say, read for stacks with resources and no lease; `""`: nothing.
    """

    ref: StackRef
    resources: int | None
    locked: str = ""
    target: str = ""
    not_after: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a verdict may lean on, as it was read.

    Attributes:
        target: its identity; `""`: it did not say.
        now: the moment by this machine's clock.
        clock: the same moment by the target's own clock; None: it did not say.
        leases: of the backend, whichever target they name.
        broken: ids of the leases that cannot be read.
        objects: of the target, with any label of ours, whole sets or not.
        stacks: of the backend; None: nobody looked.
        problems: why something could not be listed; nothing is taken then.
        jump: how far this machine's clock went ahead against its own uptime, as far as that is not believed yet.
        backend: the id of the backend whose leases these are; `""`: it has none yet.
    """

    target: str
    now: datetime
    clock: datetime | None = None
    leases: tuple[LeaseFact, ...] = ()
    broken: tuple[str, ...] = ()
    objects: tuple[Owned, ...] = ()
    stacks: tuple[StackFact, ...] | None = None
    problems: tuple[str, ...] = ()
    jump: timedelta = timedelta(0)
    backend: str = ""

    @property
    def skew(self) -> timedelta:
        """How far the two clocks are apart."""
        return abs(self.now - self.clock) if self.clock is not None else timedelta(0)

    @property
    def moment(self) -> datetime:
        """The earlier of the two clocks, UTC: with one of them right, nothing goes too early."""
        return min(self.now, self.clock or self.now).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Policy:
    """`older_than`: seconds since creation after which an environment with a lease goes too; 0: never for that."""

    older_than: float = 0.0


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What a verdict is on: an environment, stack, lease or clock, or a single container, network or volume.

    `backend`: the id of the other backend that made the environment; `""`: it is this one's.
    """

    kind: str
    name: str
    backend: str = ""

    def __str__(self) -> str:
        """As it stands in a line."""
        return f"{self.kind} {self.name}" + (f" of backend {self.backend}" if self.backend else "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement and its reason.

    `doubt`: it was kept because it could not be judged. `objects`: how many of the environment the target holds.
    `attempts`: removals that failed before. `ask`: why the owner, which is at work, is to be asked to stop; `""`: not.
    `back`: its owner died, and it is to be given back to its lease.
    """

    kind: Judgement
    subject: Subject
    reason: str
    doubt: bool = False
    objects: int = 0
    attempts: int = 0
    ask: str = ""
    back: bool = False
