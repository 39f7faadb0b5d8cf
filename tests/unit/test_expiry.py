from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reap_world import ELSEWHERE, HERE, at, lease

from understudy.aftermath import ended_afterwards
from understudy.engine.fake import FakeEngine
from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.extending import extend
from understudy.halts import Halt, Halted
from understudy.lease import BusyError, FolderShelf, LeaseState, LeaseStore, over
from understudy.listing import logs
from understudy.options import Options
from understudy.owner import this_process
from understudy.progress import Progress
from understudy.report import KeptRecord
from understudy.stacks.identity import Whose, parse_time
from understudy.targets.interface import Outcome, Owned, Receipt


@dataclass
class FakeTarget:
    """A target that holds one container until the environment is destroyed."""

    held: tuple[Owned, ...] = (Owned("container", "1", "web"),)
    looked: list[str] = field(default_factory=list)
    silent: bool = False

    def reach(self) -> None:
        self.identity()

    def identity(self) -> str:
        return HERE

    def inventory(self, _whose: Whose) -> tuple[Owned, ...]:
        if self.silent:
            raise UnderstudyError("no answer")
        return self.held

    def lines(self, _whose: Whose, _services: tuple[str, ...], *, follow: bool) -> tuple[tuple[str, str], ...]:
        assert not follow
        return (("web", "a line"),)

    def foresee_look(self) -> None:
        pass

    def owed(self, _whose: Whose) -> tuple[str, ...]:
        return ()

    def receipt(self, whose: Whose, expected: str) -> Receipt:
        self.looked.append(whose.environment)
        return Receipt(whose.environment, expected, Outcome.CLEAN, "2026-01-01T00:00:00Z")


