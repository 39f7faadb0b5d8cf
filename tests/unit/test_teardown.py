from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from teardown_world import LOST, FakeTarget, lease, store

from understudy.engine.errors import EngineCrashedError
from understudy.engine.fake import FakeEngine
from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Lock
from understudy.errors import NotFoundError
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.owner import this_process
from understudy.progress import Progress, State
from understudy.session import find_lease
from understudy.stacks.identity import Whose
from understudy.targets.interface import Outcome, Owned, Receipt
from understudy.teardown import tear_down

__all__ = ["lease", "store"]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.removal.COMEBACK", 0.1)


def start_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])


Down = Callable[..., tuple[Receipt, list[Progress]]]


@pytest.fixture
def down(lease: Lease, store: LeaseStore) -> Down:
    def work(target: FakeTarget, engine: FakeEngine) -> tuple[Receipt, list[Progress]]:
        heard: list[Progress] = []
        fake: Any = target
        return tear_down(lease, engine=engine, target=fake, store=store, listener=heard.append), heard

    return work


def test_a_clean_receipt_closes_the_lease_and_removes_the_trees(down: Down, store: LeaseStore, lease: Lease) -> None:
    target = FakeTarget()
    receipt, _ = down(target, FakeEngine(run_programs=False))
    assert receipt.outcome is Outcome.CLEAN
    assert target.looked == 1  # the one after the removal: on AWS a look is dozens of requests
    assert store.list() == ((), ())
    assert not Path(lease.tree).parents[1].exists()


def test_what_the_engine_did_not_know_is_swept_and_told(down: Down, store: LeaseStore) -> None:
    target = FakeTarget(held=[LOST])
    receipt, heard = down(target, FakeEngine(run_programs=False))
    assert receipt.outcome is Outcome.CLEAN
    assert (target.swept, target.seen) == (1, (LOST,))
    assert any(event.state is State.WARNING and "e-lost" in event.subject for event in heard)
    assert store.list()[0] == ()


def test_what_cannot_be_removed_keeps_the_lease(down: Down, store: LeaseStore) -> None:
    receipt, heard = down(FakeTarget(held=[LOST], stuck=True), FakeEngine(run_programs=False))
    assert receipt.outcome is Outcome.LEFTOVERS
    assert store.list()[0][0].state is LeaseState.DESTROYING
    assert any(event.state is State.FAILED and event.detail == "in use" for event in heard)


def test_a_look_is_foreseen_before_the_engine_destroys(down: Down) -> None:
    engine = FakeEngine(run_programs=False)
    target = FakeTarget(engine=engine)
    down(target, engine)
    assert target.foreseen == [[]]
    assert "destroy" in [call.verb for call in engine.calls]


def test_what_lies_elsewhere_is_given_back_before_the_engine_destroys(down: Down) -> None:
    engine = FakeEngine(run_programs=False)
    target = FakeTarget(elsewhere=("the database",), engine=engine)
    receipt, heard = down(target, engine)
    assert receipt.outcome is Outcome.CLEAN
    assert target.given == [[]]
    assert "destroy" in [call.verb for call in engine.calls]
    assert [e.state for e in heard if e.subject == "shared instances"] == [State.STARTED, State.DONE]


def test_what_cannot_be_given_back_keeps_the_whole_environment(down: Down, store: LeaseStore) -> None:
    engine = FakeEngine(run_programs=False)
    target = FakeTarget(held=[LOST], elsewhere=("the database",), stuck=True, engine=engine)
    receipt, _ = down(target, engine)
    assert (receipt.outcome, receipt.reason) == (Outcome.LEFTOVERS, "Took away the database, and it failed.")
    assert (target.swept, engine.calls) == (0, [])
    (kept,) = store.list()[0]
    assert (kept.state, kept.attempts) == (LeaseState.DESTROYING, 1)


def test_another_target_is_left_alone(down: Down, store: LeaseStore) -> None:
    target, engine = FakeTarget(here="docker:two", held=[LOST]), FakeEngine(run_programs=False)
    receipt, _ = down(target, engine)
    assert receipt.outcome is Outcome.HOLD
    assert engine.calls == []
    assert target.swept == 0
    assert store.list()[0][0].state is LeaseState.PROVISIONING


def test_a_target_that_does_not_answer_is_unknown_and_never_clean(down: Down, store: LeaseStore) -> None:
    receipt, _ = down(FakeTarget(silent=True), FakeEngine(run_programs=False))
    assert receipt.outcome is Outcome.UNKNOWN
    assert len(store.list()[0]) == 1


