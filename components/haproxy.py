"""The relay's configuration as text: HAProxy, TCP, names resolved when a connection comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from understudy.errors import UsageError
from understudy.stacks.clone import Clone, Endpoint
from understudy.stacks.endpoints import mock_endpoint

__all__ = ["FIRST_PORT", "Route", "haproxy_config", "offered", "routes"]

FIRST_PORT = 20001
"""The relay's port for the first endpoint; each further one gets the next. Above 1024: HAProxy runs without root."""

_HOST = re.compile(r"[a-z][a-z0-9-]*")

_HEAD = """\
global
    maxconn 4000
    log stdout format raw local0 notice

defaults
    mode tcp
    log global
    timeout connect 5s
    timeout client 12h
    timeout server 12h
    timeout client-fin 30s
    timeout server-fin 30s

resolvers docker
    nameserver docker 127.0.0.11:53
    resolve_retries 2
    timeout resolve 1s
    timeout retry 500ms
    hold valid 100ms
"""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: the relay's own port, the containers that may answer, and the port that they answer on."""

    endpoint: Endpoint
    listen: int
    containers: tuple[str, ...]


def offered(clone: Clone) -> tuple[Endpoint, ...]:
    """Every endpoint of a clone: those that it declares, and its mocks, whose journal tests ask for.

    Raises:
        UsageError: an endpoint is of no service and no mock, or a service and a mock offer the same one.
    """
    mocks = {mock.name: mock_endpoint(mock) for mock in clone.mocks}
    for endpoint in clone.endpoints:
        known = endpoint.service in clone.topology.services
        if not known and endpoint.service not in mocks:
            raise UsageError(
                f"Endpoint {endpoint.service}:{endpoint.port} is of no service and no mock of the clone.",
                hint=f"There are: {', '.join(sorted({*clone.topology.services, *mocks}))}.",
            )
        mock = mocks.get(endpoint.service)
        if known and mock is not None and mock.port == endpoint.port:
            raise UsageError(
                f"A service and an external are both called {endpoint.service!r} and offer port {endpoint.port}.",
                hint="Give the external another name: x-understudy, externals.",
            )
    found = {(endpoint.service, endpoint.port): endpoint for endpoint in (*clone.endpoints, *mocks.values())}
    return tuple(found.values())


def routes(endpoints: Sequence[Endpoint], containers: Sequence[tuple[str, ...]]) -> tuple[Route, ...]:
    """A port of the relay for each endpoint, in order; `containers` are the names that answer, endpoint by endpoint."""
    return tuple(
        Route(endpoint, FIRST_PORT + number, names)
        for number, (endpoint, names) in enumerate(zip(endpoints, containers, strict=True))
    )


def haproxy_config(wanted: Sequence[Route]) -> str:
    """The configuration for these routes.

    A container's name is resolved by Docker's DNS (127.0.0.11) for each connection, so the relay can start before
    any service, reaches one as soon as its name exists, and follows it to another address after a restart; a server
    line that HAProxy resolves at intervals would refuse for up to an interval after a service got ready. Sessions
    may be silent for 12 hours, which is longer than any environment lives in CI. A connection to what is not there
    is closed at once, after three tries one second apart if the name exists and its port does not listen.
    Replicas are chosen at random.

    Raises:
        ValueError: a container's name is no physical name (identity.name): it would be read as configuration.
    """
    return "\n".join((_HEAD, *(_section(route) for route in wanted)))


def _section(route: Route) -> str:
    for name in route.containers:
        if not _HOST.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a container")
    return "\n".join(
        (
            f"frontend endpoint_{route.listen}",
            f"    bind :{route.listen}",
            "    tcp-request inspect-delay 5s",
            *_resolve(route.containers),
            "    tcp-request content reject unless { var(txn.address) -m found }",
            f"    default_backend service_{route.listen}",
            "",
            f"backend service_{route.listen}",
            "    tcp-request content set-dst var(txn.address)",
            f"    server any 0.0.0.0:{route.endpoint.port}",
            "",
        )
    )


def _resolve(containers: tuple[str, ...]) -> list[str]:
    resolve = "    tcp-request content do-resolve(txn.address,docker,ipv4) str({})"
    if len(containers) == 1:
        return [resolve.format(containers[0])]
    return [
        f"    tcp-request content set-var(txn.chosen) rand({len(containers)})",
        *(
            resolve.format(name) + f" if {{ var(txn.chosen) -m int eq {number} }}"
            for number, name in enumerate(containers)
        ),
    ]
