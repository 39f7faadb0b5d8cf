"""Tasks of ECS with several containers: the order that they start in, and the network that they share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi_stack import Stack

from understudy.stacks.sources import compose
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.topology import Dependency, NetworkLink, Port, Topology, TopologyError

CONDITIONS = {"START": "started", "HEALTHY": "healthy", "SUCCESS": "completed", "COMPLETE": "completed"}


def container(name: str, waits: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    after = [{"containerName": other, "condition": condition} for other, condition in (waits or {}).items()]
    return {"name": name, "image": f"shop/{name}:1", "dependsOn": after, **more}


def read(
    *containers: Mapping[str, Any], balanced: tuple[tuple[str, int], ...] = (("app", 8000),), mode: str = "awsvpc"
) -> Topology:
    """A service `web` of these containers, which uses a database, and one that calls it."""
    stack = Stack()
    db = stack.add("aws:rds/instance:Instance", "db", {"identifier": "db", "engine": "postgres"})
    task = stack.add(
        "aws:ecs/taskDefinition:TaskDefinition",
        "task",
        {"containerDefinitions": json.dumps(containers), "networkMode": mode},
        outputs={"arn": "arn:task"},
        depends={"containerDefinitions": [db]},
    )
    names = {"services": [{"clientAlias": [{"dnsName": "web.shop"}]}]}
    stack.add(
        "aws:ecs/service:Service",
        "web",
        {
            "taskDefinition": "arn:task",
            "desiredCount": 2,
            "serviceConnectConfiguration": names,
            "loadBalancers": [{"containerName": name, "containerPort": port} for name, port in balanced],
        },
        depends={"taskDefinition": [task]},
    )
    return stack.read()


def test_what_ends_before_the_main_container_starts_is_a_job_with_an_address_of_its_own() -> None:
    topology = read(
        container("app", {"migrate": "SUCCESS"}, portMappings=[{"containerPort": 8000}]),
        container("migrate", essential=False),
        container("log"),
    )
    web, migrate, log = (topology.services[name] for name in ("web", "web-migrate", "web-log"))
    assert (migrate.kind, migrate.networks, migrate.network_of) == ("job", (NetworkLink("default"),), None)
    assert web.networks == (NetworkLink("default", ("web.shop",)),)
    assert web.depends_on == (Dependency("web-migrate", "completed"), Dependency("db"))
    assert migrate.depends_on == (Dependency("db"),), "it starts first, so it waits for what the task uses"
    assert (log.network_of, log.networks, log.depends_on) == ("web", (), ())
    assert {each.replicas for each in (web, migrate, log)} == {2}
    (apart,) = [change for change in topology.changes if change.path == "services.web-migrate.network_mode"]
    assert apart.clone == "an address of its own"


def test_a_proxy_that_the_main_container_waits_for_owns_the_network_under_the_services_names() -> None:
    topology = read(
        container("app", {"proxy": "HEALTHY", "log": "START"}, portMappings=[{"containerPort": 8000}]),
        container("log"),
        container("init", {"proxy": "START"}, essential=False),
        container("proxy", {"config": "COMPLETE"}, image="envoy:1", portMappings=[{"containerPort": 9901}]),
        container("config", essential=False),
        container("late", {"init": "SUCCESS"}),
    )
    found = topology.services
    web, proxy = found["web"], found["web-log"]
    assert proxy.networks == (NetworkLink("default", ("web", "web.shop")),), "the first that waits for none"
    assert (web.network_of, web.networks, web.ports) == ("web-log", (), (Port(8000),))
    assert {name for name, each in found.items() if each.network_of == "web-log"} == {
        *("web", "web-proxy", "web-init", "web-config", "web-late")
    }
    assert web.depends_on == (Dependency("web-proxy", "healthy"), Dependency("web-log"), Dependency("db"))
    assert found["web-proxy"].depends_on == (Dependency("web-config", "completed"), Dependency("db"))
    assert (found["web-proxy"].kind, found["web-proxy"].expose) == ("service", (Port(9901),))
    assert (found["web-init"].kind, found["web-init"].depends_on) == ("job", (Dependency("web-proxy"),))
    changes = {change.path: change.clone for change in topology.changes}
    assert changes["services.web-proxy.depends_on.web-config"] == "web-config ended well"
    assert "services.web-config.network_mode" not in changes


def test_each_balanced_container_has_its_own_ports() -> None:
    topology = read(container("app"), container("admin"), balanced=(("app", 8000), ("admin", 9000), ("gone", 7000)))
    assert topology.services["web"].ports == (Port(8000), Port(7000))
    assert topology.services["web-admin"].ports == (Port(9000),)


@pytest.mark.parametrize(
    ("mode", "beside", "recorded"),
    [("bridge", True, {"bridge"}), ("bridge", False, set()), ("awsvpc", True, set()), ("host", True, set())],
)
def test_containers_that_share_no_network_in_production_are_on_the_record(
    mode: str,
    beside: bool,  # noqa: FBT001 - a parameter of the test
    recorded: set[str],
) -> None:
    changes = read(container("app"), *([container("log")] if beside else []), mode=mode).changes
    assert {change.production for change in changes if change.path == "services.web.network_mode"} == recorded


def test_containers_that_wait_for_each_other_are_named() -> None:
    with pytest.raises(TopologyError, match=r"turn in a circle: web(?:-side)? -> "):
        read(container("app", {"side": "START"}), container("side", {"app": "START"}))


@st.composite
def tasks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Containers in any order, each of which waits for some of those before it."""
    names = ["app", *(f"c{number}" for number in range(draw(st.integers(1, 5))))]
    order = draw(st.permutations(names))
    made = {
        name: container(
            name, draw(st.dictionaries(st.sampled_from(order[:place]), st.sampled_from(sorted(CONDITIONS))))
        )
        if place
        else container(name)
        for place, name in enumerate(order)
    }
    return [made[name] for name in names]


@settings(max_examples=60, deadline=None)
@given(tasks())
def test_every_task_that_ecs_takes_is_read_with_all_its_edges(task: list[dict[str, Any]]) -> None:
    topology = read(*task)
    name = {each["name"]: "web" if each["name"] == "app" else f"web-{each['name']}" for each in task}
    for each in task:
        service = topology.services[name[each["name"]]]
        waits = {(name[w["containerName"]], CONDITIONS[w["condition"]]) for w in each["dependsOn"]}
        assert waits == {(d.service, d.condition) for d in service.depends_on if d.service != "db"}
        for other, condition in waits:
            assert (condition == "completed") <= (topology.services[other].kind == "job")
    owners = {service.network_of or service.name for service in topology.services.values() if service.kind != "job"}
    assert len(owners - {"db"}) == 1, "all that keep running share one network"
    (called,) = [n for n, s in topology.services.items() if any("web.shop" in link.aliases for link in s.networks)]
    assert owners - {"db"} == {called}
    assert compose.read(write(topology), "compose.yaml", variables={}, read_file=lambda _: None).services.keys() == (
        topology.services.keys()
    )
