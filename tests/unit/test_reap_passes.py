"""Passes: what one pass leaves the next one goes on with, doubts and caps have their exit codes, a dry run is dry."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from click.testing import CliRunner
from reap_world import HERE, World, at, labels, lease

from understudy import receipts
from understudy.build.cache import ImageCache, Pruned
from understudy.cli import cli
from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Lock
from understudy.errors import LeftoversError, UnderstudyError, UsageError
from understudy.lease import LeaseExistsError, LeaseState
from understudy.options import Options
from understudy.owner import this_process
from understudy.reap import Policy
from understudy.reap import command as command_module
from understudy.reap.command import Wanted, every, run
from understudy.reap.passing import Pass, reap
from understudy.reap.text import as_data, as_line, as_text
from understudy.stacks.identity import LABEL
from understudy.targets.interface import Outcome


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("understudy.reap.passing.client", lambda: None)
    monkeypatch.setattr(ImageCache, "prune", lambda *_, **__: Pruned((), 0))
    return World()


def one_pass(world: World, *, dry: bool = False, most: int | None = None) -> Pass:
    return reap(world.session, Policy(), dry=dry, most=most, gone=lambda _leases: {})


def over(world: World, name: str) -> None:
    made = lease(name)
    world.store.create(made)
    world.target.add(f"{name}-web", labels(name, made.not_after))


def test_a_dry_run_changes_nothing(world: World) -> None:
    over(world, "e1")
    world.target.add("lost-web", labels("lost", at(-9)))
    made = one_pass(world, dry=True)
    assert made.exit_code == 0
    assert made.wanted == 2
    assert (world.ids(), set(world.target.objects)) == ({"e1"}, {"e1-web", "lost-web"})
    assert [call.verb for call in world.engine.calls] == ["list"]
    assert "--yes" in as_text(made)


def test_all_that_is_over_goes_with_a_receipt(world: World) -> None:
    over(world, "e1")
    world.target.add("lost-web", labels("lost", at(-9)))
    world.engine.up(StackRef("understudy", "empty"), lambda: None)
    world.engine.up(StackRef("theirs", "empty"), lambda: None)
    made = one_pass(world)
    assert made.exit_code == 0
    assert (world.ids(), world.target.objects) == (set(), {})
    assert [summary.ref.project for summary in world.engine.list()] == ["theirs"]
    for name in ("e1", "lost", "empty"):
        kept = receipts.find(world.store, name)
        assert kept is not None
        assert kept.receipt.outcome is Outcome.CLEAN


def test_what_has_lost_its_lease_leaves_no_files_of_its_commit(world: World, tmp_path: Path) -> None:
    world.session.settings.state = tmp_path
    for name in ("lost", "other"):
        (tmp_path / "trees" / name / "abc" / "files").mkdir(parents=True)
    world.target.add("lost-web", labels("lost", at(-9)))
    assert one_pass(world).exit_code == 0
    assert [folder.name for folder in (tmp_path / "trees").iterdir()] == ["other"]


def test_a_removal_that_fails_is_retried_and_counted(world: World) -> None:
    over(world, "e1")
    world.target.add("lost-web", labels("lost", at(-9)))
    world.target.stuck = {"e1-web", "lost-web"}
    for attempt in (1, 2):
        made = one_pass(world)
        assert made.exit_code == 4
        assert {each.id: each.attempts for each in world.store.list()[0]} == {"e1": attempt, "lost": attempt}
    assert "removals failed before" in as_text(one_pass(world, dry=True))
    world.target.stuck = set()
    assert one_pass(world).exit_code == 0
    assert (world.ids(), world.target.objects) == (set(), {})


def test_an_orphan_that_came_to_life_while_it_was_removed_is_kept_for_good(world: World) -> None:
    world.target.add("lost-web", labels("lost", at(-9)))
    world.target.before_removal = lambda name: world.target.add(name, labels("lost", at(9)))
    assert one_pass(world).exit_code == 4
    world.target.before_removal = lambda _name: None
    made = one_pass(world)
    assert set(world.target.objects) == {"lost-web"}
    assert made.exit_code == 0


def test_so_is_one_that_comes_to_life_while_the_next_pass_removes_it(world: World) -> None:
    world.target.add("lost-web", labels("lost", at(-9)))
    world.target.stuck = {"lost-web"}
    assert one_pass(world).exit_code == 4
    world.target.stuck = set()
    world.target.before_removal = lambda name: world.target.add(name, labels("lost", at(9)))
    assert one_pass(world).exit_code == 4
    assert set(world.target.objects) == {"lost-web"}


def test_a_lease_that_cannot_be_read_is_replaced_by_the_sweep(world: World) -> None:
    over(world, "e1")
    world.store.shelf.put("e1.json", b'{"id": "e1", "tar')
    world.target.add("e1-web", labels("e1", at(-9)))
    assert one_pass(world).exit_code == 0
    assert (world.store.list(), world.target.objects) == (((), ()), {})


@pytest.mark.parametrize("leased", [True, False])
def test_what_cannot_be_judged_stays_though_the_rest_of_its_environment_goes(world: World, *, leased: bool) -> None:
    if leased:
        over(world, "e1")
    world.target.add("e1-web", labels("e1", at(-9)))
    world.target.add("e1-odd", labels("e1", "yesterday"))
    assert one_pass(world).exit_code == 4
    assert set(world.target.objects) == {"e1-odd"}


def test_what_cannot_be_judged_is_exit_code_5(world: World) -> None:
    world.target.add("half", {LABEL + "environment": "e1"})
    assert one_pass(world).exit_code == 5
    assert set(world.target.objects) == {"half"}


@pytest.mark.parametrize("hours", [-25, 25])
def test_a_clock_that_is_a_day_off_takes_nothing(world: World, hours: int) -> None:
    over(world, "e1")
    world.target.ahead = timedelta(hours=hours)
    assert one_pass(world).exit_code == 5
    assert world.ids() == {"e1"}


def test_a_list_that_fails_is_unknown_and_takes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise UnderstudyError("429 Too Many Requests")

    over(world, "e1")
    for part, verb in (
        (world.target, "claimed"),
        (world.target, "identity"),
        (world.store, "list"),
        (world.engine, "list"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(part, verb, fails)
            made = one_pass(world)
        assert made.exit_code == 4, verb
        assert world.ids() == {"e1"}
        assert set(world.target.objects) == {"e1-web"}
    assert one_pass(world).exit_code == 0


def test_a_cap_stops_before_anything_is_removed(world: World) -> None:
    for number in range(21):
        over(world, f"e{number}")
    made = one_pass(world)
    assert made.exit_code == 5
    assert made.capped
    assert len(world.ids()) == len(world.target.objects) == 21
    assert "--max-destroy 21" in as_text(made)
    assert one_pass(world, most=21).exit_code == 0
    assert world.ids() == set()


def test_a_quarter_of_many_is_within_the_cap(world: World) -> None:
    for number in range(100):
        world.store.create(lease(f"e{number}", expires=at(-1) if number < 25 else at(1)))
    made = one_pass(world)
    assert (made.cap, made.exit_code) == (25, 0)
    assert len(world.ids()) == 75


def test_the_record_and_the_line_say_what_was_done(world: World) -> None:
    over(world, "e1")
    world.store.create(lease("remote", target="docker:two\x1b[2J"))
    made = one_pass(world)
    data = json.loads(json.dumps(as_data(made)))
    assert {row["name"]: row["kind"] for row in data["verdicts"]} == {"e1": "reap", "remote": "hold"}
    assert [(row["name"], row["receipt"]) for row in data["reaped"]] == [("e1", "CLEAN")]
    assert as_line(made).endswith("1 to reap, 1 hold; 1 removed; exit 0")
    assert "\x1b" not in as_text(made)


def test_passes_come_at_even_intervals_and_never_overlap() -> None:
    now, begun, lines = [0.0], [], []
    lasts = iter([1.0, 25.0, 1.0, 1.0])

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            now[0] += timeout or 0.0
            return super().is_set()

    stop = Stop()

    def once() -> str:
        begun.append(now[0])
        now[0] += next(lasts)
        if len(begun) == 4:
            stop.set()
        return f"pass {len(begun)}"

    assert every(10.0, once, stop, lines.append, clock=lambda: now[0]) == 0
    assert begun == [0.0, 10.0, 40.0, 50.0]
    assert lines == ["pass 1", "pass 2", "pass 3", "pass 4"]


def test_a_daemon_that_is_away_is_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tries: list[int] = []

    def away(*_: object) -> Pass:
        tries.append(1)
        if len(tries) == 2:
            stops[0].set()
        raise UnderstudyError("Asked Docker for an answer, and got none.\nStart it.")

    stops: list[threading.Event] = []

    class Interrupts:
        def __init__(self, _say: object) -> None:
            self.stop = threading.Event()
            stops.append(self.stop)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return

    monkeypatch.setattr(command_module, "_pass", away)
    monkeypatch.setattr(command_module, "Interrupts", Interrupts)
    assert run(Options(), tmp_path, Wanted(every=0.01)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("UNKNOWN: Asked Docker" in line and line.endswith("exit 4") for line in lines)


def test_without_a_daemon_nobody_could_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from understudy.errors import ToolError

    def away(*_: object) -> Pass:
        raise ToolError("Asked Docker for an answer, and got none.", hint="Start it.")

    monkeypatch.setattr(command_module, "_pass", away)
    with pytest.raises(LeftoversError, match="Nobody could look") as caught:
        run(Options(progress="plain"), tmp_path, Wanted())
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("given", [["--every", "soon"], ["--max-destroy", "-1"]])
def test_what_is_no_option_is_refused(given: list[str]) -> None:
    assert CliRunner().invoke(cli, ["reap", *given]).exit_code == 2


@pytest.fixture
def forgetting(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    from contextlib import nullcontext

    monkeypatch.setattr("understudy.reap.forget.open_session", lambda *_: nullcontext(world.session))
    return world


def test_the_leases_of_a_lost_host_are_closed_with_what_is_known(forgetting: World, tmp_path: Path) -> None:
    forgetting.store.create(lease("mine"))
    forgetting.store.create(lease("lost", target="docker:two"))
    for name in ("mine", "lost"):
        forgetting.engine.up(StackRef("understudy", name), lambda: None)
    working = lease("busy", target="docker:two", state=LeaseState.TESTING, renewed=at(0))
    forgetting.store.create(replace(working, owner=replace(working.owner, host="other", boot_id="other")))
    wanted = Wanted(forget_target="docker:two")
    assert run(Options(progress="plain"), tmp_path, wanted) == 0
    assert forgetting.ids() == {"mine", "lost", "busy"}
    assert run(Options(progress="plain"), tmp_path, replace(wanted, yes=True)) == 0
    assert forgetting.ids() == {"mine", "busy"}
    assert [summary.ref.name for summary in forgetting.engine.list()] == ["mine"]
    kept = receipts.find(forgetting.store, "lost")
    assert kept is not None
    assert kept.receipt.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("target", [HERE, "docker:none"])
def test_a_target_that_is_here_or_unknown_cannot_be_forgotten(forgetting: World, tmp_path: Path, target: str) -> None:
    forgetting.store.create(lease("mine"))
    with pytest.raises(UsageError):
        run(Options(progress="plain"), tmp_path, Wanted(forget_target=target, yes=True))
    assert forgetting.ids() == {"mine"}


def test_a_stack_that_says_nothing_is_given_up_by_hand_with_receipt_unknown(forgetting: World, tmp_path: Path) -> None:
    for name in ("e0000000001", "e0000000002"):
        forgetting.engine.up(StackRef("understudy", name), lambda: None)
    forgetting.engine.fail["export_state"] = UnderstudyError("It is cut off.")
    wanted = Wanted(forget_stack="e0000000001")
    assert run(Options(progress="plain"), tmp_path, wanted) == 0
    assert len(forgetting.engine.list()) == 2
    assert run(Options(progress="plain"), tmp_path, replace(wanted, yes=True)) == 0
    assert [summary.ref.name for summary in forgetting.engine.list()] == ["e0000000002"]
    assert forgetting.ids() == set()
    kept = receipts.find(forgetting.store, "e0000000001")
    assert kept is not None
    assert kept.receipt.outcome is Outcome.UNKNOWN


def test_a_stack_that_can_be_judged_is_not_given_up(forgetting: World, tmp_path: Path) -> None:
    held, leased, there = (StackRef("understudy", f"e000000000{number}") for number in (1, 2, 3))
    for ref in (held, leased, there):
        forgetting.engine.up(ref, lambda: None)
    forgetting.engine.fail["export_state"] = UnderstudyError("It is cut off.")
    forgetting.engine.locked[held] = [Lock("me", this_process().host, this_process().pid, "")]
    forgetting.store.create(lease(leased.name))
    forgetting.target.add("web", labels(there.name, at(1)))
    for name in (held.name, leased.name, there.name, "e0000000009"):
        with pytest.raises(UsageError, match="cannot be judged, and"):
            run(Options(progress="plain"), tmp_path, Wanted(forget_stack=name, yes=True))
    assert len(forgetting.engine.list()) == 3


def test_a_stack_whose_environment_is_made_anew_meanwhile_is_left_to_it(
    forgetting: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetting.engine.up(StackRef("understudy", "e0000000001"), lambda: None)
    forgetting.engine.fail["export_state"] = UnderstudyError("It is cut off.")
    listed = forgetting.store.list

    def then_made() -> object:
        found = listed()
        forgetting.store.create(lease("e0000000001"))
        return found

    monkeypatch.setattr(forgetting.store, "list", then_made)
    with pytest.raises(LeaseExistsError):
        run(Options(progress="plain"), tmp_path, Wanted(forget_stack="e0000000001", yes=True))
    assert len(forgetting.engine.list()) == 1


def test_a_stack_is_not_given_up_while_nobody_can_look(forgetting: World, tmp_path: Path) -> None:
    forgetting.engine.up(StackRef("understudy", "e0000000001"), lambda: None)
    forgetting.target.silent = True
    with pytest.raises(LeftoversError):
        run(Options(progress="plain"), tmp_path, Wanted(forget_stack="e0000000001", yes=True))
    assert len(forgetting.engine.list()) == 1
