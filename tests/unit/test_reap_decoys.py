"""Random inventories with decoys: a pass removes all that is ours and over, and nothing else (faults, F18, T13).

FAULTS_INVENTORIES says how many; the fault suite asks for 10,000.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reap_world import ELSEWHERE, World, at, labels, lease

from understudy.build.cache import ImageCache, Pruned
from understudy.lease import LeaseState
from understudy.reap import Policy
from understudy.reap.passing import reap
from understudy.stacks.identity import LABEL, OWNERSHIP

ANOTHER = "bbbbbbbbbbbbbbbbb"
INVENTORIES = int(os.environ.get("FAULTS_INVENTORIES", "200"))


@dataclass(frozen=True)
class Case:
    """One environment: how it is put into the world, whether it has to go, and whether labels change before removal."""

    kind: str
    build: Callable[[World, str], None]
    goes: bool
    change: str = ""
    alone: str = ""
    """The one object that goes, if not all of them do."""


def leased(kind: str, *, goes: bool, until: float = -1.5, renewed: float = -2, **changes: object) -> Case:
    def build(world: World, name: str) -> None:
        times = {"not_after": until, "created": until - 3, "expires": until - 1, "renewed": renewed}
        made = lease(name, **{field: at(hours) for field, hours in times.items()}, **changes)
        world.store.create(made)
        world.target.add(f"{name}-web", labels(name, made.not_after, target=made.target))
        world.target.add(f"{name}-net", labels(name, made.not_after, target=made.target), "network")

    return Case(kind, build, goes)


def orphan(kind: str, *, goes: bool, until: str = "", change: str = "", **extra: str) -> Case:
    def build(world: World, name: str) -> None:
        world.target.add(f"{name}-web", labels(name, until or at(-1.5), **extra))

    return Case(kind, build, goes, change)


def clash(kind: str, *, goes: bool, until: float) -> Case:
    """An environment of ours that lives, and one of the same id that another backend made."""

    def build(world: World, name: str) -> None:
        world.store.create(lease(name, expires=at(1)))
        world.target.add(f"{name}-web", labels(name, at(5)))
        world.target.add(f"{name}-db", labels(name, at(until), backend=ANOTHER))

    return Case(kind, build, goes, alone="-db")


def decoy(kind: str, alter: Callable[[dict[str, str]], dict[str, str]]) -> Case:
    def build(world: World, name: str) -> None:
        world.target.add(f"{name}-web", alter(labels(name, at(-200))))

    return Case(kind, build, goes=False)


def without(*keys: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda whole: {key: value for key, value in whole.items() if key not in keys}


SUBSETS = st.lists(st.sampled_from(OWNERSHIP), min_size=1, max_size=len(OWNERSHIP), unique=True)
TIMES = ("", "soon", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00", "1970-01-01T00:00:00Z")
TIMES += ("2100-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "0", "2026-01-01t00:00:00z", "1e9")
CHANGES = ("environment", "backend", "target", "gone", "protect", "not-after", "project")

ALIVE_ELSEWHERE = leased("elsewhere", goes=False, state=LeaseState.TESTING, owner=ELSEWHERE, renewed=0)

CASES = st.one_of(
    st.just(leased("over", goes=True)),
    st.just(leased("killed", goes=True, state=LeaseState.EXPORTING)),
    st.just(leased("lost", goes=True, state=LeaseState.TESTING, owner=ELSEWHERE, renewed=-1)),
    st.just(ALIVE_ELSEWHERE),
    st.just(leased("remote", goes=False, target="docker:two")),
    st.just(leased("impossible", goes=False, until=400_000.0)),
    st.floats(-1000, -1.01).map(lambda hours: orphan("orphan", goes=True, until=at(hours))),
    st.floats(-0.99, 1000).map(lambda hours: orphan("future", goes=False, until=at(hours))),
    st.sampled_from(CHANGES).map(lambda what: orphan("changed", goes=False, change=what)),
    st.floats(-1000, -1.01).map(lambda hours: orphan("another's", goes=True, until=at(hours), backend=ANOTHER)),
    st.floats(-0.99, 1000).map(lambda hours: orphan("another's", goes=False, until=at(hours), backend=ANOTHER)),
    st.floats(-0.99, 1000).map(lambda hours: clash("same id", goes=False, until=hours)),
    st.floats(-1000, -1.01).map(lambda hours: clash("same id, over", goes=True, until=hours)),
    SUBSETS.map(lambda keys: decoy("half", without(*keys))),
    st.sampled_from(TIMES).map(lambda text: decoy("time", lambda whole: {**whole, LABEL + "not-after": text})),
    st.sampled_from(("docker:two", "DOCKER:ONE", "docker:one ", "aws:1/eu")).map(
        lambda text: decoy("target", lambda whole: {**whole, LABEL + "target": text})
    ),
    st.sampled_from(("true", "yes", "0", "no", "1", " ")).map(
        lambda text: decoy("protect", lambda whole: {**whole, LABEL + "protect": text})
    ),
    st.sampled_from((str.upper, str.title, str.swapcase)).map(
        lambda case: decoy("case", lambda whole: {case(key): value for key, value in whole.items()})
    ),
    st.just(decoy("production", lambda _whole: {"com.docker.compose.project": "shop", "environment": "production"})),
    st.just(decoy("others", lambda whole: {key.replace("dev.", "com."): value for key, value in whole.items()})),
)


def test_an_owner_elsewhere_lives_when_an_inventory_is_built_however_long_there_have_been_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = at
    monkeypatch.setitem(globals(), "at", lambda hours: now(hours + 24))
    world = World()
    ALIVE_ELSEWHERE.build(world, "e0")
    (found,), _ = world.store.list()
    assert found.renewed > now(23)


@settings(max_examples=INVENTORIES, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CASES, min_size=1, max_size=12))
def test_all_that_is_ours_and_over_goes_and_nothing_else(cases: list[Case]) -> None:
    world = World()
    for number, case in enumerate(cases):
        case.build(world, f"e{number}")
    changes = {f"e{number}-web": case.change for number, case in enumerate(cases) if case.change}

    def change(name: str) -> None:
        """What was listed is another thing by the time that it is to be removed."""
        what = changes.pop(name, "")
        if not what:
            return
        held = world.target.objects[name]
        altered = dict(held.labels)
        new = {"protect": "true", "not-after": at(9)}.get(what, "other")
        if what == "gone":
            altered = {}
        else:
            altered[LABEL + what] = "" if what == "project" else new
        world.target.add(name, altered)

    world.target.before_removal = change
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("understudy.reap.passing.client", lambda: None)
        patch.setattr(ImageCache, "prune", lambda *_, **__: Pruned((), 0))
        made = reap(world.session, Policy(), dry=False, most=len(cases), gone=lambda _leases: {})
    expected = {f"e{number}" for number, case in enumerate(cases) if not case.goes or case.alone}
    assert {name.partition("-")[0] for name in world.target.objects} == expected
    going = {f"e{number}" for number, case in enumerate(cases) if case.goes}
    assert {name.partition("-")[0] for name in world.target.removals} == going
    partly = {f"e{number}" for number, case in enumerate(cases) if case.alone}
    removed = {f"e{number}{case.alone}" for number, case in enumerate(cases) if case.goes and case.alone}
    assert {name for name in world.target.removals if name.partition("-")[0] in partly} == removed
    assert not (going - partly) & world.ids()
    assert all(reaped.clean for reaped in made.reaped if reaped.subject.name in going)
