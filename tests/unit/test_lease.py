"""The lease: made once, changed whole, never skipped in silence, and its owner known for alive or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import leases
import pytest

from understudy import processes
from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.lease import BusyError, FolderShelf, Lease, LeaseExistsError, LeaseState, LeaseStore, over
from understudy.owner import Owner, this_process
from understudy.stacks.identity import format_time


def a_lease(environment: str = "eabc", **changes: object) -> Lease:
    """One of a CI job, on a branch whose name is code."""
    own = {"target": "docker:X", "backend": "file:///s", "repository": "/r", "branch": "a$(touch${IFS}x)"}
    return leases.a_lease(environment, **{**own, "owner": this_process("https://ci.example/1"), **changes})


def folder_of(store: LeaseStore) -> Path:
    return Path(store.shelf.place(""))


@pytest.fixture
def store(tmp_path: Path) -> LeaseStore:
    return LeaseStore(FolderShelf(tmp_path / "leases"))


def test_what_is_written_is_read(store: LeaseStore) -> None:
    lease = a_lease(dirty=True)
    store.create(lease)
    assert store.read("eabc") == lease
    assert store.list() == ((lease,), ())
    path = folder_of(store) / "eabc.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder_of(store).stat().st_mode & 0o777 == 0o700


def test_of_twenty_only_one_creates(store: LeaseStore) -> None:
    barrier = threading.Barrier(20)

    def create(number: int) -> bool:
        barrier.wait(20)
        try:
            store.create(a_lease(key=str(number)))
        except LeaseExistsError:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(create, range(20)))
    assert results.count(True) == 1
    assert store.read("eabc").key == str(results.index(True))
    assert [path.name for path in folder_of(store).iterdir()] == ["eabc.json"]


def test_readers_never_see_half_a_lease_and_no_change_is_lost(store: LeaseStore) -> None:
    lease = a_lease()
    store.create(lease)
    done = threading.Event()
    seen: list[tuple[str, ...]] = []

    def look() -> None:
        while not done.is_set():
            leases, broken = store.list()
            seen.append((*broken, *(["gone"] if len(leases) != 1 else [])))

    with ThreadPoolExecutor(3) as pool:
        looking = pool.submit(look)
        first = pool.submit(lambda: [store.update(lease, key=str(n)) for n in range(40)])
        second = pool.submit(lambda: [store.update(lease, tree=str(n)) for n in range(40)])
        first.result(30)
        second.result(30)
        done.set()
        looking.result(30)
    assert not any(seen)
    assert seen
    assert (store.read("eabc").key, store.read("eabc").tree) == ("39", "39")


def test_an_update_returns_what_it_wrote_and_does_not_revive_the_closed(store: LeaseStore) -> None:
    lease = a_lease()
    store.create(lease)
    assert store.update(lease, state=LeaseState.KEPT) == store.read("eabc")
    assert store.read("eabc").state is LeaseState.KEPT
    store.close(a_lease())
    store.close(a_lease())
    with pytest.raises(NotFoundError):
        store.update(lease, state=LeaseState.TESTING)
    assert store.list() == ((), ())


BROKEN = {
    "nothing": "",
    "half a bracket": "{",
    "a list": "[]",
    "no fields": "{}",
    "its first part": a_lease().to_json()[:-40],
    "no time": a_lease().to_json().replace("2026-01-01T01:00:00Z", "soon"),
    "no state": a_lease().to_json().replace('"provisioning"', '"dreaming"'),
    "another field": a_lease().to_json().replace('"stack"', '"stuck"'),
    "no id": a_lease("../x").to_json(),
    "another's id": a_lease("other").to_json(),
    "no state to rest in": a_lease().to_json().replace('"rests_as": null', '"rests_as": "testing"'),
}
"""What is in the file, by name: an id of a test that held the number of this process would differ in each worker."""


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_listed_as_broken(store: LeaseStore, text: str) -> None:
    store.create(a_lease("egood"))
    broken = folder_of(store) / "ebad.json"
    broken.write_text(text, encoding="utf-8")
    leases, files = store.list()
    assert [lease.id for lease in leases] == ["egood"]
    assert files == (str(broken),)


ODD = (None, 1, -1, 2**70, 1e308, float("nan"), True, "x", "2026-13-01T00:00:00Z", [], [1], {}, {"host": 1})


def kinds(lease: Lease) -> dict[str, str]:
    """What each field is; seconds may be whole."""
    every = {**asdict(lease), **asdict(lease.owner)}
    return {name: type(value).__name__.replace("int", "float") for name, value in every.items()}


def parsed(text: str) -> Lease | None:
    try:
        return Lease.from_json(text)
    except ValueError:
        return None


@pytest.mark.parametrize("name", [*(each.name for each in fields(Lease)), *(f"owner.{e.name}" for e in fields(Owner))])
def test_whatever_stands_in_a_field_it_is_a_lease_or_broken(name: str) -> None:
    """Nobody fails on it later: not the rule, not the list, not the one who asks who is at work."""
    for odd in ODD:
        data = json.loads(a_lease().to_json())
        inside, _, part = name.rpartition(".")
        (data[inside] if inside else data)[part] = odd
        lease = parsed(json.dumps(data))
        if lease is None:
            continue
        assert Lease.from_json(lease.to_json()) == lease
        assert kinds(lease) == kinds(a_lease())
        assert lease.worked_on in {True, False}
        assert isinstance(over(lease, datetime.now(UTC)), str)


def test_a_lease_that_nests_without_end_is_broken() -> None:
    with pytest.raises(ValueError, match="not a lease"):
        Lease.from_json('{"owner":' + "[" * 200_000)


def test_a_lease_that_cannot_be_read_is_an_error(store: LeaseStore) -> None:
    store.create(a_lease())
    (folder_of(store) / "eabc.json").write_bytes(b"\xff")
    with pytest.raises(UnderstudyError, match="Read the lease"):
        store.read("eabc")


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = LeaseStore(FolderShelf(tmp_path / "file"))
    for act in (store.list, lambda: store.create(a_lease()), lambda: store.close(a_lease())):
        with pytest.raises(UnderstudyError, match="failed"):
            act()
    assert LeaseStore(FolderShelf(tmp_path / "nowhere")).list() == ((), ())
    LeaseStore(FolderShelf(tmp_path / "nowhere")).close(a_lease())


@pytest.mark.parametrize("environment", ["../x", "/etc/passwd", "", ".lock", "a/b", "a\n", "x" * 200])
def test_what_is_no_id_is_no_environment(store: LeaseStore, environment: str) -> None:
    with pytest.raises(NotFoundError):
        store.read(environment)
    with pytest.raises(NotFoundError):
        store.close(a_lease(id=environment))


def test_leases_are_oldest_first(store: LeaseStore) -> None:
    for name, created in (("eb", "2026-01-02T00:00:00Z"), ("ea", "2026-01-03T00:00:00Z")):
        store.create(a_lease(name, created=created))
    assert [lease.id for lease in store.list()[0]] == ["eb", "ea"]


def test_leases_lie_beside_the_state(tmp_path: Path) -> None:
    assert folder_of(LeaseStore.beside(f"file://{tmp_path}")) == tmp_path / ".understudy/leases"
    assert folder_of(LeaseStore.beside("file://~/x")) == Path.home() / "x/.understudy/leases"
    assert folder_of(LeaseStore.beside("gs://bucket", str(tmp_path))) == tmp_path
    with pytest.raises(UsageError, match="a backend of gs:// has no place"):
        LeaseStore.beside("gs://bucket")


def test_a_running_process_is_alive_and_an_ended_one_is_not() -> None:
    assert this_process().alive() is True
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(this_process(), pid=process.pid, started=processes.ticks(process.pid) or -1)
    assert owner.alive() is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.alive() is False, "a zombie does nothing any more"
    process.communicate()
    assert owner.alive() is False


def test_a_pid_that_another_process_has_now_is_not_its_owner() -> None:
    assert replace(this_process(), started=1).alive() is False


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot_id": "another"}, {"boot_id": ""}])
def test_nobody_here_knows_of_another_host_or_boot(change: dict[str, str]) -> None:
    assert replace(this_process(), **change).alive() is None


def test_a_process_that_proc_hides_may_be_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = this_process()
    real = processes.read
    monkeypatch.setattr(processes, "read", lambda path: "" if path.endswith("/stat") else real(path))
    assert owner.alive() is None


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert this_process().user == str(os.getuid())


def test_an_owner_says_where_it_runs() -> None:
    owner = this_process("https://ci.example/1")
    assert isinstance(owner, Owner)
    assert (owner.pid, owner.ci_url) == (os.getpid(), "https://ci.example/1")
    assert owner.started > 0


def test_an_authority_goes_with_its_lease(store: LeaseStore) -> None:
    lease = a_lease()
    store.create(lease)
    store.authority("eabc").write(b"{}")
    assert store.list() == ((lease,), ())
    assert store.close(lease)
    assert store.authority("eabc").read() is None


def test_a_lease_that_another_process_took_over_is_not_closed(store: LeaseStore) -> None:
    lease = a_lease()
    store.create(lease)
    store.update(lease, owner=Owner("elsewhere", "boot", 7, 7, "somebody"))
    assert store.close(lease) is False
    assert store.read("eabc").owner.host == "elsewhere"


def test_a_check_prevents_a_change(store: LeaseStore) -> None:
    lease = a_lease(owner=Owner("elsewhere", "boot", 7, 7, "somebody"), renewed=format_time(datetime.now(UTC)))
    store.create(lease)
    with pytest.raises(BusyError, match="process 7 of somebody on elsewhere"):
        store.update(lease, check=Lease.hold_idle, state=LeaseState.DESTROYING)
    assert store.read("eabc").state is LeaseState.PROVISIONING


@pytest.mark.parametrize("rest", [LeaseState.KEPT, LeaseState.HANDED_OVER])
def test_a_lease_says_what_it_goes_back_to_while_somebody_uses_it(store: LeaseStore, rest: LeaseState) -> None:
    lease = a_lease()
    store.create(lease)

    def moved(state: LeaseState) -> LeaseState | None:
        assert store.update(lease, state=state) == store.read("eabc")
        return store.read("eabc").rests_as

    assert [moved(state) for state in (LeaseState.READY, LeaseState.TESTING, rest)] == [None, None, None]
    assert [moved(state) for state in (LeaseState.TESTING, LeaseState.EXPORTING)] == [rest, rest]
    assert store.update(lease, check=lambda _: {"key": "x"}).rests_as is rest
    assert [moved(state) for state in (rest, LeaseState.PROVISIONING)] == [None, rest]
    assert [moved(state) for state in (LeaseState.DESTROYING, LeaseState.TESTING)] == [None, None]


ELSEWHERE = Owner("elsewhere", "boot", 7, 7, "x")


@pytest.mark.parametrize(
    ("owner", "silent", "state", "busy"),
    [
        (ELSEWHERE, 0, LeaseState.PROVISIONING, True),
        (ELSEWHERE, 290, LeaseState.DESTROYING, True),
        (ELSEWHERE, 310, LeaseState.PROVISIONING, False),
        (ELSEWHERE, 0, LeaseState.KEPT, False),
        (ELSEWHERE, 0, LeaseState.HANDED_OVER, False),
        (replace(this_process(), pid=os.getppid(), started=processes.ticks(os.getppid()) or 0), 310, "ready", True),
        (replace(this_process(), started=1), 0, LeaseState.TESTING, False),
        (this_process(), 0, LeaseState.TESTING, False),
    ],
)
def test_who_is_at_work(owner: Owner, silent: float, state: LeaseState, *, busy: bool) -> None:
    renewed = format_time(datetime.now(UTC) - timedelta(seconds=silent))
    assert a_lease(owner=owner, renewed=renewed, state=LeaseState(state)).worked_on is busy