class World:
    """A session of fakes, and what it heard."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.heard: list[Progress] = []
        self.target = FakeTarget()
        self.store = LeaseStore(FolderShelf(folder))
        self.session: Any = SimpleNamespace(
            on_aws=False,
            engine=FakeEngine(run_programs=False),
            target=self.target,
            store=self.store,
            listener=self.heard.append,
            stop=threading.Event(),
            halt=Halt(),
            options=Options(**options),  # type: ignore[arg-type]  # options by name
        )

    def ids(self) -> set[str]:
        return {each.id for each in self.store.list()[0]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "leases")


@pytest.fixture
def extending(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("understudy.extending.lease_store", lambda _options, _settings: world.store)
    return world


def hours_left(world: World, name: str) -> float:
    return (parse_time(world.store.read(name).expires) - datetime.now(UTC)).total_seconds() / 3600


def test_extending_counts_from_the_expiry_and_from_now_where_that_is_over(extending: World) -> None:
    extending.store.create(lease("young", expires=at(1), state=LeaseState.TESTING, owner=this_process()))
    extending.store.create(lease("over"))
    assert extend(Options(), "young", "90m", form="text") == 0
    assert extend(Options(ttl=7200.0), "over", None, form="text") == 0
    assert hours_left(extending, "young") == pytest.approx(2.5, abs=0.1)
    assert hours_left(extending, "over") == pytest.approx(2, abs=0.1)


def test_nothing_is_extended_past_not_after(extending: World) -> None:
    extending.store.create(lease("young", expires=at(1)))
    with pytest.raises(UsageError, match="at the latest") as caught:
        extend(Options(), "young", "1d", form="text")
    most = caught.value.hint.partition("`understudy extend young ")[2].partition("`")[0]
    assert extend(Options(), "young", most, form="text") == 0
    assert hours_left(extending, "young") == pytest.approx(5, abs=0.1)
    with pytest.raises(UsageError, match="cannot be changed any more"):
        extend(Options(), "young", "1h", form="text")


def test_whoever_extends_uses_it_and_hears_when_disuse_ends_it(
    extending: World, capsys: pytest.CaptureFixture[str]
) -> None:
    extending.store.create(lease("idle", idle=600.0, expires=at(1)))
    assert over(extending.store.read("idle"), datetime.now(UTC)).startswith("nobody used it since ")
    assert extend(Options(), "idle", "1h", form="json") == 0
    assert over(extending.store.read("idle"), datetime.now(UTC)) == ""
    shown = json.loads(capsys.readouterr().out)
    assert parse_time(shown["ends"]) - datetime.now(UTC) < timedelta(minutes=11)
    assert extend(Options(), "idle", "1h", form="text") == 0
    assert "if nobody uses it already at" in capsys.readouterr().out


def test_whoever_reads_the_logs_uses_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.listing.read_settings", lambda _listener: None)
    monkeypatch.setattr("understudy.listing.lease_store", lambda _options, _settings: world.store)
    monkeypatch.setattr("understudy.listing.target_of", lambda *_, **__: world.target)
    world.store.create(lease("idle", idle=600.0, expires=at(1)))
    world.store.create(lease("other", expires=at(1)))
    for name in ("idle", "other"):
        assert logs(Options(), name, (), follow=False, form="text") == 0
    assert over(world.store.read("idle"), datetime.now(UTC)) == ""
    used = world.store.read("idle").active
    assert used
    world.store.use(world.store.read("idle"))
    assert world.store.read("idle").active == used, "uses within a minute are one"
    assert world.store.read("other").active == "", "without a limit nothing is written"


def test_two_who_extend_at_once_both_count(extending: World, monkeypatch: pytest.MonkeyPatch) -> None:
    extending.store.create(lease("young", expires=at(1)))
    stale = extending.store.read("young")
    monkeypatch.setattr("understudy.extending.find_lease", lambda _store, _name: stale)
    for _ in range(2):
        extend(Options(), "young", "1h", form="text")
    assert hours_left(extending, "young") == pytest.approx(3, abs=0.1)


def test_what_is_being_destroyed_unknown_or_no_duration_is_refused(extending: World) -> None:
    extending.store.create(lease("going", state=LeaseState.DESTROYING, owner=ELSEWHERE, renewed=at(0)))
    with pytest.raises(BusyError, match="being destroyed"):
        extend(Options(), "going", "1h", form="text")
    with pytest.raises(NotFoundError):
        extend(Options(), "none", "1h", form="text")
    with pytest.raises(UsageError, match="'soon'"):
        extend(Options(), "going", "soon", form="text")


class FakeRecorder:
    """What the end of a run tells."""

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self.receipt: Receipt | None = None
        self.commands: tuple[str, ...] = ()

    def removed(self, receipt: Receipt) -> None:
        self.receipt = receipt

    def kept(self, kept: KeptRecord) -> None:
        self.commands = kept.commands


def end(
    tmp_path: Path, code: int, *, stop: bool = False, silent: bool = False, halted: bool = False, **options: object
) -> tuple[World, Any]:
    world = World(tmp_path / "leases", **options)
    if halted:
        world.session.halt.said = Halted("part 1/2 failed", 0.0)
    world.target.silent = silent
    if stop:
        world.session.stop.set()
    made = lease("e1", state=LeaseState.EXPORTING, owner=this_process(), expires=at(1))
    world.store.create(made)
    recorder: Any = FakeRecorder(code)
    with ended_afterwards(world.session, made) as ending:
        ending.recorder = recorder
    return world, recorder


@pytest.mark.parametrize("code", [1, 3])
def test_a_failure_is_kept_where_that_is_wished(tmp_path: Path, code: int) -> None:
    world, recorder = end(tmp_path, code, keep_on_failure=True, ttl=7200.0)
    assert recorder.receipt is None
    assert world.store.read("e1").state is LeaseState.KEPT
    assert hours_left(world, "e1") == pytest.approx(2, abs=0.1)
    assert ("understudy test e1" in recorder.commands) is (code == 1), "nothing can be tested that was not provisioned"


def test_it_is_kept_no_longer_than_its_labels_say(tmp_path: Path) -> None:
    world, _ = end(tmp_path, 1, keep_on_failure=True, ttl=360_000.0)
    found = world.store.read("e1")
    assert found.expires == found.not_after


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (0, {"keep_on_failure": True}),
        (6, {"keep_on_failure": True}),
        (2, {"keep_on_failure": True}),
        (130, {"keep_on_failure": True}),
        (1, {"keep_on_failure": True, "stop": True}),
        (1, {"keep_on_failure": True, "silent": True}),
        (1, {"keep_on_failure": True, "halted": True}),
        (1, {}),
    ],
)
def test_everything_else_is_destroyed(tmp_path: Path, code: int, how: dict[str, Any]) -> None:
    world, recorder = end(tmp_path, code, **how)
    assert recorder.receipt.outcome is Outcome.CLEAN
    assert world.ids() == set()
