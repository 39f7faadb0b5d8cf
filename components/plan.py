"""What an environment consists of, worked out before anything is declared: order, dependencies, members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from understudy.components.haproxy import Route, offered, routes
from understudy.components.names import ContainerNames, container_names
from understudy.errors import UsageError
from understudy.stacks import identity
from understudy.stacks.clone import Clone
from understudy.stacks.topology import Dependency, Service, Topology

__all__ = ["EDGE", "LEAST", "Plan", "capacity", "make_plan", "ordered"]

EDGE = "edge"
"""The logical name of the network by which the relay is reached."""

OUTSIDE = "outside"
"""The logical name of the network by which the egress relay reaches third parties."""

LEAST = 32
"""Containers that every network has room for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions that need no Pulumi.

    Attributes:
        services: every service after those that it depends on.
        containers: service -> the physical names of its containers.
        mocks: mock -> the physical name of its container.
        relay: the physical name of the relay's container.
        trust: the physical name of the container that fills the volume of certificates.
        egress: the physical names of the egress relay's containers, the inner and the outer one.
        outside: the logical name of the egress relay's network to the outside.
        edge: the logical name of the relay's own network.
        routes: what the relay offers; none: there is no relay.
        hosts: network -> how many containers join it.
    """

    services: tuple[Service, ...]
    containers: Mapping[str, tuple[str, ...]]
    mocks: Mapping[str, str]
    relay: str
    trust: str
    egress: tuple[str, str]
    outside: str
    edge: str
    routes: tuple[Route, ...]
    hosts: Mapping[str, int]

    def capacities(self, *, outward: bool) -> tuple[int, ...]:
        """How many containers each network is made for, the relay's too and that of allowed third parties."""
        own = (1,) * (bool(self.routes) + outward)
        return tuple(capacity(members) for members in (*self.hosts.values(), *own))

    def awaited(self, service: Service) -> tuple[str, ...]:
        """The services that have to be ready, or completed, before this one is created, or what it follows is.

        Raises:
            UsageError: it waits for the completion of a service that is no job.
        """
        kinds = {other.name: other.kind for other in self.services}
        for dependency in _present(service, kinds):
            if dependency.condition == "completed" and kinds[dependency.service] != "job":
                raise UsageError(
                    f"Service {service.name!r} waits for {dependency.service!r} to complete, which is a "
                    f"{kinds[dependency.service]} and keeps running.",
                    hint="Give that service `x-understudy: {kind: job}`, or wait for it to be healthy.",
                )
        found = (
            dependency.service
            for each in (service, *self.followed(service))
            for dependency in _present(each, kinds)
            if dependency.condition != "started"
        )
        return tuple(dict.fromkeys(found))

    def followed(self, service: Service) -> tuple[Service, ...]:
        """The services that have to be started, and no more, before this one is; theirs too.

        What they await is awaited here as well. Creation of this one waits for their start while it holds one of
        the engine's few slots; were they not yet to be created, it could keep them from one until the time is over.
        """
        known = {other.name: other for other in self.services}
        found: dict[str, Service] = {}
        waiting = [service]
        while waiting:
            for dependency in _present(waiting.pop(), known):
                if dependency.condition == "started" and dependency.service not in found:
                    found[dependency.service] = known[dependency.service]
                    waiting.append(known[dependency.service])
        return tuple(found.values())

    def after(self, service: Service) -> tuple[str, ...]:
        """The containers that have to be started before this service's are."""
        started = (d.service for d in _present(service, self.containers) if d.condition == "started")
        return tuple(container for name in started for container in self.containers[name])


def capacity(members: int) -> int:
    """The containers that a network of so many members is made for: a power of two, at least LEAST.

    The number is on a label, and another label replaces the network with all its containers; so it has to stay the
    same when a service is added.
    """
    return max(LEAST, 1 << max(0, members - 1).bit_length())


def make_plan(clone: Clone, environment: str) -> Plan:
    """The plan of a clone in the environment with this id.

    Raises:
        UsageError: the clone's endpoints are not those of its services and mocks.
    """
    names = container_names(clone)
    containers = {
        service: tuple(identity.name(environment, logical) for logical in logicals)
        for service, logicals in names.services.items()
    }
    mocks = {mock: identity.name(environment, logical) for mock, logical in names.mocks.items()}
    endpoints = offered(clone)
    answering = [
        containers[_network_owner(clone.topology, endpoint.service)]
        if endpoint.service in containers
        else (mocks[endpoint.service],)
        for endpoint in endpoints
    ]
    return Plan(
        services=ordered(clone.topology),
        containers=containers,
        mocks=mocks,
        relay=identity.name(environment, names.relay),
        trust=identity.name(environment, names.trust),
        egress=(identity.name(environment, names.egress), identity.name(environment, names.egress_outer)),
        outside=_network(clone.topology, OUTSIDE),
        edge=_network(clone.topology, EDGE),
        routes=routes(endpoints, answering),
        hosts=_hosts(clone, names, relay=bool(endpoints)),
    )


def ordered(topology: Topology) -> tuple[Service, ...]:
    """Every service after those that it depends on, else in the order of the document."""
    done: dict[str, Service] = {}
    for service in topology.services.values():
        _visit(topology, service, done)
    return tuple(done.values())


def _visit(topology: Topology, service: Service, done: dict[str, Service]) -> None:
    if service.name in done:
        return
    for dependency in _present(service, topology.services):
        _visit(topology, topology.services[dependency.service], done)
    done[service.name] = service


def _present(service: Service, known: Mapping[str, object]) -> tuple[Dependency, ...]:
    """A service's dependencies that are there, and those that it shares something with: they are started before."""
    named = {dependency.service for dependency in service.depends_on}
    shared = (Dependency(other) for other in service.shares_with if other not in named)
    return tuple(dependency for dependency in (*service.depends_on, *shared) if dependency.service in known)


def _network_owner(topology: Topology, name: str) -> str:
    """The service in whose network this one answers; sharing does not turn in a circle (Topology holds that)."""
    while (other := topology.services[name].network_of) is not None:
        name = other
    return name


def _hosts(clone: Clone, names: ContainerNames, *, relay: bool) -> dict[str, int]:
    common = len(clone.mocks) + int(relay) + int(bool(clone.allowed))
    hosts = dict.fromkeys(clone.topology.networks, common)
    for service in clone.topology.services.values():
        for network in {link.network for link in service.networks}:
            hosts[network] += len(names.services[service.name])
    return hosts


def _network(topology: Topology, name: str) -> str:
    while name in topology.networks:
        name = f"understudy.{name}"
    return name
