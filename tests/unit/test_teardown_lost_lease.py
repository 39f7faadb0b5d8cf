"""A lease that is lost while its environment is torn down: it is written anew, so that what may remain has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from leases import a_lease

from tests.unit.test_teardown import LOST, FakeTarget
from understudy.engine.fake import FakeEngine
from understudy.errors import UnderstudyError
from understudy.lease import FolderShelf, Lease, LeaseState, LeaseStore
from understudy.owner import this_process
from understudy.progress import Progress, State
from understudy.targets.interface import Outcome
from understudy.teardown import tear_down


@pytest.fixture
def store(tmp_path: Path) -> LeaseStore:
    return LeaseStore(FolderShelf(tmp_path / "leases"))


@pytest.fixture
def lease(store: LeaseStore) -> Lease:
    made = a_lease("eaaaaaaaaaa")
    store.create(made)
    return made


def lose(store: LeaseStore, lease: Lease) -> None:
    store.close(lease)


def tear(store: LeaseStore, lease: Lease) -> None:
    Path(store.shelf.place(f"{lease.id}.json")).write_text("{", encoding="utf-8")


@pytest.mark.parametrize("damage", [lose, tear])
def test_a_lease_that_was_lost_is_there_while_its_environment_is_removed(
    store: LeaseStore, lease: Lease, damage: Callable[[LeaseStore, Lease], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(store, lease)
    engine = FakeEngine(run_programs=False)
    seen: list[Lease | None] = []
    monkeypatch.setattr(engine, "destroy", lambda *_, **__: seen.append(store.find(lease.id)))
    fake: Any = FakeTarget(held=[LOST], stuck=True)
    heard: list[Progress] = []
    kept = tear_down(lease, engine=engine, target=fake, store=store, listener=heard.append)
    assert kept.outcome is Outcome.LEFTOVERS
    assert seen[0] is not None
    assert (seen[0].state, seen[0].owner, seen[0].created) == (LeaseState.DESTROYING, this_process(), lease.created)
    assert [event.state for event in heard if "written anew" in event.detail] == [State.WARNING]
    assert store.read(lease.id).attempts == 1
    fake.stuck = False
    receipt = tear_down(lease, engine=engine, target=fake, store=store, listener=heard.append)
    assert (receipt.outcome, store.list()) == (Outcome.CLEAN, ((), ()))
    assert len([event for event in heard if "written anew" in event.detail]) == 1


def test_an_environment_made_anew_while_its_lost_lease_is_restored_is_left_alone(
    store: LeaseStore, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close(lease)
    restore = store.restore

    def overtaken(mine: Lease) -> None:
        store.create(replace(lease, created="2026-01-01T00:30:00Z"))
        restore(mine)

    monkeypatch.setattr(store, "restore", overtaken)
    engine, fake = FakeEngine(run_programs=False), FakeTarget(held=[LOST])
    target: Any = fake
    tear_down(lease, engine=engine, target=target, store=store, listener=lambda _: None)
    assert engine.calls == []
    assert store.read(lease.id).created == "2026-01-01T00:30:00Z"


def test_a_lease_that_cannot_be_written_stops_no_removal(
    store: LeaseStore, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Lease:
        raise UnderstudyError("Wrote the lease, and the disk is full.")

    monkeypatch.setattr(store, "update", refuse)
    heard: list[Progress] = []
    target: Any = FakeTarget(held=[LOST])
    engine = FakeEngine(run_programs=False)
    receipt = tear_down(lease, engine=engine, target=target, store=store, listener=heard.append)
    assert receipt.outcome is Outcome.CLEAN
    assert [event.state for event in heard if "the disk is full" in event.detail] == [State.WARNING]
