"""Endpoints: which ports of a clone tests reach from outside, and under which scheme."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from .clone import Endpoint, Mock
from .needs import needed_ports
from .suite import Need, Suite
from .topology import Service, Topology, TopologyError

__all__ = ["endpoints_of", "mock_endpoint", "scheme_of", "unreachable", "variable", "variable_name"]

_SCHEMES: Mapping[int, str] = {
    **dict.fromkeys((80, 3000, 4000, 5000, 8000, 8001, 8008, 8080, 8081, 8088, 8888, 9000, 9090), "http"),
    **dict.fromkeys((443, 8443, 9443), "https"),
    3306: "mysql",
    4222: "nats",
    5432: "postgresql",
    5672: "amqp",
    6379: "redis",
    27017: "mongodb",
}


def scheme_of(port: int, kind: str) -> str:
    """A guess at the scheme of a URL: what the port is known for, else http behind a gateway, else tcp."""
    return _SCHEMES.get(port) or ("http" if kind == "gateway" else "tcp")


def mock_endpoint(mock: Mock) -> Endpoint:
    """The endpoint of a mock, with the scheme that it speaks on whatever port."""
    return Endpoint(mock.name, mock.port, mock.scheme)


def variable(*parts: str) -> str:
    """`UNDERSTUDY_` and the parts, upper-cased, every other character than A-Z and 0-9 as `_`."""
    return re.sub(r"[^A-Z0-9]", "_", "_".join(("UNDERSTUDY", *parts)).upper())


def variable_name(service: str, port: int) -> str:
    """The stem of the variables that tell a suite of an endpoint: `UNDERSTUDY_<SERVICE>_<PORT>`."""
    return variable(service, str(port))


def _ports(service: Service) -> Iterable[int]:
    """TCP ports that `ports` names; of a gateway that names none, those that it exposes; of a job none."""
    if service.kind == "job" or service.host_network:  # on the host's network it answers at the host's own address
        return ()
    declared = service.ports or (service.expose if service.kind == "gateway" else ())
    return (port.target for port in declared if port.protocol == "tcp")


def _found(topology: Topology, mocks: Iterable[Mock]) -> Iterator[Endpoint]:
    for service in topology.services.values():
        for port in _ports(service):
            yield Endpoint(service.name, port, scheme_of(port, service.kind))
    for name, port in topology.endpoints:
        service = topology.services[name]
        yield Endpoint(name, port, scheme_of(port, service.kind))
    for name, port, _, _ in needed_ports(topology):
        yield Endpoint(name, port, scheme_of(port, topology.services[name].kind))
    for mock in mocks:
        yield mock_endpoint(mock)


def unreachable(topology: Topology) -> Iterator[tuple[Suite, Need]]:
    """Suites on the host with a need that publishes nothing, and nothing else does it for them.

    Such a suite waits for the service and cannot call it.
    """
    published = {endpoint.service for endpoint in _found(topology, ())}
    for suite in topology.suites:
        for need in suite.needs if suite.runs_on == "host" else ():
            service = topology.services.get(need.name)
            plain = service is not None and service.kind != "job" and not service.host_network
            if plain and need.name not in published:
                yield suite, need


def endpoints_of(topology: Topology, mocks: Iterable[Mock]) -> tuple[Endpoint, ...]:
    """All endpoints, each once: services with ports, those that the extension names or a suite needs, and the mocks.

    Raises:
        TopologyError: two services' names are one in the names of variables.
    """
    result = tuple(dict.fromkeys(_found(topology, mocks)))
    owners: dict[str, str] = {}
    for endpoint in result:
        stem = variable_name(endpoint.service, endpoint.port)
        other = owners.setdefault(stem, endpoint.service)
        if other != endpoint.service:
            raise TopologyError(
                f"{other!r} and {endpoint.service!r} would both tell tests of port {endpoint.port} as {stem}_URL; "
                "rename one",
                topology.where,
            )
    return result
