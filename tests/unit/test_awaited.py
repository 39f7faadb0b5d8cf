"""When suites may start: by what the engine has made, in whatever order, and never without what they need."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.awaited import Awaited, OfReady, Wait
from understudy.components.plan import make_plan
from understudy.engine.events import EngineEvent, Op, ResourceDone, ResourceStarted
from understudy.errors import InterruptedRunError, ProvisionError
from understudy.making import Making
from understudy.stacks.clone import Clone
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Suite
from understudy.suites.gate import Gate
from understudy.targets.watching import Death, How, StillWatch

CONTAINER = "docker:index/container:Container"
LIMIT = 20.0
TEXT = """
services:
  web: {image: x, ports: ['80'], depends_on: [api], deploy: {replicas: 2}}
  api: {image: x, depends_on: {db: {condition: service_healthy}, seed: {condition: service_completed_successfully}}}
  db: {image: 'postgres:15'}
  seed: {image: x}
  side: {image: x, network_mode: 'service:db'}
  mail: {image: x}
x-understudy:
  externals: {pay: {host: pay.example, mock: m}}
  profiles: {default: {}}
  tests:
    web: {command: x, needs: [web]}
    db: {command: x, needs: ['db:5432', pay]}
    side: {command: x, needs: [side]}
    all: {command: x}
