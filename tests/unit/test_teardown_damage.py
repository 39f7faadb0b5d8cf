"""T9: state and lease mutilated in every way; what is on the target goes by label, and nothing is CLEAN by silence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from leases import a_lease

from understudy.engine.backend import FileBackend
from understudy.engine.damage import resources
from understudy.engine.errors import BackendError, PassphraseError, StackLockedError
from understudy.engine.fake import FakeEngine
from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Lock
from understudy.errors import LeftoversError
from understudy.lease import FolderShelf, Lease, LeaseStore
from understudy.owner import this_process
from understudy.progress import Progress, State
from understudy.session import find_lease
from understudy.stacks.identity import Whose
from understudy.targets.interface import Outcome, Owned, Receipt, Spare, Swept, spare_none
from understudy.teardown import tear_down

REF = StackRef("understudy", "eaaaaaaaaaa")
NEIGHBOUR = StackRef("understudy", "ebbbbbbbbbb")
HELD = [Owned("container", "1", "eaaaaaaaaaa-web"), Owned("network", "2", "eaaaaaaaaaa-default")]


class OnFiles(FakeEngine):
    """An engine that takes the files of a backend as Pulumi 3.200 does; what its state names is removed from a target.

    That the real CLI takes these files so is held by tests/engine/test_engine_damage.py.
    """

    def __init__(self, files: FileBackend, target: FakeTarget, *, passphrase: bool = True) -> None:
        super().__init__(run_programs=False)
        self.files, self.target, self.passphrase = files, target, passphrase

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        return self.files.locks(ref)

    def cancel(self, _ref: StackRef, lock: Lock | None = None) -> None:
        assert lock is not None
        Path(lock.path).unlink()

    def destroy(self, ref: StackRef, **_: Any) -> None:
        state = self.files.state(ref)
        if not state.exists():
            self.files.forget(ref)
            return
        if state.is_dir():
            return
        if harm := self.files.damage(ref):
            if "says nothing" not in harm:
                raise BackendError(f"failed to load checkpoint: {harm}")
            state.unlink()
            self.files.forget(ref)
            return
        if not self.passphrase:
            raise PassphraseError("incorrect passphrase")
        if resources(state):
            self.target.held = [each for each in self.target.held if each not in HELD]
        state.unlink()
        self.files.forget(ref)

    def refresh(self, ref: StackRef, **_: Any) -> dict[str, int]:
        if self.files.damage(ref) or not self.passphrase:
            raise BackendError("failed to load checkpoint")
        return {}

    def damage(self, ref: StackRef) -> str:
        return self.files.damage(ref)

    def discard(self, ref: StackRef) -> None:
        if others := self.files.discard(ref):
            raise StackLockedError(f"locked by {others[0]}")


class FakeTarget:
    """What a daemon holds; it is found by label alone."""

    def __init__(self, held: list[Owned]) -> None:
        self.held = list(held)

    def reach(self) -> None:
        self.identity()

    def identity(self) -> str:
        return "docker:one"

    def foresee_look(self) -> None:
        pass

    def owed(self, _whose: Whose) -> tuple[str, ...]:
        return ()

    def sweep(self, _whose: Whose, _spare: Spare = spare_none, _seen: Sequence[Owned] | None = None) -> Swept:
        gone, self.held = tuple(self.held), []
        return Swept(gone, ())

    def receipt(self, whose: Whose, expected: str) -> Receipt:
        outcome = Outcome.LEFTOVERS if self.held else Outcome.CLEAN
        return Receipt(whose.environment, expected, outcome, "2026-01-01T00:00:00Z", tuple(self.held))


STATE = {
    "version": 3,
    "checkpoint": {
        "stack": REF.qualified,
        "latest": {
            "manifest": {"time": "2026-01-01T00:00:00Z", "magic": "0" * 64, "version": "v3.200.0"},
            "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:x:v1:y:z"}},
            "resources": [
                {
                    "urn": f"urn:pulumi:{REF.name}::{REF.project}::{kind}::{name}",
                    "custom": True,
                    "id": name,
                    "type": kind,
                }
                for kind, name in (("docker:index/container:Container", "web"), ("docker:index/network:Network", "net"))
            ],
        },
    },
}
WHOLE = json.dumps(STATE, indent=4).encode()


def backend(folder: Path) -> tuple[FileBackend, Path]:
    """A backend with two stacks, each with all that the CLI leaves beside a state."""
    root = folder / ".pulumi"
    for ref in (REF, NEIGHBOUR):
        files = {
            f"stacks/{ref.project}/{ref.name}.json": WHOLE,
            f"stacks/{ref.project}/{ref.name}.json.bak": WHOLE,
            f"stacks/{ref.project}/{ref.name}.json.attrs": b"{}",
            f"history/{ref.project}/{ref.name}/{ref.name}-1.history.json": b"{}",
            f"history/{ref.project}/{ref.name}/{ref.name}-1.checkpoint.json": WHOLE,
            f"backups/{ref.project}/{ref.name}/{ref.name}.1.json": WHOLE,
        }
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        (root / "locks" / "organization" / ref.project / ref.name).mkdir(parents=True)
    return FileBackend(folder), root


Mutilate = Callable[[Path, Path], None]


def written(data: bytes) -> Mutilate:
    return lambda state, _: state.write_bytes(data) and None


def _as_folder(state: Path, _: Path) -> None:
    state.unlink()
    (state / "deep").mkdir(parents=True)
    (state / "deep" / "file").touch()


def _as_link(state: Path, root: Path) -> None:
    outside = root.parent.parent / "outside.json"
    outside.write_bytes(b"{half")
    state.unlink()
    state.symlink_to(outside)


def _as_dangling_link(state: Path, root: Path) -> None:
    state.unlink()
    state.symlink_to(root / "nowhere")


def _packed(state: Path, _: Path) -> None:
    state.unlink()
    state.with_name(state.name + ".gz").write_bytes(b"\x1f\x8bhalf")


def _copy(data: bytes | None) -> Mutilate:
    def change(state: Path, _: Path) -> None:
        copy = state.with_name(state.name + ".bak")
        copy.unlink()
        if data is None:
            (copy / "x").mkdir(parents=True)
        else:
            copy.write_bytes(data)

    return change


def _history_as_file(_: Path, root: Path) -> None:
    folder = root / "history" / REF.project / REF.name
    shutil.rmtree(folder)
    folder.touch()


def _lock(content: Callable[[], bytes], age: float = 0) -> Mutilate:
    def change(_: Path, root: Path) -> None:
        lock = root / "locks" / "organization" / REF.project / REF.name / "a.json"
        lock.write_bytes(content())
        if age:
            os.utime(lock, (0, 0))

    return change


def _dead() -> bytes:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        pass
    now = datetime.now(UTC).isoformat()
    return json.dumps({"pid": ended.pid, "username": "me", "hostname": this_process().host, "timestamp": now}).encode()


def _and(*changes: Mutilate) -> Mutilate:
    def change(state: Path, root: Path) -> None:
        for each in changes:
            each(state, root)

    return change


def with_latest(**changes: object) -> bytes:
    latest = {**STATE["checkpoint"]["latest"], **changes}  # type: ignore[index, dict-item]  # a literal's own keys
    return json.dumps({"version": 3, "checkpoint": {"stack": REF.qualified, "latest": latest}}).encode()


STATES: dict[str, Mutilate] = {
    "missing": lambda state, _: state.unlink(),
    "empty": written(b""),
    "zero bytes": written(b"\0" * len(WHOLE)),
    **{f"cut off at {tenth}0 %": written(WHOLE[: len(WHOLE) * tenth // 10]) for tenth in range(1, 10)},
    "no JSON": written(b"\x00\xff garbage"),
    "text": written(b"see the other file\n"),
    "{}": written(b"{}"),
    "null": written(b"null"),
    "a list": written(b"[]"),
    "version 99": written(json.dumps(STATE | {"version": 99}).encode()),
    "no version": written(json.dumps({"checkpoint": STATE["checkpoint"]}).encode()),
    "no resources": written(with_latest(resources=[])),
    "resources are text": written(with_latest(resources="x")),
    "latest is text": written(b'{"version": 3, "checkpoint": {"latest": "x"}}'),
    "no checkpoint": written(b'{"version": 3}'),
    "pending creates": written(with_latest(resources=[], pending_operations=[{"type": "creating"}])),
    "a folder": _as_folder,
    "a link": _as_link,
    "a link to nowhere": _as_dangling_link,
    "packed and cut off": _packed,
    "copy cut off, state missing": _and(_copy(WHOLE[:50]), lambda state, _: state.unlink()),
    "copy a folder": _copy(None),
    "state and copy cut off": _and(written(WHOLE[:50]), _copy(WHOLE[:50])),
    "history a file, state cut off": _and(_history_as_file, written(WHOLE[:50])),
    "lock of a dead process": _lock(_dead),
    "lock of a dead process, state missing": _and(_lock(_dead), lambda state, _: state.unlink()),
    "lock of a dead process, state cut off": _and(_lock(_dead), written(WHOLE[:50])),
    "old lock that is empty": _lock(lambda: b"", age=1),
    "old lock cut off": _lock(lambda: b'{"pid": 1, "user', age=1),
}
"""Each changes the state file given, or what lies around it below the backend's root."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.removal.LOCK_WAIT", 0.2)


