"""Leases of what was destroyed without a word to us are closed by a look and a receipt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from teardown_world import LOST, FakeTarget, lease, store

from understudy.engine.fake import FakeEngine
from understudy.engine.interface import StackRef
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.owner import Owner, this_process
from understudy.receipts import find
from understudy.teardown import close_gone, settle

__all__ = ["lease", "store"]


def test_what_is_gone_is_closed_by_a_receipt_and_nothing_else(store: LeaseStore, lease: Lease) -> None:
    fake: Any = FakeTarget(held=[LOST])
    assert close_gone(lease, fake, store, lambda _: None) is None
    assert store.find(lease.id) is not None
    fake.held = []
    receipt = close_gone(lease, fake, store, lambda _: None)
    assert receipt is not None
    assert (store.find(lease.id), find(store, lease.id).receipt) == (None, receipt)  # type: ignore[union-attr]  # it is there


def test_settling_closes_what_plain_pulumi_destroyed_and_nothing_else(store: LeaseStore, lease: Lease) -> None:
    engine, target = FakeEngine(run_programs=False), FakeTarget()
    fake: Any = target
    assert settle(engine, fake, store, lambda _: None) == ()
    dead = replace(this_process(), started=1)
    handed = store.update(lease, state=LeaseState.HANDED_OVER, project="mine", stack="dev", owner=dead, plain=True)
    target.held = [LOST]
    assert settle(engine, fake, store, lambda _: None) == ()
    target.held = []
    engine.up(StackRef("mine", "dev"), lambda: None)
    assert settle(engine, fake, store, lambda _: None) == ()
    engine.destroy(StackRef("mine", "dev"), remove=False)
    (receipt,) = settle(engine, fake, store, lambda _: None)
    assert receipt.environment == handed.id
    assert store.list()[0] == ()


def test_a_handed_over_lease_of_another_host_is_settled_only_once_it_is_over(store: LeaseStore, lease: Lease) -> None:
    fake: Any = FakeTarget()
    stranger = Owner("elsewhere", "boot", 1, 1, "me")
    young = {"state": LeaseState.HANDED_OVER, "owner": stranger, "expires": "2999-01-01T00:00:00Z"}
    store.update(lease, **young)
    assert settle(FakeEngine(run_programs=False), fake, store, lambda _: None) == ()
    store.update(lease, expires="2026-01-01T01:00:00Z")
    assert len(settle(FakeEngine(run_programs=False), fake, store, lambda _: None)) == 1


def test_a_handed_over_lease_of_a_living_process_is_not_settled(store: LeaseStore, lease: Lease) -> None:
    store.update(lease, state=LeaseState.HANDED_OVER, project="mine", stack="dev")
    fake: Any = FakeTarget()
    assert settle(FakeEngine(run_programs=False), fake, store, lambda _: None) == ()
    assert len(store.list()[0]) == 1