def test_an_engine_that_fails_is_helped_by_the_sweep_but_its_state_counts(down: Down, store: LeaseStore) -> None:
    crashed = EngineCrashedError("it crashed")
    engine = FakeEngine(run_programs=False, fail={"destroy": crashed, "discard": crashed})
    receipt, heard = down(FakeTarget(held=[LOST]), engine)
    assert receipt.outcome is Outcome.LEFTOVERS
    assert [owned.kind for owned in receipt.leftovers] == ["stack"]
    assert any("it crashed" in event.detail for event in heard)
    assert len(store.list()[0]) == 1


def test_a_state_of_no_use_is_removed_once_the_target_is_clean_and_said_to_be(down: Down, store: LeaseStore) -> None:
    engine = FakeEngine(run_programs=False, fail={"destroy": EngineCrashedError("it crashed")})
    receipt, heard = down(FakeTarget(held=[LOST]), engine)
    assert receipt.outcome is Outcome.CLEAN
    assert "the stack's state was of no use" in receipt.reason
    assert [call.verb for call in engine.calls] == ["destroy", "refresh", "destroy", "discard"]
    assert any("removed by label" in event.detail for event in heard)
    assert store.list()[0] == ()


def test_the_state_of_a_users_own_stack_is_never_removed_unread(store: LeaseStore, lease: Lease) -> None:
    engine = FakeEngine(run_programs=False, fail={"destroy": EngineCrashedError("it crashed")})
    fake: Any = FakeTarget(held=[LOST])
    own = store.update(lease, plain=True, project="mine", stack="dev")
    receipt = tear_down(own, engine=engine, target=fake, store=store, listener=lambda _: None)
    assert receipt.outcome is Outcome.LEFTOVERS
    assert "your own" in receipt.reason
    assert "discard" not in [call.verb for call in engine.calls]
    assert fake.held == []


@pytest.fixture
def holder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lock]:
    """A lock of a living process, which is waited for only shortly."""
    monkeypatch.setattr("understudy.removal.LOCK_WAIT", 0.3)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield Lock("joe", this_process().host, child.pid, datetime.now(UTC).isoformat(), "/a")
        child.kill()


@pytest.mark.parametrize("held", [[LOST], []])
def test_under_a_living_pulumi_nothing_is_removed_and_nothing_is_clean(
    down: Down, store: LeaseStore, holder: Lock, held: list[Owned]
) -> None:
    engine, target = FakeEngine(run_programs=False), FakeTarget(held=list(held), elsewhere=("the database",))
    engine.locked[StackRef("understudy", "eaaaaaaaaaa")] = [holder]
    receipt, _ = down(target, engine)
    assert receipt.outcome is Outcome.LEFTOVERS
    assert target.given == []
    assert f"its stack is locked by process {holder.pid}" in receipt.reason
    assert target.held == held
    assert engine.locks(StackRef("understudy", "eaaaaaaaaaa")) == (holder,)
    (kept,) = store.list()[0]
    assert (kept.attempts, kept.last_failure) == (1, receipt.reason)


GONE = replace(this_process(), started=1)


@pytest.mark.parametrize(
    ("former", "locked", "at_once"),
    [
        ({"owner": GONE, "state": LeaseState.TESTING}, False, True),
        ({"owner": GONE, "state": LeaseState.TESTING}, True, False),
        ({"owner": GONE, "state": LeaseState.TESTING, "plain": True}, False, False),
        ({"owner": GONE, "state": LeaseState.KEPT}, False, False),
        ({"owner": GONE, "state": LeaseState.TESTING, "target": "aws:123456789012:eu-west-1"}, False, False),
        ({}, False, False),
    ],
)
def test_what_a_dead_owner_left_running_ends_before_the_engine_begins(
    monkeypatch: pytest.MonkeyPatch,
    store: LeaseStore,
    lease: Lease,
    holder: Lock,
    former: dict[str, Any],
    *,
    locked: bool,
    at_once: bool,
) -> None:
    engine, fake = FakeEngine(run_programs=False), FakeTarget(former.get("target", "docker:one"), held=[LOST])
    if locked:
        engine.locked[StackRef("understudy", lease.id)] = [holder]
    held: list[bool] = []

    def destroy(*arguments: Any, **named: Any) -> None:
        held.append(bool(fake.held))
        FakeEngine.destroy(engine, *arguments, **named)

    monkeypatch.setattr(engine, "destroy", destroy)
    target: Any = fake
    before = replace(store.update(lease, **former), owner=former.get("owner", lease.owner))
    taken = store.update(before, owner=this_process())
    heard: list[Progress] = []
    tear_down(taken, engine=engine, target=target, store=store, listener=heard.append, former=before)
    assert held[0] is not at_once
    assert ("removed by label" in " ".join(event.detail for event in heard)) is not (at_once or locked)


