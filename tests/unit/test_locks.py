from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import leases
import pytest

from understudy.engine.fake import FakeEngine
from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Lock, Processes, why_gone
from understudy.lease import HEARTBEAT_LOST, Lease, LeaseState
from understudy.locks import break_stale, why_stale
from understudy.owner import Owner, this_process
from understudy.progress import Progress
from understudy.stacks.identity import format_time

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BOOTED = NOW - timedelta(days=1)
REF = StackRef("understudy", "eaaaaaaaaaa")


def processes(*, there: bool = True, began: datetime | None = None, name: str = "python3") -> Processes:
    return Processes(this_process().host, BOOTED, lambda _: there, lambda _: began, lambda _: name)


def a_lock(host: str = "", pid: int = 17, age: float = 60) -> Lock:
    since = (NOW - timedelta(seconds=age)).isoformat().replace("+00:00", ".123456789Z")
    return Lock("joe", host or this_process().host, pid, since)


def a_lease(**changes: object) -> Lease:
    """One that began an hour ago, and is not over."""
    hours = {
        name: format_time(NOW + timedelta(hours=far))
        for name, far in (("created", -1), ("expires", 1), ("not_after", 24))
    }
    return leases.a_lease(REF.name, **{**hours, **changes})


@pytest.mark.parametrize(
    ("lock", "here", "said"),
    [
        (a_lock(), processes(there=False), "no process 17 any more"),
        (a_lock(age=90_000), processes(began=None), "this machine has started anew"),
        (a_lock(), processes(began=NOW), "another one now"),
        (a_lock(), processes(began=NOW - timedelta(hours=1)), ""),
        (a_lock(age=3), processes(began=NOW), ""),  # clocks of one machine differ by so much
        (a_lock(), processes(began=None), ""),
        (a_lock(age=90_000), processes(began=NOW, name="pulumi"), ""),  # the wall clock may have been set
        (a_lock(host="elsewhere"), processes(there=False), ""),
        (replace(a_lock(), since="yesterday"), processes(began=NOW), ""),
    ],
)
def test_an_owner_is_gone_only_where_that_is_proven(lock: Lock, here: Processes, said: str) -> None:
    why = why_gone(lock, here)
    assert said in why
    assert bool(said) == bool(why)


def test_real_processes_are_told_from_each_other() -> None:
    here = Processes.here()
    now = datetime.now(UTC).isoformat()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert why_gone(Lock("me", here.host, child.pid, now), here) == ""
        assert "another one now" in why_gone(Lock("me", here.host, child.pid, "2026-11-26T00:00:00+14:00"), here) or (
            "started anew" in why_gone(Lock("me", here.host, child.pid, "2001-01-01T00:00:00Z"), here)
        )
        began = here.began(child.pid)
        assert began is not None
        assert abs(datetime.now(UTC) - began) < timedelta(minutes=5)
        child.kill()
    assert "no process" in why_gone(Lock("me", here.host, child.pid, now), here)


def test_a_process_that_ended_and_was_not_asked_for_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    here = Processes.here()
    assert "no process" in why_gone(Lock("me", here.host, child.pid, datetime.now(UTC).isoformat()), here)
    child.wait()


ELSEWHERE = Owner("elsewhere", "boot", 1, 1, "joe")
OTHER_CONTAINER = replace(this_process(), boot_id="the-boot/pid:[2]")
LONG = HEARTBEAT_LOST
LONG_AGO = format_time(NOW - timedelta(seconds=2 * LONG))


