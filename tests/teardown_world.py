"""A target that teardown empties, and the lease of the environment on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from leases import a_lease

from understudy.engine.fake import FakeEngine
from understudy.errors import LeftoversError, ToolError
from understudy.lease import FolderShelf, Lease, LeaseStore
from understudy.stacks.identity import Whose
from understudy.targets.interface import Outcome, Owned, Receipt, Spare, Swept, spare_none

__all__ = ["LOST", "FakeTarget", "lease", "store"]


@dataclass
class FakeTarget:
    """A target that holds objects until they are swept; the engine's destroy removes what `by_engine` says."""

    here: str = "docker:one"
    held: list[Owned] = field(default_factory=list)
    stuck: bool = False
    silent: bool = False
    answers_after: int = 10**9
    swept: int = 0
    asked: int = 0
    looked: int = 0
    seen: Sequence[Owned] | None = None
    elsewhere: tuple[str, ...] = ()
    given: list[list[str]] = field(default_factory=list)
    """What the engine had done, each time that what lies elsewhere was taken away."""
    engine: FakeEngine | None = None
    foreseen: list[list[str]] = field(default_factory=list)
    """What the engine had done, each time that a look was foreseen."""

    def reach(self) -> None:
        self.identity()

    def identity(self) -> str:
        self.asked += 1
        if self.silent and self.asked > self.answers_after:
            self.silent, self.asked = False, 0
        if self.silent:
            raise ToolError("no answer")
        return self.here

    def inventory(self, _whose: Whose | None = None) -> tuple[Owned, ...]:
        return tuple(self.held)

    def foresee_look(self) -> None:
        self.foreseen.append([call.verb for call in self.engine.calls] if self.engine else [])

    def owed(self, _whose: Whose) -> tuple[str, ...]:
        return self.elsewhere

    def give_back(self, _whose: Whose) -> None:
        self.given.append([call.verb for call in self.engine.calls] if self.engine else [])
        if self.stuck:
            raise LeftoversError("Took away the database, and it failed.")
        self.elsewhere = ()

    def sweep(self, _whose: Whose, _spare: Spare = spare_none, seen: Sequence[Owned] | None = None) -> Swept:
        self.swept += 1
        self.seen = seen
        if self.stuck:
            return Swept((), tuple((owned, "in use") for owned in self.held))
        gone, self.held = tuple(self.held), []
        return Swept(gone, ())

    def receipt(self, whose: Whose, expected: str) -> Receipt:
        self.looked += 1
        if self.silent:
            return Receipt(whose.environment, expected, Outcome.UNKNOWN, "2026-01-01T00:00:00Z", reason="no answer")
        if expected != self.here:
            return Receipt(whose.environment, expected, Outcome.HOLD, "2026-01-01T00:00:00Z", reason="another daemon")
        outcome = Outcome.LEFTOVERS if self.held else Outcome.CLEAN
        return Receipt(whose.environment, expected, outcome, "2026-01-01T00:00:00Z", tuple(self.held))


LOST = Owned("container", "1", "e-lost")


@pytest.fixture
def store(tmp_path: Path) -> LeaseStore:
    return LeaseStore(FolderShelf(tmp_path / "leases"))


@pytest.fixture
def lease(store: LeaseStore, tmp_path: Path) -> Lease:
    tree = tmp_path / "trees" / "eaaaaaaaaaa" / "0123" / "files"
    tree.mkdir(parents=True)
    made = a_lease("eaaaaaaaaaa", tree=str(tree))
    store.create(made)
    return made