def test_a_target_that_comes_back_in_time_is_waited_for_and_it_is_told_once(
    down: Down, store: LeaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.removal.COMEBACK", 30)
    monkeypatch.setattr("understudy.removal._LOOK", 0.01)
    target = FakeTarget(held=[LOST], silent=True, answers_after=3)
    receipt, heard = down(target, FakeEngine(run_programs=False))
    assert receipt.outcome is Outcome.CLEAN
    assert [event.subject for event in heard].count("target") == 1
    assert store.list()[0] == ()


def test_a_target_that_goes_away_while_it_is_emptied_is_tried_again(
    down: Down, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.removal._LOOK", 0.01)
    target = FakeTarget(held=[LOST])
    looks = iter([False, True])
    receipt_of = target.receipt

    def receipt(whose: Whose, expected: str) -> Receipt:
        if target.swept == 0 and target.asked and next(looks, False):
            target.silent, target.answers_after = True, 2
        return receipt_of(whose, expected)

    monkeypatch.setattr(target, "receipt", receipt)
    got, _ = down(target, FakeEngine(run_programs=False))
    assert got.outcome is Outcome.CLEAN
    assert target.held == []


def test_what_another_living_process_destroys_is_left_to_it(
    down: Down, store: LeaseStore, lease: Lease, holder: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.teardown.LOCK_WAIT", 0.2)
    other = replace(this_process(), pid=holder.pid, started=start_of(holder.pid))
    store.update(lease, state=LeaseState.DESTROYING, owner=other)
    engine, target = FakeEngine(run_programs=False), FakeTarget()
    receipt, heard = down(target, engine)
    assert receipt.outcome is Outcome.UNKNOWN
    assert f"process {holder.pid}" in receipt.reason
    assert engine.calls == []
    assert store.read(lease.id).owner == other
    assert any("left to that one" in event.detail for event in heard)


def test_an_environment_made_anew_under_the_same_id_is_left_alone(down: Down, store: LeaseStore, lease: Lease) -> None:
    store.close(lease)
    store.create(replace(lease, created="2026-01-01T00:30:00Z"))
    engine = FakeEngine(run_programs=False)
    down(FakeTarget(held=[LOST]), engine)
    assert engine.calls == []
    assert store.read(lease.id).state is LeaseState.PROVISIONING


def test_a_lease_that_cannot_be_closed_is_left_over(down: Down, store: LeaseStore, lease: Lease) -> None:
    place = Path(store.shelf.place(f"{lease.id}.json"))
    place.unlink()
    (place / "in the way").mkdir(parents=True)
    receipt, _ = down(FakeTarget(), FakeEngine(run_programs=False))
    assert receipt.outcome is Outcome.LEFTOVERS
    assert [owned.kind for owned in receipt.leftovers] == ["lease"]
    assert str(place) in receipt.reason


def test_without_a_kept_receipt_the_lease_stays(down: Down, store: LeaseStore, lease: Lease) -> None:
    place = Path(store.shelf.place(f"receipts/{lease.id}.json"))
    place.parent.write_text("in the way")
    receipt, _ = down(FakeTarget(), FakeEngine(run_programs=False))
    assert (receipt.outcome, [owned.kind for owned in receipt.leftovers]) == (Outcome.LEFTOVERS, ["lease"])
    assert "its receipt could not be kept" in receipt.reason
    assert store.find(lease.id) is not None


def test_nobody_to_tell_and_a_lease_that_is_gone_stop_no_clean_up(store: LeaseStore, lease: Lease) -> None:
    def deaf(_: Progress) -> None:
        raise BrokenPipeError

    store.close(lease)
    target, engine = FakeTarget(held=[LOST]), FakeEngine(run_programs=False)
    fake: Any = target
    receipt = tear_down(lease, engine=engine, target=fake, store=store, listener=deaf)
    assert receipt.outcome is Outcome.CLEAN
    assert [call.verb for call in engine.calls] == ["destroy"]
    assert target.swept == 1


def test_an_environment_is_found_by_id_stack_name_or_branch(store: LeaseStore, lease: Lease) -> None:
    store.create(replace(lease, id="ebbbbbbbbbb", stack="dev", project="mine", branch="other", key="nightly"))
    store.create(replace(lease, id="ecccccccccc", stack="x", repository="another", key="feature"))
    for name in ("ebbbbbbbbbb", "dev", "mine/dev", "nightly", "other"):
        assert find_lease(store, name).id == "ebbbbbbbbbb"
    assert find_lease(store, None, "feature", "r").id == lease.id
    assert find_lease(store, None, "feature", "another").id == "ecccccccccc"
    with pytest.raises(NotFoundError, match="2 match"):
        find_lease(store, "feature")
    for nowhere in ((None, ""), (None, "feature", "third")):
        with pytest.raises(NotFoundError, match="there is none"):
            find_lease(store, *nowhere)
    with pytest.raises(NotFoundError, match="'nothing'"):
        find_lease(store, "nothing")
