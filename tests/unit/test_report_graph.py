from __future__ import annotations

import pytest

from understudy.report import ContainerRecord, EdgeRecord, NodeRecord, graph_of
from understudy.report.graph import health_of
from understudy.stacks.clone import Clone, Mock
from understudy.stacks.parts import Dependency
from understudy.stacks.topology import External, Service, Topology


def clone() -> Clone:
    services = {
        "web": Service(
            "web",
            "gateway",
            image="web",
            depends_on=(Dependency("db", "healthy"), Dependency("gone", required=False)),
            environment={"PAY": "https://api.pay.example/v1"},
        ),
        "db": Service("db", "database", image="db"),
        "side": Service("side", image="side", network_of="web"),
    }
    mock = Mock("payments", "api.pay.example", 443, "mocks")
    return Clone(Topology("shop", services), mocks=(mock,), allowed=(External("maps", "maps.example"),))


def test_the_graph_has_all_that_answers_and_what_leads_there() -> None:
    graph = graph_of(clone(), {"services.db": "scaled", "externals.payments": "mocked"})

    assert graph.nodes == (
        NodeRecord("web", "gateway", "", ""),
        NodeRecord("db", "database", "scaled", ""),
        NodeRecord("side", "service", "", ""),
        NodeRecord("payments", "mock", "mocked", ""),
        NodeRecord("maps", "external", "", ""),
    )
    assert graph.edges == (
        EdgeRecord("web", "db", "healthy"),
        EdgeRecord("web", "payments", "names"),
        EdgeRecord("side", "web", "started"),
    )


def test_the_worst_replica_speaks_for_a_service() -> None:
    running = ContainerRecord("e-db-1", "db", {"state": "running", "health": {"status": "healthy"}})
    dead = ContainerRecord("e-db-2", "db", {"state": "exited", "exit_code": 137, "oom_killed": True})

    for containers in ((running, dead), (dead, running)):
        nodes = {node.name: node.health for node in graph_of(clone(), {}, containers).nodes}
        assert nodes["db"] == "oom-killed"
        assert nodes["web"] == ""


def test_what_our_own_probe_found_healthy_is_not_starting_for_want_of_dockers_first_check() -> None:
    facts = {"state": "running", "health": {"status": "starting"}, "restarts": 0}

    def health(*, ready: bool, **changed: object) -> str:
        container = ContainerRecord("e-db", "db", {**facts, **changed})
        return next(n.health for n in graph_of(clone(), {}, [container], ready=ready).nodes if n.name == "db")

    assert health(ready=True) == "healthy"
    assert health(ready=False) == "starting"
    assert health(ready=True, restarts=1) == "starting"
    assert health(ready=True, health={"status": "unhealthy"}) == "unhealthy"


@pytest.mark.parametrize(
    ("facts", "health"),
    [
        ({"state": "running", "health": None}, "running"),
        ({"state": "running", "health": {"status": "unhealthy"}}, "unhealthy"),
        ({"state": "running", "health": {"status": "none"}}, "running"),
        ({"state": "exited", "exit_code": 0}, "completed"),
        ({"state": "exited", "exit_code": 3}, "exited"),
        ({"state": "dead", "exit_code": 1}, "exited"),
        ({"state": "restarting"}, "restarting"),
        ({"state": "created"}, "starting"),
        ({}, ""),
    ],
)
def test_health_is_told_from_the_facts_of_docker(facts: dict[str, object], health: str) -> None:
    assert health_of(facts) == health