@pytest.fixture
def store(tmp_path: Path) -> LeaseStore:
    return LeaseStore(FolderShelf(tmp_path / "leases"))


@pytest.fixture
def lease(store: LeaseStore) -> Lease:
    made = a_lease(REF.name, not_after="2999-01-01T00:00:00Z")
    store.create(made)
    return made


def left_of(root: Path, ref: StackRef) -> list[str]:
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if ref.name in path.relative_to(root).as_posix()
    )


@pytest.mark.parametrize("name", STATES)
def test_a_mutilated_state_is_replaced_by_the_sweep_and_removed(
    name: str, store: LeaseStore, lease: Lease, tmp_path: Path
) -> None:
    files, root = backend(tmp_path / "backend")
    STATES[name](files.state(REF), root)
    before = left_of(root, NEIGHBOUR)
    fake: Any = FakeTarget(HELD)
    heard: list[Progress] = []
    receipt = tear_down(lease, engine=OnFiles(files, fake), target=fake, store=store, listener=heard.append)
    assert receipt.outcome is Outcome.CLEAN, receipt
    assert fake.held == []
    assert left_of(root, REF) == []
    assert left_of(root, NEIGHBOUR) == before
    assert store.list() == ((), ())
    if name != "copy a folder":  # which nobody needs
        assert [event for event in heard if event.state is State.WARNING], "it was silent"
    if name == "a link":
        assert (tmp_path / "outside.json").read_bytes() == b"{half"


