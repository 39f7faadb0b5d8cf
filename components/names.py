"""Names of the containers of one environment: distinct, and the same at every commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from understudy.stacks import identity
from understudy.stacks.clone import Clone

__all__ = ["RELAY", "TRUST", "ContainerNames", "container_names", "slug"]

RELAY = "relay"
"""The logical name of the relay."""

TRUST = "trust"
"""The logical name of what holds the certificates."""

_OWN = (RELAY, TRUST, "egress", "egress-outer")


@dataclass(frozen=True, slots=True)
class ContainerNames:
    """Logical names: of each service's replicas in order, of each mock, and of what every environment may have."""

    services: Mapping[str, tuple[str, ...]]
    mocks: Mapping[str, str]
    relay: str
    trust: str
    egress: str
    egress_outer: str


def container_names(clone: Clone) -> ContainerNames:
    """The logical container names of a clone.

    A service's first container is called like the service, its further replicas `<service>-2` and so on, mocks
    like their third party, the relay `relay`. Services come first: what would take the name of a service, or a
    name that is given already, gets its kind in front (`replica.web-2`, `mock.db`).
    """
    topology = clone.topology
    taken = set(topology.services)
    services = {
        service.name: (
            service.name,
            *(_free(f"{service.name}-{number}", "replica", taken) for number in range(2, service.replicas + 1)),
        )
        for service in topology.services.values()
    }
    mocks = {mock.name: _free(mock.name, "mock", taken) for mock in clone.mocks}
    return ContainerNames(services, mocks, *(_free(name, "understudy", taken) for name in _OWN))


def _free(wanted: str, kind: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted = f"{kind}.{wanted}"
    taken.add(wanted)
    return wanted


def slug(logical: str) -> str:
    """The part of a Pulumi resource name that stands for a logical name: as in physical names, without the id."""
    return identity.name("x", logical).removeprefix("x-")
