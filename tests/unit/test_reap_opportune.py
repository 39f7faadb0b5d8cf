"""The pass before a command's own work: what is over on this target goes, what is at work or spared stays."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from reap_world import ELSEWHERE, World, at, labels, lease

from understudy.lease import LeaseState
from understudy.owner import this_process
from understudy.progress import State
from understudy.reap.passing import OPPORTUNE, opportune


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_over_and_idle_goes_and_nothing_else(world: World) -> None:
    gone = [lease("kept"), lease("killed", state=LeaseState.TESTING, expires=at(1)), lease("plain", plain=True)]
    left = [
        lease("young", expires=at(1)),
        lease("elsewhere", state=LeaseState.TESTING, owner=ELSEWHERE, renewed=at(0)),
        lease("remote", target="docker:two"),
        lease("mine"),
    ]
    for each in (*gone, *left):
        world.store.create(each)
        world.target.add(f"{each.id}-web", labels(each.id, each.not_after, target=each.target))
    world.target.add("lost-web", labels("lost", at(-1.5)))
    opportune(world.session, spare="mine")
    assert world.ids() == {each.id for each in left}
    assert set(world.target.objects) == {f"{each.id}-web" for each in left}


def test_one_at_work_stays_though_its_time_is_over(world: World) -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as other:
        fields = Path(f"/proc/{other.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        owner = replace(this_process(), pid=other.pid, started=int(fields[19]))
        world.store.create(lease("working", state=LeaseState.TESTING, owner=owner, not_after=at(-0.9)))
        opportune(world.session)
        assert world.ids() == {"working"}
        other.communicate()


def test_the_spared_one_goes_when_it_cannot_be_renewed(world: World) -> None:
    world.store.create(lease("mine", not_after=at(-0.5)))
    opportune(world.session, spare="mine")
    assert world.ids() == set()


def test_one_that_is_extended_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.create(lease("kept"))
    found = world.store.list()
    world.store.update(found[0][0], expires=at(1))
    monkeypatch.setattr(world.store, "list", lambda: found)
    opportune(world.session)
    assert world.ids() == {"kept"}
    assert "it may live until" in world.heard[-1].detail


def test_a_week_without_a_reaper_is_cleared_by_the_next_command(world: World) -> None:
    for number in range(50):
        name = f"stale{number}"
        day = -24 * (number % 7 + 1)
        world.store.create(lease(name, created=at(day - 24), expires=at(day - 23), not_after=at(day)))
        world.target.add(name, labels(name, at(day)))
    assert OPPORTUNE > 50
    opportune(world.session)
    assert world.ids() == set()
    assert world.target.objects == {}


def test_a_target_that_does_not_answer_is_told_and_nothing_goes(world: World) -> None:
    world.store.create(lease("kept"))
    world.target.silent = True
    opportune(world.session)
    assert world.ids() == {"kept"}
    assert [event.state for event in world.heard] == [State.WARNING]
