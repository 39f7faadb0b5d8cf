"""What ready means, without a container: the order of probes, what is given up, and what is fatal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.stacks.identity import LABEL
from understudy.targets.readiness_plan import MAX_RESTARTS, HealthProbe, Plan, ReadySpec, Step, fatal
from understudy.targets.readiness_probes import listening

CHECK = HealthProbe(("true",))


def facts(**config: Any) -> dict[str, Any]:
    return {"Config": {"Labels": {}, **config}}


def test_declared_ports_overrule_exposed_ones() -> None:
    spec = ReadySpec.of(facts(Labels={LABEL + "ports": "8080, 9090"}, ExposedPorts={"80/tcp": {}}))
    assert spec.ports == (8080, 9090)
    assert spec.exposed == ()


def test_only_exposed_tcp_ports_count() -> None:
    spec = ReadySpec.of(facts(Labels={LABEL + "ports": ""}, ExposedPorts={"80/tcp": {}, "53/udp": {}, "90": {}}))
    assert spec.exposed == (80, 90)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"Test": ["CMD", "pg_isready", "-q"]}, HealthProbe(("pg_isready", "-q"))),
        ({"Test": ["CMD-SHELL", "a | b"]}, HealthProbe(("/bin/sh", "-c", "a | b"))),
        ({"Test": ["CMD", "x"], "Timeout": 1_500_000_000}, HealthProbe(("x",), 1.5)),
        ({"Test": ["NONE"]}, None),
        ({"Test": []}, None),
        (None, None),
    ],
)
def test_the_check_is_the_declared_one(config: Any, expected: HealthProbe | None) -> None:
    assert ReadySpec.of(facts(Healthcheck=config)).check == expected


def test_an_image_with_another_shell_has_its_check_run_by_it() -> None:
    spec = ReadySpec.of(facts(Healthcheck={"Test": ["CMD-SHELL", "x"]}, Shell=["/bin/ash", "-ec"]))
    assert spec.check == HealthProbe(("/bin/ash", "-ec", "x"))


def test_nothing_to_probe_is_done() -> None:
    assert Plan(ReadySpec()).next() is Step.DONE


def test_declared_ports_come_before_the_check_however_long_that_takes() -> None:
    plan = Plan(ReadySpec(declared=(1, 2), check=CHECK))
    for now in range(100):
        plan.saw_ports(frozenset({1}), now)
        assert plan.next() is Step.PORTS
        assert plan.pending == (2,)
    plan.saw_ports(frozenset({2}), 100)
    assert plan.next() is Step.CHECK
    plan.saw_check(passed=False, now=101)
    assert plan.next() is Step.CHECK
    plan.saw_check(passed=True, now=102)
    assert plan.next() is Step.DONE
    assert plan.unused == ()


def test_a_pass_before_the_ports_has_to_be_repeated_after_them() -> None:
    plan = Plan(ReadySpec(exposed=(5432,), check=CHECK))
    plan.saw_ports(frozenset(), 0)
    assert plan.next() is Step.CHECK
    plan.saw_check(passed=True, now=0.1)
    assert plan.next() is Step.PORTS
    plan.saw_ports(frozenset({5432}), 1)
    assert plan.next() is Step.CHECK
    plan.saw_check(passed=True, now=1.1)
    assert plan.next() is Step.DONE


def test_silent_exposed_ports_are_given_up_five_seconds_after_the_check_passed() -> None:
    plan = Plan(ReadySpec(exposed=(1, 2), check=CHECK))
    plan.saw_ports(frozenset({1}), 0)
    plan.saw_check(passed=True, now=1)
    plan.saw_ports(frozenset(), 5.9)
    assert plan.next() is Step.PORTS
    plan.saw_ports(frozenset(), 6)
    assert plan.unused == (2,)
    assert plan.next() is Step.CHECK


def test_silent_exposed_ports_are_given_up_five_seconds_after_another_accepted() -> None:
    plan = Plan(ReadySpec(exposed=(1, 2)))
    plan.saw_ports(frozenset(), 100)
    plan.saw_ports(frozenset({2}), 101)
    plan.saw_ports(frozenset(), 105.9)
    assert plan.next() is Step.PORTS
    plan.saw_ports(frozenset(), 106)
    assert (plan.next(), plan.unused) == (Step.DONE, (1,))


def test_exposed_ports_are_waited_for_as_long_as_nothing_answers() -> None:
    plan = Plan(ReadySpec(exposed=(1,)))
    plan.saw_ports(frozenset(), 1e6)
    plan.saw_ports(frozenset(), 2e6)
    assert plan.next() is Step.PORTS


def test_a_port_that_closed_again_is_waited_for_again() -> None:
    plan = Plan(ReadySpec(declared=(1, 2)))
    plan.saw_ports(frozenset({1}), 0)
    assert not plan.completes(frozenset(), 1)
    assert plan.completes(frozenset({2}), 1)
    plan.recheck(frozenset())
    plan.saw_ports(frozenset({2}), 1)
    assert (plan.next(), plan.pending) == (Step.PORTS, (1,))
    plan.recheck(frozenset({2}))
    plan.saw_ports(frozenset({1}), 2)
    assert plan.next() is Step.DONE


def test_giving_up_silent_ports_completes_too() -> None:
    plan = Plan(ReadySpec(exposed=(1, 2)))
    plan.saw_ports(frozenset({1}), 0)
    assert not plan.completes(frozenset(), 4.9)
    assert plan.completes(frozenset(), 5)
    plan.recheck(frozenset())
    plan.saw_ports(frozenset(), 5)
    assert plan.next() is Step.PORTS, "the only port that showed that it works is closed"


def test_a_restart_forgets_everything() -> None:
    plan = Plan(ReadySpec(declared=(1,), check=CHECK))
    plan.saw_ports(frozenset({1}), 0)
    plan.saw_check(passed=True, now=0)
    plan.restarted()
    assert plan.next() is Step.PORTS
    assert plan.pending == (1,)


PORTS = st.frozensets(st.integers(1, 5), max_size=5)


@given(
    PORTS,
    PORTS,
    st.sampled_from([CHECK, None]),
    st.lists(st.tuples(PORTS, st.booleans(), st.floats(0, 3)), max_size=20),
)
def test_done_always_means_every_port_or_a_named_one_and_a_last_passed_check(
    declared: frozenset[int],
    exposed: frozenset[int],
    check: HealthProbe | None,
    seen: list[tuple[frozenset[int], bool, float]],
) -> None:
    spec = ReadySpec(tuple(declared), () if declared else tuple(exposed), check)
    plan, now, opened, last = Plan(spec), 0.0, frozenset[int](), check is None
    for accepting, passed, pause in seen:
        now += pause
        if plan.next() is Step.PORTS:
            plan.saw_ports(accepting, now)
            opened |= accepting
        elif plan.next() is Step.CHECK:
            plan.saw_check(passed=passed, now=now)
            last = passed
    if plan.next() is Step.DONE:
        assert frozenset(spec.ports) <= opened | frozenset(plan.unused)
        assert not (declared and plan.unused)
        assert last


def state(status: str, code: int = 1, policy: str = "no", **more: Any) -> dict[str, Any]:
    return {"State": {"Status": status, "ExitCode": code, **more}, "HostConfig": {"RestartPolicy": {"Name": policy}}}


@pytest.mark.parametrize("status", ["exited", "dead", "removing"])
def test_an_end_is_fatal(status: str) -> None:
    assert "code 3" in (fatal(state(status, 3), 0) or "")


@pytest.mark.parametrize("status", ["running", "restarting", "created", "paused"])
def test_what_may_still_come_up_is_not(status: str) -> None:
    assert fatal(state(status, 3, "always"), MAX_RESTARTS - 1) is None


def test_the_fifth_restart_is_fatal() -> None:
    assert "restarted 5 times" in (fatal(state("restarting", 3, "always"), MAX_RESTARTS) or "")


def test_lack_of_memory_is_named() -> None:
    assert "memory" in (fatal(state("exited", 137, OOMKilled=True), 0) or "")


def test_listening_sockets_are_those_that_the_network_reaches() -> None:
    table = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 0200000A:0051 0300000A:1234 01 00000000:00000000 00:00000000 00000000     0
   3: 00000000000000000000000000000000:1538 00000000000000000000000000000000:0000 0A 0:0 00:0 0 999
   4: 00000000000000000000000001000000:1539 00000000000000000000000000000000:0000 0A 0:0 00:0 0 999
   5: 0000000000000000FFFF00000100007F:153A 00000000000000000000000000000000:0000 0A 0:0 00:0 0 999
cat: can't open '/proc/net/tcp6': No such file or directory
"""
    assert listening(table) == {80, 5432}