"""
BEHIND = {
    "web": {"relay", "web", "api", "db", "seed"},
    "db": {"relay", "db", "pay"},
    "side": {"relay", "side", "db"},
    "all": {"relay", "web", "api", "db", "seed", "side", "mail", "pay"},
}


def cloned(text: str = TEXT) -> Clone:
    topology = read(text, "compose.yaml", variables={}, read_file={}.get)
    return derive(topology, topology, commit="c", profile=profile_named(topology), unchanged_builds={})


CLONE = cloned()
PLAN = make_plan(CLONE, "e1")
OWNERS = {
    **{container: name for name, several in PLAN.containers.items() for container in several},
    **{container: name for name, container in PLAN.mocks.items()},
    PLAN.relay: "relay",
}
SUITES = {suite.name: suite for suite in CLONE.topology.suites}


def made(container: str, op: Op = Op.CREATE) -> ResourceDone:
    return ResourceDone(0.0, f"urn::{container}", CONTAINER, op, {"name": container})


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def waiting(*, early: bool = True) -> tuple[Awaited, Clock]:
    clock = Clock()
    return Awaited(CLONE, "e1", early=early, clock=clock), clock


@given(st.permutations(sorted(OWNERS)))
def test_a_suite_may_start_exactly_when_all_that_it_needs_is_made(order: list[str]) -> None:
    awaited, _ = waiting()
    left = dict(OWNERS)
    for container in order:
        awaited.hear(made(container))
        del left[container]
        ready = set(OWNERS.values()) - set(left.values())
        for name, suite in SUITES.items():
            assert awaited.is_open(suite) == (bool(suite.needs) and ready >= BEHIND[name])
            assert {wait.name for wait in awaited.waits(suite)} == ready & BEHIND[name]
    assert not awaited.is_open(SUITES["all"]), "all of it is ready only when it was waited for as a whole"
    awaited.complete({}, 0.0)
    assert awaited.is_open(SUITES["all"])


def test_what_was_waited_for_has_the_moment_on_which_it_was_ready() -> None:
    awaited, clock = waiting()
    for clock.now, container in ((101.0, PLAN.mocks["pay"]), (103.5, *PLAN.containers["db"]), (104.0, PLAN.relay)):
        awaited.hear(made(container))
    clock.now = 110.0
    awaited.hear(made(*PLAN.containers["db"], Op.UPDATE))
    assert awaited.waits(SUITES["db"]) == (Wait("pay", 101.0, 1.0), Wait("db", 103.5, 3.5), Wait("relay", 104.0, 4.0))


def test_a_container_that_is_begun_or_deleted_or_something_else_does_not_count() -> None:
    awaited, _ = waiting()
    (db,) = PLAN.containers["db"]
    events: list[EngineEvent] = [
        ResourceStarted(0.0, "urn::db", CONTAINER, Op.CREATE),
        made(db, Op.DELETE),
        ResourceDone(0.0, "urn::db", "docker:index/volume:Volume", Op.CREATE, {"name": db}),
    ]
    for event in events:
        awaited.hear(event)
    assert awaited.waits(SUITES["db"]) == ()


def test_with_a_provider_that_does_not_wait_nothing_is_ready_before_all_is() -> None:
    awaited, _ = waiting(early=False)
    for container in OWNERS:
        awaited.hear(made(container))
    assert not any(map(awaited.is_open, SUITES.values()))
    awaited.complete({"db": 2.0, "pay": 5.0}, 200.0)
    assert all(map(awaited.is_open, SUITES.values()))
    assert awaited.waits(SUITES["db"]) == (
        Wait("relay", 200.0, 100.0),
        Wait("db", 202.0, 102.0),
        Wait("pay", 205.0, 105.0),
    )


def test_without_endpoints_nobody_waits_for_a_relay() -> None:
    clone = cloned("services: {db: {image: x}}\nx-understudy: {tests: {a: {command: x, needs: [db]}}}\n")
    awaited = Awaited(clone, "e1", early=True)
    awaited.hear(made(*make_plan(clone, "e1").containers["db"]))
    assert awaited.is_open(clone.topology.suites[0])


def test_it_is_the_gate_of_the_test_stage_and_the_first_failure_is_told() -> None:
    gate: Gate = (awaited := waiting()[0])
    assert gate.broken() == ""
    awaited.fail("db died")
    awaited.fail("and more")
    assert gate.broken() == "db died"
    assert not gate.is_open(Suite("a", ("x",)))


def death(service: str, clock: float, how: How = How.EXITED) -> Death:
    return Death(service, "c", how, 0.0, "ended", clock)


def test_only_what_died_after_it_was_ready_is_a_death() -> None:
    awaited, clock = waiting()
    before, after = death("db", 102.0), death("db", 104.0)
    never, other, lost = death("mail", 104.0), death("egress", 104.0), death("", 90.0, How.UNKNOWN)
    watch = OfReady(StillWatch((before, never, other, lost), (after,)), awaited)
    assert watch.deaths() == (lost,)
    clock.now = 103.0
    awaited.hear(made(*PLAN.containers["db"]))
    assert watch.deaths() == (lost,)
    assert watch.settle(1.0) == (lost, after)
    awaited.complete({}, 103.5)
    assert watch.settle(1.0) == (never, other, lost, after)


# Making


def held(
    result: str = "made", error: Exception | None = None
) -> tuple[Callable[[threading.Event], str], threading.Event]:
    """Work that goes on until it is released, or told to stop."""
    released = threading.Event()

    def work(stop: threading.Event) -> str:
        while not released.is_set():
            if stop.wait(0.01):
                raise InterruptedRunError("told to stop")
        if error is not None:
            raise error
        return result

    return work, released


def test_work_goes_on_beside_and_its_result_is_taken_at_the_end() -> None:
    work, released = held()
    failures: list[str] = []
    with Making(work, threading.Event(), failures.append) as making:
        making.until(lambda: True)
        released.set()
        assert making.end() == "made"
        assert not making.cancel()
    assert failures == []


def test_a_failure_is_told_in_words_at_once_and_raised_at_the_end() -> None:
    work, released = held(error=ProvisionError("first line\n  second"))
    told = threading.Event()
    failures: list[str] = []

    def fail(why: str) -> None:
        failures.append(why)
        told.set()

    with Making(work, threading.Event(), fail) as making:
        released.set()
        assert told.wait(LIMIT)
        with pytest.raises(ProvisionError, match="first line"):
            making.until(lambda: False)
        with pytest.raises(ProvisionError, match="first line"):
            making.end()
    assert failures == ["first line second"]


def test_what_is_cancelled_is_no_failure() -> None:
    work, _ = held()
    failures: list[str] = []
    with Making(work, threading.Event(), failures.append) as making:
        assert making.cancel()
        assert making.end() is None
    assert failures == []


def test_the_caller_s_own_stop_ends_the_work_and_is_raised() -> None:
    work, _ = held()
    stop = threading.Event()
    failures: list[str] = []
    with Making(work, stop, failures.append) as making:
        stop.set()
        with pytest.raises(InterruptedRunError):
            making.end()
    assert failures == ["told to stop"]


def test_nothing_goes_on_after_the_context_whatever_happened_in_it() -> None:
    work, _ = held()
    ended = threading.Event()

    def watched(stop: threading.Event) -> str:
        try:
            return work(stop)
        finally:
            ended.set()

    with pytest.raises(KeyError), Making(watched, threading.Event(), lambda _: None):
        raise KeyError
    assert ended.is_set()
