"""What suites need of an environment: that it is there, and which ports are published to them for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from .suite import Need, Suite
from .topology import Service, Topology, TopologyError

__all__ = ["behind", "hold_needs", "needed_ports"]

_NONE: Mapping[str, str] = MappingProxyType({})


def hold_needs(topology: Topology, absent: Mapping[str, str] = _NONE) -> None:
    """Hold that the topology has what its suites need.

    Args:
        topology: what is cloned.
        absent: service -> why it is not in the topology, for those that a document declares.

    Raises:
        TopologyError: a need is no service and no mock, or a port is none of it; at the need's place.
    """
    for suite in topology.suites:
        for need in suite.needs:
            _hold(topology, absent, suite, need)


def _hold(topology: Topology, absent: Mapping[str, str], suite: Suite, need: Need) -> None:
    said = f"suite {suite.name!r} needs {str(need)[:60]!r}, and "
    service, external = topology.services.get(need.name), topology.externals.get(need.name)
    if need.name in absent:
        raise TopologyError(f"{said}the clone has no such service: {absent[need.name]}", need.where)
    if service is None and (external is None or external.mock is None):
        mocks = ", ".join(sorted(name for name, each in topology.externals.items() if each.mock)) or "none"
        services = ", ".join(sorted(topology.services))
        what = "that is no service and no mock" if external is None else "that third party has no mock, so none is made"
        raise TopologyError(f"{said}{what}; services are {services}; mocks are {mocks}", need.where)
    if service is not None and service.kind == "job" and need.port is not None:
        why = f"a job ends before anyone could reach its ports; {need.name!r} alone waits for its end"
        raise TopologyError(f"{said}{why}", need.where)
    if service is None and external is not None and need.port not in {None, external.port}:
        raise TopologyError(f"{said}that mock answers on port {external.port} alone", need.where)


def needed_ports(topology: Topology) -> Iterator[tuple[str, int, Suite, Need]]:
    """Service, port, suite and need, for each TCP port of a service that a suite on the host needs; some repeatedly.

    A need without a port stands for every TCP port that its service declares. A suite on the environment's network
    reaches all ports by production's own names, so nothing is published for it. Mocks are endpoints in any case.
    """
    for suite in topology.suites:
        if suite.runs_on == "network":
            continue
        for need in suite.needs:
            service = topology.services.get(need.name)
            if service is not None and not service.host_network:  # that one answers at the host's own address
                for port in _ports(service, need):
                    yield need.name, port, suite, need


def _ports(service: Service, need: Need) -> tuple[int, ...]:
    if need.port is not None:
        return (need.port,)
    if service.kind == "job":
        return ()
    return tuple(port.target for port in service.container_ports if port.protocol == "tcp")


def behind(topology: Topology, suite: Suite) -> tuple[str, ...]:
    """The services and mocks that have to be ready for a suite: its needs, and what those depend on, whatever for.

    A dependency with `service_started` counts too: a service may be healthy before what it calls answers.
    """
    found: dict[str, None] = {}
    waiting = [need.name for need in suite.needs]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found[name] = None
        if (service := topology.services.get(name)) is not None:
            others = (*service.shares_with, *(dependency.service for dependency in service.depends_on))
            waiting += [other for other in others if other in topology.services]
    return tuple(found)
