from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from understudy.errors import UsageError
from understudy.stacks import identity
from understudy.stacks.clone import Change, Clone, Endpoint, Mock
from understudy.stacks.topology import (
    Build,
    Dependency,
    Mount,
    Network,
    NetworkLink,
    Port,
    Service,
    Topology,
    Volume,
)

ENV = identity.Environment("eabc", "docker:d", "shop", datetime(2030, 1, 2, tzinfo=UTC), "b1")
OWNERSHIP = identity.ownership_labels(ENV)
BACK = (NetworkLink("back"),)
Declare = Callable[[Callable[[], Any]], Any]


def topology(*services: Service, **others: Any) -> Topology:
    networks = others.pop("networks", {"back": Network("back")})
    return Topology("shop", {service.name: service for service in services}, networks, **others)


def service(name: str, **fields: Any) -> Service:
    return Service(name, **{"image": f"{name}:1", "networks": BACK, **fields})


def shop() -> Clone:
    found = topology(
        service(
            "web",
            kind="gateway",
            ports=(Port(80), Port(53, protocol="udp")),
            expose=(Port(9000),),
            image=None,
            build=Build("."),
            depends_on=(Dependency("api"), Dependency("absent", "healthy", required=False)),
        ),
        service("api", replicas=2, depends_on=(Dependency("db", "healthy"), Dependency("migrate", "completed"))),
        service("migrate", kind="job", depends_on=(Dependency("db", "healthy"),), ports=(Port(1),)),
        service("db", kind="database", mounts=(Mount("volume", "/data", "data"),)),
        service("cache", kind="cache"),
        service("queue", kind="queue", networks=(NetworkLink("front"),)),
        networks={
            "back": Network("back", labels={"team": "x", "com.docker.compose.network": "back"}),
            "front": Network("front"),
        },
        volumes={"data": Volume("data", labels={"keep": "no", "dev.understudy.environment": "other"})},
    )
    return Clone(
        found,
        endpoints=(Endpoint("web", 80, "http"), Endpoint("db", 5432)),
        mocks=(Mock("pay", "api.pay.example", 8080, "mocks/pay"),),
        changes=(Change("a", "1", "2", "why"),),
    )


def test_every_object_is_owned_and_says_what_it_is(declare: Declare) -> None:
    recording = declare(shop())
    owned = [*recording.of("Container"), *recording.of("Network"), *recording.of("Volume")]
    assert len(owned) == 7 + 1 + 1 + 3 + 1
    for resource in owned:
        assert OWNERSHIP.items() <= resource.labels.items()
        assert resource.inputs["name"].startswith("eabc-")
        assert resource.delete_before_replace
    kinds = {
        c.inputs["name"]: (c.label("service"), c.label("kind"), c.label("ports")) for c in recording.of("Container")
    }
    assert kinds == {
        "eabc-web": ("web", "gateway", "80,9000"),
        "eabc-api": ("api", "service", ""),
        "eabc-api-2": ("api.2", "service", ""),
        "eabc-migrate": ("migrate", "job", ""),
        "eabc-db": ("db", "database", ""),
        "eabc-cache": ("cache", "cache", ""),
        "eabc-queue": ("queue", "queue", ""),
        "eabc-pay": ("pay", "mock", "8080"),
        "eabc-relay": ("relay", "relay", "20001,20002,20003"),
    }


def test_each_kind_is_a_component_of_its_own_type(declare: Declare) -> None:
    recording = declare(shop())
    parents = {c.inputs["name"]: recording.one(c.parent).type for c in recording.of("Container")}
    assert {name.removeprefix("eabc-"): kind.removeprefix("understudy:index:") for name, kind in parents.items()} == {
        "web": "Gateway",
        "api": "Service",
        "api-2": "Service",
        "migrate": "Job",
        "db": "Database",
        "cache": "Cache",
        "queue": "Queue",
        "pay": "Mock",
        "relay": "Relay",
    }
    components = [resource for resource in recording.resources if resource.type.startswith("understudy:")]
    for resource in recording.resources:
        parent = [c for c in components if c.urn == resource.parent]
        assert parent or resource.type == "understudy:index:Environment"
        assert not parent or resource.name.startswith(parent[0].name + "-")


def test_a_service_that_changes_its_kind_stays_the_same_resource(declare: Declare) -> None:
    recording = declare(shop())
    (db,) = [resource for resource in recording.resources if resource.type == "understudy:index:Database"]
    others = ("Service", "Cache", "Queue", "Bucket", "Gateway", "Job")
    assert set(db.aliases) == {f"understudy:index:{kind}" for kind in others}


