"""The heartbeat renews what its process owns, hears once that it is asked to stop, and survives what fails."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.test_lease import a_lease
from understudy.errors import UnderstudyError
from understudy.heartbeat import Heartbeat
from understudy.lease import FolderShelf, LeaseState, LeaseStore
from understudy.owner import Owner, this_process
from understudy.stacks.identity import format_time

LONG_AGO = format_time(datetime.now(UTC) - timedelta(hours=1))
OTHER = Owner("elsewhere", "boot", 7, 7, "somebody")


class Watched(FolderShelf):
    """Looks often, and tells how often it was asked."""

    renew_every = 0.02
    look_every = 0.01

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.looked = threading.Semaphore(0)
        self.failing = False

    def read(self, name: str) -> bytes | None:
        self.looked.release()
        if self.failing:
            raise UnderstudyError("the disk is away")
        return super().read(name)

    def look(self, times: int) -> None:
        for _ in range(times):
            assert self.looked.acquire(timeout=20)


class Stops(list[str]):
    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()

    def __call__(self, reason: str) -> None:
        self.append(reason)
        self.came.set()


@pytest.fixture
def shelf(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "leases")


@pytest.fixture
def store(shelf: Watched) -> LeaseStore:
    return LeaseStore(shelf)


def test_a_lease_is_renewed_while_its_owner_works(store: LeaseStore, shelf: Watched) -> None:
    lease = a_lease(renewed=LONG_AGO)
    store.create(lease)
    stops = Stops()
    with Heartbeat(store, lease, stops):
        shelf.look(8)
    assert store.read(lease.id).renewed > LONG_AGO
    assert stops == []


def test_who_is_asked_to_stop_hears_it_once(store: LeaseStore, shelf: Watched) -> None:
    lease = a_lease()
    store.create(lease)
    stops = Stops()
    with Heartbeat(store, lease, stops):
        store.update(lease, asked_to_stop="superseded by commit abc123")
        assert stops.came.wait(20)
        shelf.look(8)
    assert stops == ["superseded by commit abc123"]


def test_a_new_owner_is_not_asked_what_the_old_one_was(store: LeaseStore, shelf: Watched) -> None:
    lease = a_lease(owner=replace(this_process(), pid=1), asked_to_stop="understudy down")
    store.create(lease)
    stops = Stops()
    mine = store.update(lease, owner=this_process(), state=LeaseState.DESTROYING)
    with Heartbeat(store, mine, stops):
        shelf.look(8)
    assert stops == []


def test_who_lost_the_lease_hears_it_and_renews_nothing(store: LeaseStore, shelf: Watched) -> None:
    lease = a_lease()
    store.create(lease)
    stops = Stops()
    with Heartbeat(store, lease, stops):
        store.update(lease, owner=OTHER, renewed=LONG_AGO)
        assert stops.came.wait(20)
        shelf.look(8)
    assert stops == ["process 7 of somebody on elsewhere took the environment over"]
    assert store.read(lease.id).renewed == LONG_AGO


def test_a_lease_that_is_anothers_is_left_alone(store: LeaseStore, shelf: Watched) -> None:
    lease = a_lease(owner=OTHER, renewed=LONG_AGO)
    store.create(lease)
    stops = Stops()
    with Heartbeat(store, lease, stops):
        shelf.look(8)
        assert store.read(lease.id).renewed == LONG_AGO
    assert stops == []


def test_a_store_that_fails_is_asked_again_and_a_closed_lease_ends_it(store: LeaseStore, shelf: Watched) -> None:
    lease = a_lease()
    store.create(lease)
    stops = Stops()
    shelf.failing = True
    with Heartbeat(store, lease, stops) as heart:
        shelf.look(5)
        shelf.failing = False
        store.update(lease, asked_to_stop="understudy down")
        assert stops.came.wait(20)
        store.close(lease)
        heart._thread.join(20)
        assert not heart._thread.is_alive()
    assert stops == ["understudy down"]
