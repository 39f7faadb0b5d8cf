"""Giving back: a kept environment whose owner died while it used it goes back to its lease, whoever finds it so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reap_world import HERE, World, at, labels, lease

from understudy.build.cache import ImageCache, Pruned
from understudy.ending import end
from understudy.errors import LeftoversError, NotFoundError, UnderstudyError
from understudy.giving_back import resting_afterwards
from understudy.lease import Lease, LeaseState
from understudy.reap import Policy
from understudy.reap.passing import opportune, reap

TESTING, KEPT = LeaseState.TESTING, LeaseState.KEPT


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("understudy.reap.passing.client", lambda: None)
    monkeypatch.setattr(ImageCache, "prune", lambda *_, **__: Pruned((), 0))
    return World()


def watchdog(world: World) -> None:
    for each in world.ids():
        end(world.session, each)


def next_command(world: World) -> None:
    opportune(world.session)


def reaper(world: World) -> None:
    reap(world.session, Policy(), dry=False, gone=lambda _leases: {})


everybody = pytest.mark.parametrize("finder", [watchdog, next_command, reaper])


def killed(world: World, **changes: object) -> Lease:
    """One that a `test` was killed on, which ran a suite in a container."""
    made = lease("e1", **{"state": TESTING, "rests_as": KEPT, "expires": at(1)} | changes)
    world.store.create(made)
    world.target.add("e1-web", labels("e1", made.not_after))
    world.target.add("e1-suite", labels("e1", made.not_after, kind="suite"))
    return made


@everybody
@pytest.mark.parametrize("rest", [KEPT, LeaseState.HANDED_OVER])
def test_one_that_was_kept_rests_again_without_its_suites(
    world: World, finder: Callable[[World], None], rest: LeaseState
) -> None:
    killed(world, rests_as=rest)
    finder(world)
    found = world.store.read("e1")
    assert (found.state, found.rests_as) == (rest, None)
    assert set(world.target.objects) == {"e1-web"}


@everybody
def test_one_that_never_was_goes(world: World, finder: Callable[[World], None]) -> None:
    killed(world, rests_as=None)
    finder(world)
    assert (world.ids(), world.target.objects) == (set(), {})


@pytest.mark.parametrize("finder", [next_command, reaper])
def test_one_whose_time_is_over_goes(world: World, finder: Callable[[World], None]) -> None:
    killed(world, expires=at(-1))
    finder(world)
    assert (world.ids(), world.target.objects) == (set(), {})


def test_a_suite_that_stays_is_said_and_the_next_one_goes_on(world: World) -> None:
    killed(world)
    world.target.stuck = {"e1-suite"}
    with pytest.raises(LeftoversError, match="e1-suite is left"):
        watchdog(world)
    made = reap(world.session, Policy(), dry=False, gone=lambda _leases: {})
    assert made.exit_code == LeftoversError.exit_code
    found = world.store.read("e1")
    assert (found.state, found.rests_as) == (TESTING, KEPT)
    world.target.stuck = set()
    reaper(world)
    assert world.store.read("e1").state is KEPT


def test_a_dry_run_says_so_and_changes_nothing(world: World) -> None:
    killed(world)
    before = world.store.read("e1")
    made = reap(world.session, Policy(), dry=True, gone=lambda _leases: {})
    assert [verdict.reason for verdict in made.verdicts if verdict.back and "given back" in verdict.reason]
    assert world.store.read("e1") == before
    assert set(world.target.objects) == {"e1-web", "e1-suite"}


def test_from_another_target_nothing_is_given_back(world: World) -> None:
    killed(world)
    world.target.name = HERE + "-other"
    with pytest.raises(NotFoundError):
        watchdog(world)
    assert world.store.read("e1").state is TESTING


def test_the_first_error_is_the_one_that_is_raised(world: World) -> None:
    made = killed(world)
    world.store.close(made)
    with pytest.raises(ValueError, match="the first"), resting_afterwards(world.session, made):
        raise ValueError("the first")
    assert "There is no environment" in world.heard[-1].detail
    with pytest.raises(UnderstudyError, match="There is no environment"), resting_afterwards(world.session, made):
        pass