def edges(recording: Any, container: str) -> set[str]:
    """The containers that this one's creation waits for, by the engine's own edges."""
    by_urn = {c.urn: c.inputs["name"] for c in recording.of("Container")}
    return {by_urn[urn] for urn in recording.container(container).dependencies if urn in by_urn}


def test_healthy_and_completed_are_edges_and_started_is_a_label(declare: Declare) -> None:
    recording = declare(shop())
    awaited = {"eabc-db", "eabc-migrate", "eabc-pay"}  # a mock is there before anybody calls it
    assert edges(recording, "eabc-api") == edges(recording, "eabc-api-2") == awaited
    assert edges(recording, "eabc-migrate") == {"eabc-db", "eabc-pay"}
    assert edges(recording, "eabc-web") == awaited  # what it follows, api, is not created before
    for alone in ("eabc-db", "eabc-cache", "eabc-pay", "eabc-relay"):
        assert edges(recording, alone) == set()
    assert recording.container("eabc-web").label("after") == "eabc-api,eabc-api-2"
    assert recording.container("eabc-api").label("after") == ""


def test_a_healthy_dependency_waits_for_every_replica(declare: Declare) -> None:
    found = topology(service("web", depends_on=(Dependency("api", "healthy"),)), service("api", replicas=3))
    recording = declare(Clone(found))
    assert edges(recording, "eabc-web") == {"eabc-api", "eabc-api-2", "eabc-api-3"}


def test_no_edges_but_those_that_are_needed(declare: Declare) -> None:
    recording = declare(shop())
    for resource in (*recording.of("Network"), *recording.of("Volume"), *recording.of("RemoteImage")):
        assert resource.dependencies == frozenset()
    kinds = {recording.one(urn).type.rpartition(":")[2] for c in recording.of("Container") for urn in c.dependencies}
    assert kinds == {"Network", "Volume", "RemoteImage", "Container"}


def test_waiting_for_the_completion_of_what_keeps_running_is_refused(declare: Declare) -> None:
    found = topology(service("web", depends_on=(Dependency("api", "completed"),)), service("api"))
    with pytest.raises(UsageError, match="waits for 'api' to complete, which is a service"):
        declare(Clone(found))


def test_networks_are_closed_and_only_the_relay_reaches_the_edge(declare: Declare) -> None:
    recording = declare(shop())
    networks = {n.inputs["name"]: n for n in recording.of("Network")}
    assert {name: n.inputs["internal"] for name, n in networks.items()} == {
        "eabc-back": True,
        "eabc-front": True,
        "eabc-edge": False,
    }
    assert {name: n.label("hosts") for name, n in networks.items()} == {
        "eabc-back": "32",
        "eabc-front": "32",
        "eabc-edge": "32",
    }
    assert networks["eabc-back"].labels["team"] == "x"
    assert "com.docker.compose.network" not in networks["eabc-back"].labels
    joined = {c.inputs["name"]: [n["name"] for n in c.inputs["networksAdvanced"]] for c in recording.of("Container")}
    assert joined["eabc-relay"] == ["eabc-edge", "eabc-back", "eabc-front"]
    assert joined["eabc-pay"] == ["eabc-back", "eabc-front"]
    assert [name for name, networks in joined.items() if "eabc-edge" in networks] == ["eabc-relay"]


def test_every_network_has_room_for_the_members_that_really_join(declare: Declare) -> None:
    found = shop()
    many = replace(found.topology.services["api"], replicas=40)
    services = {**found.topology.services, "api": many}
    recording = declare(replace(found, topology=replace(found.topology, services=services)))
    for network in recording.of("Network"):
        members = [
            c
            for c in recording.of("Container")
            if network.inputs["name"] in [n["name"] for n in c.inputs["networksAdvanced"]]
        ]
        assert int(network.label("hosts")) == (64 if network.inputs["name"] == "eabc-back" else 32) >= len(members)


@pytest.mark.parametrize(("members", "room"), [(0, 32), (1, 32), (32, 32), (33, 64), (64, 64), (65, 128)])
def test_a_network_is_made_for_more_than_its_members(members: int, room: int) -> None:
    from understudy.components.plan import capacity

    assert capacity(members) == room


