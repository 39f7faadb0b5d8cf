from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from leases import a_lease

from understudy import waiting
from understudy.engine.fake import FakeEngine
from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Lock
from understudy.errors import InterruptedRunError, NotFoundError
from understudy.lease import BusyError, FolderShelf, Lease, LeaseExistsError, LeaseState, LeaseStore
from understudy.options import resolve
from understudy.owner import Owner, this_process
from understudy.progress import Progress
from understudy.stacks.identity import format_time

REF = StackRef("understudy", "eaaaaaaaaaa")


class Other:
    """Another process that owns a lease, until it is let go."""

    def __init__(self) -> None:
        script = (
            "import dataclasses, json; from understudy.owner import this_process;"
            "print(json.dumps(dataclasses.asdict(this_process())), flush=True); input()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.owner = Owner(**json.loads(self.process.stdout.readline()))

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def other() -> Iterator[Other]:
    made = Other()
    yield made
    made.end()


@pytest.fixture
def lease(store: LeaseStore, other: Other) -> Lease:
    made = a_lease(
        REF.name,
        owner=other.owner,
        created=format_time(datetime.now(UTC)),
        expires="2999-01-01T00:00:00Z",
        not_after="2999-01-02T00:00:00Z",
    )
    store.create(made)
    return made


@pytest.fixture
def store(tmp_path: Path) -> LeaseStore:
    return LeaseStore(FolderShelf(tmp_path / "leases"))


@pytest.fixture
def session(store: LeaseStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(waiting, "_LOOK", 0.02)
    heard: list[Progress] = []
    return SimpleNamespace(
        store=store,
        engine=FakeEngine(run_programs=False),
        listener=heard.append,
        heard=heard,
        stop=threading.Event(),
        options=resolve({"lock_timeout": "30"}, {}, None),
    )


def test_without_patience_it_fails_at_once_and_says_who_and_since_when(session: Any, lease: Lease) -> None:
    with pytest.raises(BusyError) as caught:
        waiting.wait_idle(session, lease, 0)
    assert caught.value.exit_code == 7
    owner = lease.owner
    assert f"provisioning by process {owner.pid} of {owner.user} on {owner.host} since 20" in str(caught.value)
    assert "--lock-timeout" in str(caught.value)


def test_an_owner_of_another_host_is_named_by_when_its_environment_was_made(
    session: Any, store: LeaseStore, lease: Lease
) -> None:
    lease = store.update(lease, owner=Owner("elsewhere", "boot", 7, 1, "joe"))
    with pytest.raises(BusyError, match=f"process 7 of joe on elsewhere since {lease.created}"):
        waiting.wait_idle(session, lease, 0)


def test_the_second_command_goes_on_when_the_first_has_ended(session: Any, lease: Lease, other: Other) -> None:
    def told(event: Progress) -> None:
        session.heard.append(event)
        other.end()

    session.listener = told
    assert waiting.wait_idle(session, lease, 30) == lease
    (said,) = session.heard
    assert "provisioning by process" in said.detail
    assert "waiting up to 30 s" in said.detail


def test_a_lease_that_is_closed_meanwhile_leaves_nothing_to_wait_for(
    session: Any, store: LeaseStore, lease: Lease
) -> None:
    session.listener = lambda _: store.close(lease)
    assert waiting.wait_idle(session, lease, 30) is None


def test_a_signal_ends_the_wait(session: Any, lease: Lease) -> None:
    session.listener = lambda _: session.stop.set()
    with pytest.raises(InterruptedRunError, match="provisioning by process"):
        waiting.wait_idle(session, lease, 30)


def test_a_plain_pulumi_that_holds_the_stack_is_waited_for_by_its_lock(
    session: Any, store: LeaseStore, lease: Lease, other: Other
) -> None:
    lease = store.update(lease, state=LeaseState.KEPT)
    now = datetime.now(UTC).isoformat()
    lock = Lock("joe", this_process().host, other.owner.pid, now, "/a")
    session.engine.locked[REF] = [lock]
    with pytest.raises(BusyError, match=re.escape(f"process {lock.pid} of joe on {lock.host} since {now}")):
        waiting.wait_idle(session, lease, 0)
    session.listener = lambda _: other.end()
    assert waiting.wait_idle(session, lease, 30) == lease
    assert session.engine.locks(REF) == (lock,)  # broken by the verb that needs it, which says so


def test_whoever_is_slower_waits_again(session: Any, store: LeaseStore, lease: Lease) -> None:
    lease = store.update(lease, state=LeaseState.KEPT)
    tries = []

    def take(now: Lease) -> Lease:
        tries.append(now)
        if len(tries) == 1:
            raise BusyError("somebody was faster")
        return replace(now, state=LeaseState.TESTING)

    taken = waiting.wait_idle(session, lease, 30, take=take)
    assert taken is not None
    assert taken.state is LeaseState.TESTING
    assert [event.detail for event in session.heard] == ["somebody was faster; waiting up to 30 s"]


def test_taking_changes_the_lease_or_says_that_it_is_gone(session: Any, store: LeaseStore, lease: Lease) -> None:
    lease = store.update(lease, state=LeaseState.KEPT)
    write = partial(store.update, check=Lease.hold_idle, state=LeaseState.TESTING, owner=this_process())
    taken = waiting.take(session, lease, write)
    assert (taken.state, taken.owner) == (LeaseState.TESTING, this_process())
    store.close(taken)
    with pytest.raises(NotFoundError, match="removed"):
        waiting.take(session, lease, write)


def test_a_new_lease_waits_for_one_that_ends_and_not_for_one_that_is_kept(
    session: Any, store: LeaseStore, lease: Lease
) -> None:
    new = replace(lease, owner=this_process(), branch="second")
    session.listener = lambda _: store.close(lease)
    waiting.create(session, new)
    assert store.read(lease.id).branch == "second"
    store.update(new, state=LeaseState.KEPT)
    with pytest.raises(LeaseExistsError):
        waiting.create(session, new)


def test_fifty_commands_at_once_never_hold_one_environment_together(
    session: Any, store: LeaseStore, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T7: whoever takes it is alone until it says KEPT again. Threads stand for processes, told apart by start."""
    store.update(lease, state=LeaseState.KEPT)
    monkeypatch.setattr(waiting, "_LOOK", 0.001)
    monkeypatch.setattr(Owner, "alive", lambda _: True)
    monkeypatch.setattr(Owner, "is_this_process", lambda _: False)
    inside, most, done = 0, 0, 0
    guard = threading.Lock()

    def work(number: int) -> None:
        nonlocal inside, most, done
        me = replace(this_process(), started=number)
        write = partial(store.update, check=Lease.hold_idle, state=LeaseState.TESTING, owner=me)
        taken = waiting.take(session, lease, write)
        with guard:
            inside += 1
            most = max(most, inside)
        store.read(lease.id)
        with guard:
            inside -= 1
            done += 1
        store.update(taken, state=LeaseState.KEPT)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, done) == (1, 50)


def test_an_owner_is_asked_to_stop_once_and_said_to_be_left_alone(
    session: Any, store: LeaseStore, lease: Lease
) -> None:
    with pytest.raises(BusyError, match=r"asked to stop and has not ended.*nothing was touched"):
        waiting.wait_idle(session, lease, 0.1, ask="understudy down, by me")
    assert store.read(lease.id).asked_to_stop == "understudy down, by me"
    with pytest.raises(BusyError):
        waiting.wait_idle(session, lease, 0, ask="another reason")
    assert store.read(lease.id).asked_to_stop == "understudy down, by me"


def test_whoever_destroys_is_not_asked_to_stop(session: Any, store: LeaseStore, lease: Lease) -> None:
    store.update(lease, state=LeaseState.DESTROYING)
    with pytest.raises(BusyError, match="Wait until it is done"):
        waiting.wait_idle(session, lease, 0, ask="understudy down, by me")
    assert store.read(lease.id).asked_to_stop == ""
