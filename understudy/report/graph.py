"""The topology as a graph: who depends on whom, how each stands to production, and how its containers were. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from understudy.report.records import ContainerRecord
from understudy.stacks.clone import Clone
from understudy.stacks.topology import Service

__all__ = ["HEALTH", "EdgeRecord", "GraphRecord", "NodeRecord", "graph_of", "health_of", "worst_of"]

HEALTH = ("", "completed", "healthy", "running", "starting", "restarting", "unhealthy", "exited", "oom-killed")
"""What a container can be, from what says least to what is worst; empty: not known."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One service, mock (`kind` `mock`) or third party that may be reached (`external`).

    `fidelity` is how it stands to production, `health` how the worst of its containers was at the end; empty: not
    known.
    """

    name: str
    kind: str
    fidelity: str
    health: str


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """`source` depends on `target`, in production's words; `condition` `names`: its settings name that host."""

    source: str
    target: str
    condition: str


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """The topology of the clone: its nodes in the order of the document, and what leads from one to another."""

    nodes: tuple[NodeRecord, ...] = ()
    edges: tuple[EdgeRecord, ...] = ()


def worst_of(graphs: Sequence[GraphRecord]) -> GraphRecord:
    """The first of several graphs of one commit, with the worst health that each node has in any of them."""
    health: dict[str, str] = {}
    for node in (node for graph in graphs for node in graph.nodes if node.health in HEALTH):
        health[node.name] = max(health.get(node.name, ""), node.health, key=HEALTH.index)
    nodes = (replace(node, health=health.get(node.name, "")) for node in graphs[0].nodes)
    return replace(graphs[0], nodes=tuple(nodes))


def graph_of(
    clone: Clone, verdicts: Mapping[str, str], containers: Iterable[ContainerRecord] = (), *, ready: bool = False
) -> GraphRecord:
    """The graph of a clone.

    Args:
        clone: what was provisioned.
        verdicts: subject (`services.web`, `externals.payments`) -> its fidelity.
        containers: as they were at the end; none: nobody has looked.
        ready: our own probe found all of them ready.
    """
    health: dict[str, str] = {}
    for each in containers:
        health[each.service] = max(health.get(each.service, ""), health_of(each.facts, ready=ready), key=HEALTH.index)
    services = clone.topology.services
    hosts = {mock.name: mock.host for mock in clone.mocks} | {each.name: each.host for each in clone.allowed}
    kinds = {
        **{name: service.kind for name, service in services.items()},
        **{mock.name: "mock" for mock in clone.mocks},
        **{each.name: "external" for each in clone.allowed},
    }
    nodes = (
        NodeRecord(
            name, kind, verdicts.get(f"{'externals' if name in hosts else 'services'}.{name}", ""), health.get(name, "")
        )
        for name, kind in kinds.items()
    )
    edges = chain.from_iterable(_edges(service, services, hosts) for service in services.values())
    return GraphRecord(tuple(nodes), tuple(edges))


def _edges(service: Service, services: Mapping[str, Service], hosts: Mapping[str, str]) -> Iterator[EdgeRecord]:
    needed = {each.service: each.condition for each in service.depends_on if each.service in services}
    for target in service.shares_with:
        needed.setdefault(target, "started")
    for target, condition in needed.items():
        yield EdgeRecord(service.name, target, condition)
    for target, host in hosts.items():
        if any(host in value for value in service.environment.values()):
            yield EdgeRecord(service.name, target, "names")


def health_of(facts: Mapping[str, object], *, ready: bool = False) -> str:
    """One of `HEALTH`, of a container's facts as Docker told them.

    `ready` says that our own probe found the container ready: of one that was not started again that is what is known
    until Docker's own first check, an interval after its start.

    >>> health_of({"state": "running", "health": {"status": "healthy"}})
    'healthy'
    >>> health_of({"state": "exited", "exit_code": 0, "kind": "job"})
    'completed'
    """
    state, health = facts.get("state"), facts.get("health")
    if facts.get("oom_killed"):
        return "oom-killed"
    if state == "running":
        status = health.get("status") if isinstance(health, Mapping) else None
        if status == "starting" and ready and not facts.get("restarts"):
            return "healthy"
        return str(status) if status in HEALTH else "running"
    if state in {"exited", "dead"}:
        return "completed" if facts.get("exit_code") == 0 else "exited"
    return "restarting" if state == "restarting" else "starting" if state == "created" else ""