def test_a_wrong_passphrase_costs_the_state_only_once_nothing_is_left(
    store: LeaseStore, lease: Lease, tmp_path: Path
) -> None:
    files, root = backend(tmp_path / "backend")
    fake: Any = FakeTarget(HELD)
    engine = OnFiles(files, fake, passphrase=False)
    receipt = tear_down(lease, engine=engine, target=fake, store=store, listener=lambda _: None)
    assert receipt.outcome is Outcome.CLEAN
    assert "of no use" in receipt.reason
    assert left_of(root, REF) == []


@pytest.mark.parametrize("name", ["empty", "missing", "a folder"])
def test_a_mutilated_state_is_no_proof_where_nobody_can_look(
    name: str, store: LeaseStore, lease: Lease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, root = backend(tmp_path / "backend")
    STATES[name](files.state(REF), root)
    fake: Any = FakeTarget(HELD)

    def blind(whose: Whose, expected: str) -> Receipt:
        return Receipt(whose.environment, expected, Outcome.UNKNOWN, "2026-01-01T00:00:00Z", reason="a listing failed")

    monkeypatch.setattr(fake, "receipt", blind)
    receipt = tear_down(lease, engine=OnFiles(files, fake), target=fake, store=store, listener=lambda _: None)
    assert receipt.outcome is Outcome.UNKNOWN
    assert store.read(lease.id).attempts == 1
    assert store.read(lease.id).last_failure == "a listing failed"


LEASES: dict[str, Callable[[str], bytes]] = {
    **{
        f"cut off at {tenth}0 %": (lambda text, t=tenth: text[: len(text) * t // 10].encode()) for tenth in range(1, 10)
    },  # type: ignore[misc]  # a default binds
    "empty": lambda _: b"",
    "zero bytes": lambda text: b"\0" * len(text),
    "no JSON": lambda _: b"\xff\xfe",
    "null": lambda _: b"null",
    "{}": lambda _: b"{}",
    "another id": lambda text: text.replace(REF.name, "../../etc/passwd").encode(),
    "unknown state": lambda text: text.replace("provisioning", "sleeping").encode(),
    "a moment that is none": lambda text: text.replace("2999-01-01T00:00:00Z", "tomorrow").encode(),
    "no owner": lambda text: json.dumps({**json.loads(text), "owner": None}).encode(),
}


@pytest.mark.parametrize("name", LEASES)
def test_a_mutilated_lease_is_named_by_down_and_stops_no_removal(
    name: str, store: LeaseStore, lease: Lease, tmp_path: Path
) -> None:
    files, root = backend(tmp_path / "backend")
    place = Path(store.shelf.place(f"{lease.id}.json"))
    place.write_bytes(LEASES[name](place.read_text(encoding="utf-8")))
    assert store.list() == ((), (str(place),))
    with pytest.raises(LeftoversError) as caught:
        find_lease(store, lease.id)
    assert str(place) in str(caught.value)
    assert "understudy reap --yes" in caught.value.hint
    fake: Any = FakeTarget([*HELD, Owned("volume", "3", "eaaaaaaaaaa-data")])
    receipt = tear_down(lease, engine=OnFiles(files, fake), target=fake, store=store, listener=lambda _: None)
    assert receipt.outcome is Outcome.CLEAN
    assert fake.held == []
    assert left_of(root, REF) == []
    assert not place.exists()


def test_a_state_that_is_locked_by_the_living_stays_however_broken(
    store: LeaseStore, lease: Lease, tmp_path: Path
) -> None:
    files, root = backend(tmp_path / "backend")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        now = datetime.now(UTC).isoformat()
        lock = {"pid": child.pid, "username": "me", "hostname": this_process().host, "timestamp": now}
        for change in (_lock(lambda: json.dumps(lock).encode()), written(b"")):
            change(files.state(REF), root)
        assert [each.pid for each in files.discard(REF)] == [child.pid]
        fake: Any = FakeTarget([])
        own = replace(lease, owner=this_process())
        receipt = tear_down(own, engine=OnFiles(files, fake), target=fake, store=store, listener=lambda _: None)
        child.kill()
    assert receipt.outcome is Outcome.LEFTOVERS
    assert files.has(REF)
    assert [path.pid for path in files.locks(REF)] == [child.pid]
