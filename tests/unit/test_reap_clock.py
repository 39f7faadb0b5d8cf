"""A clock that jumps ahead on the machine that also runs the daemon: nothing goes for it until it has lasted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from reap_world import HERE, World, lease

from understudy.health import judged_checks
from understudy.progress import State
from understudy.reap import Facts, Policy, passing
from understudy.reap.clock import Known, Reading, judge, jumped, reading
from understudy.reap.passing import DOUBT, opportune, reap

START = Reading("boot", 1_800_000_000.0, 1_000.0)
NONE = timedelta(0)


def later(hours: float, *, ahead_days: float = 0, boot: str = "boot") -> Reading:
    """A reading `hours` after the start by the uptime, by a wall clock that has jumped."""
    return Reading(boot, START.wall + hours * 3600 + ahead_days * 86400, START.up + hours * 3600)


@pytest.mark.parametrize(
    ("readings", "days"),
    [
        ([later(0)], [0]),
        ([START, later(100)], [0, 0]),  # idle for days, or asleep: the uptime goes on
        ([START, later(1, ahead_days=0.9), later(2, ahead_days=1.8)], [0, 0, 0]),
        ([START, later(1, ahead_days=30)], [0, 30]),
        ([START, later(1, ahead_days=30), later(1.9, ahead_days=30), later(2, ahead_days=30)], [0, 30, 30, 0]),
        ([START, later(1, ahead_days=30), later(3, ahead_days=60), later(3.5, ahead_days=60)], [0, 30, 60, 60]),
        ([START, later(1, ahead_days=30), later(2)], [0, 30, 0]),  # set right again
        ([START, later(1, ahead_days=30), later(2), later(3, ahead_days=30)], [0, 30, 0, 30]),
        ([START, later(1, ahead_days=-30), later(1.5)], [0, 0, 0]),  # back and ahead again
        ([START, later(1, ahead_days=-30), later(2, ahead_days=-30), later(2.5)], [0, 0, 0, 30]),
        ([START, later(1, ahead_days=30, boot="another")], [0, 0]),
    ],
)
def test_a_jump_ahead_is_doubted_until_it_has_lasted(readings: list[Reading], days: list[float]) -> None:
    known: Known | None = None
    found = []
    for each in readings:
        known, jump = judge(each, known)
        found.append(jump / timedelta(days=1))
    assert found == pytest.approx(days)


def test_what_is_known_lies_in_the_state_folder_where_there_is_one(tmp_path: Path) -> None:
    assert jumped(tmp_path, START, keep=True) == NONE
    ahead = later(1, ahead_days=30)
    assert jumped(tmp_path, ahead, keep=False) == timedelta(days=30)
    assert json.loads((tmp_path / "clock.json").read_text(encoding="utf-8"))["doubted"] is None
    assert jumped(tmp_path, ahead, keep=True) == timedelta(days=30)
    assert jumped(tmp_path, later(2, ahead_days=30), keep=True) == NONE
    for text in ("", "[]", '{"believed": 1, "doubted": null}', "{}"):
        (tmp_path / "clock.json").write_text(text, encoding="utf-8")
        assert jumped(tmp_path, ahead, keep=False) == NONE
    assert jumped(tmp_path / "none", START, keep=True) == NONE
    assert not (tmp_path / "none").exists()
    assert jumped(tmp_path, None, keep=True) == NONE


def test_the_real_clocks_go_on_side_by_side() -> None:
    first, second = reading(), reading()
    assert first is not None
    assert second is not None
    assert (second.boot, second.up >= first.up) == (first.boot, True)
    assert abs(second.ahead_of(first)) < timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """One lease that is over, on a machine whose clock has gone a month ahead since its last command."""
    made = World()
    made.session.settings.state = tmp_path
    made.store.create(lease("over"))
    now = reading()
    assert now is not None
    jumped(tmp_path, now, keep=True)
    monkeypatch.setattr(passing, "reading", lambda: replace(now, wall=now.wall + 30 * 86400))
    return made


def test_a_command_removes_nothing_before_its_work_and_says_why(world: World) -> None:
    opportune(world.session)
    assert world.ids() == {"over"}
    (warning,) = [event for event in world.heard if event.subject == "clock"]
    assert warning.state is State.WARNING
    assert "ahead of its own uptime" in warning.detail


def test_doctor_says_so() -> None:
    month = Facts(HERE, datetime.now(UTC), jump=timedelta(days=30))
    (found,) = [check for check in judged_checks(month, ()) if check.name == "clocks"]
    assert found.ok is None
    assert "2592000 s ahead of its own uptime" in found.detail


def test_a_pass_removes_nothing_and_ends_with_doubt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "client", lambda: None)
    monkeypatch.setattr(passing.ImageCache, "prune", lambda *_, **__: None)
    for dry in (True, False):
        made = reap(world.session, Policy(), dry=dry)
        assert (made.exit_code, made.wanted) == (DOUBT, 0)
    assert world.ids() == {"over"}
