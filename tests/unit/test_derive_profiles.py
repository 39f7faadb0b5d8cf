"""Profiles: what they make smaller and leave out, each effect on the record with the place that asked for it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from understudy.stacks.clone import Change, Clone, Fidelity
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.fidelity import fidelity, fidelity_report
from understudy.stacks.profile import Profile, ServiceProfile
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Resources, Service, Topology, TopologyError

BASE = """\
services:
  web:
    image: x
    ports: ["80"]
    depends_on: [api, mail]
    deploy: {replicas: 4, resources: {limits: {cpus: "2", memory: 512m}}}
  api: {image: x, scale: 3, networks: [default, data]}
  mail: {image: x, expose: ["25"], volumes: ["spool:/spool"], networks: [default, post]}
networks: {default: {internal: true}, data: {internal: true}, post: {internal: true}}
volumes: {spool: }
x-understudy:
  endpoints: ["mail:25"]
  profiles:
    default:
"""


def load(profile: str) -> Topology:
    return read(BASE + profile, "compose.yaml", variables={}, read_file={}.get)


def clone_of(profile: str) -> Clone:
    topology = load(profile)
    return derive(topology, topology, commit="c" * 40, profile=profile_named(topology), unchanged_builds={})


def at(clone: Clone, path: str) -> Change:
    (change,) = (change for change in clone.changes if change.path == path)
    return change


def line(text: str) -> int:
    return (BASE + text).splitlines().index(text.splitlines()[-1]) + 1


def test_a_profile_is_the_most_of_any_service_and_more_or_less_of_one() -> None:
    clone = clone_of(
        """\
      replicas: 2
      cpus: 0.5
      memory: 256m
      services:
        api: {replicas: 5, cpus: 1, memory: 1g}
"""
    )
    services = clone.topology.services
    sizes = {n: (s.replicas, s.resources.cpus, s.resources.memory) for n, s in services.items()}
    quarter = 256 * 1024**2
    assert sizes == {"web": (2, 0.5, quarter), "api": (5, 1.0, 1024**3), "mail": (1, 0.5, quarter)}
    change = at(clone, "services.web.replicas")
    assert (change.production, change.clone, change.fidelity) == ("4", "2", Fidelity.SCALED)
    assert change.rule == "compose.yaml:15:7"
    change = at(clone, "services.mail.resources.memory")
    assert (change.production, change.clone, change.rule) == (None, str(quarter), "compose.yaml:17:7")
    change = at(clone, "services.api.resources.cpus")
    assert (change.production, change.clone, change.rule) == (None, "1", "compose.yaml:19:28")
    assert at(clone, "services.api.replicas").clone == "5"


def test_what_a_service_has_less_of_it_keeps() -> None:
    clone = clone_of("      {replicas: 9, cpus: 8, memory: 8g}\n")
    web = clone.topology.services["web"]
    assert (web.replicas, web.resources.cpus, web.resources.memory) == (4, 2.0, 512 * 1024**2)
    assert not [change for change in clone.changes if change.path.startswith("services.web.r")]


def test_limits_that_go_with_the_memory_stay_such_that_docker_takes_them() -> None:
    plain = load("      {replicas: 4}\n")
    limits = Resources(memory=512 * 1024**2, memory_swap=768 * 1024**2, memory_reservation=400 * 1024**2)
    topology = replace(plain, services={"web": Service("web", image="x", resources=limits)}, endpoints=())
    clone = derive(topology, topology, commit="c", profile=Profile(memory=128 * 1024**2), unchanged_builds={})
    limits = clone.topology.services["web"].resources
    assert limits.memory_swap == (128 + 256) * 1024**2
    assert limits.memory_reservation == 128 * 1024**2
    assert at(clone, "services.web.resources.memory_swap").fidelity is Fidelity.SCALED


def test_a_service_that_is_left_out_is_missing_and_its_dependents_are_named() -> None:
    clone = clone_of("      without: [mail]\n")
    assert set(clone.topology.services) == {"web", "api"}
    change = at(clone, "services.mail")
    assert (change.production, change.clone, change.fidelity) == ("x", None, Fidelity.MISSING)
    assert "web will find it missing" in change.reason
    assert change.rule == "compose.yaml:15:17"
    dropped = at(clone, "services.web.depends_on.mail")
    assert (dropped.production, dropped.clone, dropped.rule) == ("mail started", None, "compose.yaml:15:17")
    assert [d.service for d in clone.topology.services["web"].depends_on] == ["api"]
    assert set(clone.topology.networks) == {"default", "data"}
    assert at(clone, "networks.post").fidelity is Fidelity.MISSING
    assert clone.topology.volumes == {}
    assert at(clone, "volumes.spool").clone is None
    assert clone.topology.endpoints == ()
    assert fidelity(fidelity_report(load("      {replicas: 1}\n"), clone))["services.mail"] is Fidelity.MISSING


def test_a_suite_that_needs_what_the_profile_leaves_out_is_refused_where_it_says_so() -> None:
    suite = "  tests: {mails: {command: x, needs: [web, mail]}}\n"
    with pytest.raises(
        TopologyError, match=r"'mails' needs 'mail', and .* the profile 'default' leaves it out"
    ) as caught:
        clone_of("      without: [mail]\n" + suite)
    assert (caught.value.where.line, caught.value.where.path) == (16, "x-understudy.tests.mails.needs[1]")
    assert clone_of("      without: [api]\n" + suite).topology.suites[0].name == "mails"


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("      {replicas: 0}", "whole number from 1"),
        ("      {network: ajar}", "allowed are closed, open"),
        ("      {cpus: 0}", "a number above 0"),
        ("      {memory: 1m}", "memory is at least 6 MiB"),
        ("      {without: [ghost]}", "'ghost' is no service of the clone; services are api, mail, web"),
        ("      {without: mail}", "allowed is a list"),
        ("      {services: {ghost: {replicas: 1}}}", "'ghost' is no service"),
        ("      {services: {web: {network: open}}}", "'network' is not known here; allowed are replicas, cpus, memory"),
        ("      {without: [mail], services: {mail: {replicas: 1}}}", "'mail' is left out by 'without'"),
        ("      {size: 1}", "'size' is not known here"),
        ("      {without: [web, api, mail]}", "leaves out every service"),
    ],
)
def test_a_profile_that_is_none_is_refused_in_its_place(profile: str, message: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        clone_of(profile + "\n")
    assert re.match(r"compose\.yaml:1[45]:\d+: x-understudy\.profiles\.default", str(caught.value))


def test_what_is_made_of_another_service_cannot_lose_it() -> None:
    topology = load("      {replicas: 1}\n")
    services = {**topology.services, "api": replace(topology.services["api"], network_of="mail", networks=())}
    shared = replace(topology, services=services)
    with pytest.raises(TopologyError, match="'mail' is left out, and service 'api' cannot be made without it"):
        derive(shared, shared, commit="c", profile=Profile(without=("mail",)), unchanged_builds={})


def test_a_profile_in_code_is_held_too() -> None:
    with pytest.raises(ValueError, match="replicas"):
        Profile(replicas=0)
    with pytest.raises(ValueError, match="memory"):
        ServiceProfile(memory=1)
    topology = load("      {replicas: 1}\n")
    with pytest.raises(TopologyError, match="describes 'ghost'"):
        derive(
            topology,
            topology,
            commit="c",
            profile=Profile(services={"ghost": ServiceProfile(1)}),
            unchanged_builds={},
        )
