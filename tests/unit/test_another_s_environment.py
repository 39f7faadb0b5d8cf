"""What two backends, or two commits, that come to the same environment may not do to each other."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from reap_world import DEAD, ELSEWHERE, World, at, labels, lease

from understudy.admission.admitting import admit
from understudy.engine.interface import StackRef
from understudy.errors import UsageError
from understudy.lease import BusyError, Lease, LeaseState
from understudy.owner import this_process
from understudy.preparation import renew
from understudy.reap.branches import branches_gone
from understudy.reap.forget import give_up
from understudy.stops import Stop

ID = "eaaaaaaaaaa"


def coming(**changes: object) -> Lease:
    return lease(ID, owner=this_process(), created=at(0), expires=at(1), **changes)


@pytest.fixture
def world() -> World:
    made = World(docker_provider="official", min_free_memory=0, min_free_disk=0, max_environments=0)
    made.session.stop = Stop()
    return made


def enter(world: World) -> Lease:
    return admit(world.session, SimpleNamespace(), coming())  # type: ignore[arg-type]  # no limit asks for it


def test_what_another_backend_made_is_neither_taken_over_nor_removed(world: World) -> None:
    """Two users of one daemon, each with a state folder, run `up` on the same branch of the same repository."""
    world.target.add("eaaaaaaaaaa-db", labels(ID, at(5), backend="b2"))
    with pytest.raises(BusyError, match=r"made by another backend, b2; this one is baaaaaaaaaaaaaaaa") as refused:
        enter(world)
    assert "--name" in refused.value.hint
    assert (world.ids(), list(world.target.objects)) == (set(), ["eaaaaaaaaaa-db"])


def test_what_this_backend_made_and_knows_nothing_of_any_more_is_left_alone(world: World) -> None:
    world.target.add("eaaaaaaaaaa-db", labels(ID, at(5)))
    with pytest.raises(BusyError, match=r"eaaaaaaaaaa is there already .* its record is lost"):
        enter(world)
    assert (world.ids(), list(world.target.objects)) == (set(), ["eaaaaaaaaaa-db"])


def test_what_a_stack_of_this_backend_has_is_its_own_and_so_is_what_has_another_id(world: World) -> None:
    world.target.add("ebbbbbbbbbb-db", labels("ebbbbbbbbbb", at(5)))
    assert enter(world).state is LeaseState.PROVISIONING
    world.store.close(world.store.read(ID))
    world.engine.up(StackRef("understudy", ID), lambda: None)
    world.target.add("eaaaaaaaaaa-db", labels(ID, at(5)))
    assert enter(world).state is LeaseState.PROVISIONING


def test_an_update_says_of_the_new_commit_whose_it_is_and_how_it_is_read(world: World) -> None:
    old = coming(state=LeaseState.KEPT, untrusted=True, files=("compose.yaml",), given=("A=1",))
    world.store.create(old)
    new = replace(
        old,
        commit="f" * 40,
        committed=at(0),
        untrusted=False,
        files=("compose.yaml", "more.yaml"),
        given=("A=2",),
        env_files=("more.env",),
        compose_profiles=("debug",),
        allow=("privileged",),
    )
    now = renew(world.store, old, new, LeaseState.PROVISIONING)
    assert replace(now, renewed="", active="", rests_as=None, state=old.state) == replace(new, expires=now.expires)


def test_who_used_an_environment_since_does_not_change_that_its_branch_was_pushed(world: World) -> None:
    """CI makes it, somebody at a desk tests it or updates it: it still ends with its branch."""
    old = coming(state=LeaseState.KEPT, pushed=True)
    world.store.create(old)
    tested = world.store.update(old, owner=DEAD, state=LeaseState.KEPT)
    now = renew(world.store, tested, replace(old, pushed=False), LeaseState.KEPT)
    assert branches_gone([now], lambda _: frozenset({"main"})) == {ID: True}
    other = renew(world.store, now, replace(old, pushed=False, branch="another"), LeaseState.KEPT)
    assert branches_gone([other], lambda _: frozenset({"main"})) == {}


def test_a_stranger_s_branch_of_the_same_name_does_not_get_the_environment_of_ours(world: World) -> None:
    old = coming(state=LeaseState.KEPT)
    world.store.create(old)
    with pytest.raises(UsageError, match="an untrusted one neither replaces it"):
        renew(world.store, old, replace(old, untrusted=True), LeaseState.PROVISIONING)
    assert world.store.read(ID) == old


def test_what_somebody_took_since_it_was_listed_is_not_given_up(world: World) -> None:
    listed = coming(state=LeaseState.KEPT, target="docker:lost")
    world.store.create(listed)
    world.engine.up(StackRef("understudy", ID), lambda: None)
    taken = replace(listed, owner=ELSEWHERE, state=LeaseState.TESTING, renewed=at(0))
    world.store.shelf.put(f"{ID}.json", taken.to_json().encode())
    with pytest.raises(BusyError):
        give_up(world.session, listed)
    assert (world.store.read(ID), len(world.engine.list())) == (taken, 1)
