"""Inside: what is reached from within an environment's networks, by the names and ports of production."""

from __future__ import annotations

from collections.abc import Iterator

from .clone import Clone, Endpoint
from .endpoints import mock_endpoint, scheme_of
from .topology import Service, Topology

__all__ = ["inside"]


def inside(clone: Clone) -> tuple[tuple[Endpoint, str], ...]:
    """Each endpoint with the host name that answers: every TCP port of every service, published or not, and the mocks.

    A job answers nobody, and a service on the host's network, or on none, has no name here.
    """
    return tuple(dict(_found(clone)).items())


def _found(clone: Clone) -> Iterator[tuple[Endpoint, str]]:
    services = clone.topology.services
    for endpoint in clone.endpoints:
        host = _host(clone.topology, services[endpoint.service]) if endpoint.service in services else ""
        if host:
            yield endpoint, host
    for service in services.values():
        host = _host(clone.topology, service)
        for port in service.container_ports if host and service.kind != "job" else ():
            if port.protocol == "tcp":
                yield Endpoint(service.name, port.target, scheme_of(port.target, service.kind)), host
    for mock in clone.mocks:
        yield mock_endpoint(mock), mock.host


def _host(topology: Topology, service: Service) -> str:
    """The name of the service in whose network this one answers; empty where that is none of the environment's."""
    while service.network_of is not None:
        service = topology.services[service.network_of]
    return service.name if service.networks and not service.host_network else ""