@pytest.mark.parametrize(
    ("lock", "lease", "stale"),
    [
        # the lease's owner is of this boot and namespace: a pid that is not there proves it
        (a_lock(), a_lease(), True),
        # a host of the same name, but another container or boot: the pid means nothing here
        (a_lock(), a_lease(owner=OTHER_CONTAINER, renewed=format_time(NOW)), False),
        (a_lock(age=2 * LONG), a_lease(owner=OTHER_CONTAINER, renewed=LONG_AGO), True),
        # another host: only past its heartbeat
        (a_lock("elsewhere", age=2 * LONG), a_lease(owner=ELSEWHERE, renewed=format_time(NOW)), False),
        (
            a_lock("elsewhere", age=2 * LONG),
            a_lease(owner=ELSEWHERE, renewed=LONG_AGO),
            True,
        ),
        # ... that was made since, or is of a third host, or of nobody who renews a lease
        (a_lock("elsewhere", age=9), a_lease(owner=ELSEWHERE, renewed=LONG_AGO), False),
        (a_lock("third", age=2 * LONG), a_lease(owner=ELSEWHERE, renewed=LONG_AGO), False),
        (a_lock("elsewhere", age=2 * LONG), a_lease(owner=ELSEWHERE, state=LeaseState.KEPT), False),
        # ... or past the last moment of all
        (a_lock("third"), a_lease(not_after=format_time(NOW)), True),
    ],
)
def test_a_lock_is_stale_only_where_the_lease_or_this_host_says_so(lock: Lock, lease: Lease, stale: bool) -> None:  # noqa: FBT001 - a parameter
    assert bool(why_stale(lock, lease, processes(there=False), NOW)) == stale


def test_a_lock_that_names_nobody_is_debris_after_a_while(tmp_path: Path) -> None:
    for number, text in enumerate(("", "{", "[]", '{"pid": "x"}', '{"pid": 1}')):
        file = tmp_path / f"{number}.json"
        file.write_text(text, encoding="utf-8")
        lock = Lock.read(file)
        assert lock is not None
        assert lock.pid == 0
        assert why_stale(lock, a_lease(), Processes.here()) == ""
        os.utime(file, (0, 0))
        lock = Lock.read(file)
        assert lock is not None
        assert "names nobody" in why_stale(lock, a_lease(), Processes.here())
        file.unlink()
        assert Lock.read(file) is None


@pytest.fixture
def living() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child.pid
        child.kill()


def test_a_hundred_stale_locks_are_broken_and_no_live_one(living: int) -> None:
    """T7, with the fake engine: the judgement is the same for the real one."""
    now = datetime.now(UTC).isoformat()
    host = this_process().host
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        pass
    stale = [Lock("joe", host, ended.pid, now, f"/{n}") for n in range(100)]
    live = [Lock("joe", host, living, now, f"/live-{n}") for n in range(100)]
    engine = FakeEngine(run_programs=False)
    engine.locked[REF] = [lock for pair in zip(stale, live, strict=True) for lock in pair]
    heard: list[Progress] = []
    lease = a_lease(not_after="2999-01-01T00:00:00Z")
    assert break_stale(engine, lease, (), heard.append)
    assert engine.locks(REF) == tuple(live)
    assert len(heard) == 100
    assert all(f"process {ended.pid} of joe on {host}" in event.detail for event in heard)
    assert not break_stale(engine, lease, (), heard.append)


def test_where_the_engine_lists_no_locks_its_word_counts() -> None:
    engine = FakeEngine(run_programs=False)
    engine.up(REF, lambda: None)
    now = datetime.now(UTC).isoformat()
    gone, other = (Lock("joe", this_process().host, 2**22 + number, now) for number in (1, 2))
    assert not break_stale(engine, a_lease(), (), lambda _: None)
    assert break_stale(engine, a_lease(), (gone, other), lambda _: None)
    assert [call.verb for call in engine.calls] == ["up", "cancel"]


def test_where_all_locks_go_at_once_a_living_one_keeps_the_stale(living: int) -> None:
    engine = FakeEngine(run_programs=False)
    engine.up(REF, lambda: None)
    now, host = datetime.now(UTC).isoformat(), this_process().host
    said = (Lock("joe", host, 2**22 + 1, now), Lock("joe", host, living, now))
    heard: list[Progress] = []
    lease = a_lease(not_after="2999-01-01T00:00:00Z")
    assert not break_stale(engine, lease, said, heard.append)
    assert [call.verb for call in engine.calls] == ["up"]
    assert heard == []


def test_pulumis_own_time_stamp_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    said = {"pid": 17, "username": "joe", "hostname": "h", "timestamp": "2026-01-02T03:04:05.123456789+02:00"}
    file.write_text(json.dumps(said), encoding="utf-8")
    lock = Lock.read(file)
    assert lock is not None
    assert lock.made == datetime(2026, 1, 2, 1, 4, 5, 123456, tzinfo=UTC)