def test_what_follows_a_service_awaits_what_that_awaits(declare: Declare) -> None:
    found = topology(
        service("edge", kind="gateway", depends_on=(Dependency("web"),)),
        service("web", kind="gateway", depends_on=(Dependency("api"), Dependency("cache", "healthy"))),
        service("api", depends_on=(Dependency("db", "healthy"), Dependency("migrate", "completed"))),
        service("migrate", kind="job"),
        service("db", kind="database"),
        service("cache", kind="cache"),
    )
    clone = replace(shop(), topology=found, endpoints=())
    recording = declare(clone)
    assert edges(recording, "eabc-api") == {"eabc-db", "eabc-migrate", "eabc-pay"}
    assert edges(recording, "eabc-web") == {"eabc-cache", "eabc-db", "eabc-migrate", "eabc-pay"}
    assert edges(recording, "eabc-edge") == {"eabc-cache", "eabc-db", "eabc-migrate", "eabc-pay"}
    assert recording.container("eabc-edge").label("after") == "eabc-web"


def test_an_open_profile_opens_what_production_has_open(declare: Declare) -> None:
    found = topology(service("web"), networks={"back": Network("back"), "vault": Network("vault", internal=True)})
    recording = declare(Clone(found, open_network=True))
    assert {n.inputs["name"]: n.inputs["internal"] for n in recording.of("Network")} == {
        "eabc-back": False,
        "eabc-vault": True,
    }


def test_endpoints_are_resolved_from_the_relays_ports(declare: Declare) -> None:
    recording = declare(shop())
    assert recording.result == {
        "web:80": {"host": "127.0.0.1", "port": 60001, "url": "http://127.0.0.1:60001"},
        "db:5432": {"host": "127.0.0.1", "port": 60002, "url": "tcp://127.0.0.1:60002"},
        "pay:8080": {"host": "127.0.0.1", "port": 60003, "url": "http://127.0.0.1:60003"},
    }
    relay = recording.container("eabc-relay")
    assert relay.inputs["ports"] == [
        {"internal": port, "ip": "127.0.0.1", "protocol": "tcp"} for port in (20001, 20002, 20003)
    ]
    assert relay.label("endpoint.web.80") == "20001"
    assert relay.label("endpoint.db.5432") == "20002"
    assert relay.label("endpoint.pay.8080") == "20003"
    assert relay.inputs["restart"] == "unless-stopped"


def test_without_endpoints_there_is_no_relay(declare: Declare) -> None:
    recording = declare(Clone(topology(service("web"))))
    assert recording.result == {}
    assert [n.inputs["name"] for n in recording.of("Network")] == ["eabc-back"]
    assert [c.inputs["name"] for c in recording.of("Container")] == ["eabc-web"]


def test_a_bind_address_that_is_none_is_refused(declare: Declare) -> None:
    with pytest.raises(UsageError, match="'localhost; rm' is no IP address"):
        declare(shop(), bind_address="localhost; rm")


def test_the_commit_is_no_part_of_any_docker_object(declare: Declare) -> None:
    one = declare(shop(), commit="1" * 40, branch="a$(touch${IFS}x)")
    two = declare(shop(), commit="2" * 40, branch="b" * 200)
    docker = [
        [r.wire for r in sorted(x.resources, key=lambda r: r.urn) if r.type.startswith("docker:")] for x in (one, two)
    ]
    assert docker[0] == docker[1]


def test_names_that_would_meet_are_kept_apart(declare: Declare) -> None:
    found = topology(
        service("web", replicas=2),
        service("web-2"),
        service("pay"),
        service("relay"),
        service("Über::$(x)\n" + "y" * 200),
        networks={"back": Network("back"), "edge": Network("edge")},
    )
    recording = declare(replace(shop(), topology=found, endpoints=()))
    names = [c.inputs["name"] for c in recording.of("Container")]
    assert len(names) == len(set(names)) == 8
    assert {"eabc-web", "eabc-web-2", "eabc-pay", "eabc-relay"} <= set(names)
    assert recording.container("eabc-web-2").label("service") == "web-2"
    assert recording.container("eabc-relay").label("kind") == "service"
    networks = [n.inputs["name"] for n in recording.of("Network")]
    assert len(networks) == len(set(networks)) == 3
    urns = [resource.urn for resource in recording.resources]
    assert len(urns) == len(set(urns))
    for resource in recording.resources:
        assert all(character.isalnum() or character == "-" for character in resource.name)


def test_a_preview_with_unknown_ports_gives_no_addresses() -> None:
    from understudy.components.haproxy import Route
    from understudy.components.relay import endpoint_addresses

    route = Route(Endpoint("web", 80, "http"), 20001, ("eabc-web",))
    assert endpoint_addresses([route], "0.0.0.0", [{"internal": 20001}]) == {  # noqa: S104 - what is tested
        "web:80": {"host": "127.0.0.1", "port": None, "url": None}
    }
    published = [{"internal": 20001.0, "external": 7.0}]
    assert endpoint_addresses([route], "::", published)["web:80"]["url"] == "http://[::1]:7"
