"""Third parties: each is mocked, allowed through the egress relay, the real one in an open clone, or missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .clone import Change, Clone, Fidelity, Mock, recorded
from .topology import External, Service, Topology, TopologyError

__all__ = ["third_parties"]


def third_parties(clone: Clone) -> Clone:
    """Put a mock in the place of each third party that has one; say what becomes of the others.

    Raises:
        TopologyError: a third party has a name of the clone's own, or two that are allowed cannot be told apart.
    """
    mocks: list[Mock] = []
    allowed: list[External] = []
    changes: list[Change] = []
    names = own_names(clone.topology)
    for external in clone.topology.externals.values():
        _hold_names(external, clone.topology, names)
        if external.mock is not None:
            mocks.append(Mock(external.name, external.host, external.port, external.mock, external.scheme))
        elif external.allow and not clone.open_network:
            allowed.append(external)
        changes.append(_change(external, open_network=clone.open_network))
    _hold_ports(allowed)
    return recorded(replace(clone, mocks=tuple(mocks), allowed=tuple(allowed)), *changes)


def own_names(topology: Topology) -> frozenset[str]:
    """Every host name that a topology's own services answer to, in lower case."""
    return frozenset(name.lower() for service in topology.services.values() for name in _names(service))


def _names(service: Service) -> Iterator[str]:
    yield service.name
    yield from (alias for link in service.networks for alias in link.aliases)
    yield from (name for name in (service.hostname, service.container_name) if name)


def _hold_names(external: External, topology: Topology, names: frozenset[str]) -> None:
    if external.name in topology.services:
        raise TopologyError(f"the third party {external.name!r} has the name of a service; rename one", external.where)
    if external.host.lower() in names:
        raise TopologyError(
            f"{external.host!r} is a name of one of the services, so it is no third party's: leave it out",
            external.where,
        )


def _hold_ports(allowed: list[External]) -> None:
    """Hold that the egress relay can tell apart those that share a port: by the server name that TLS carries."""
    first: dict[int, External] = {}
    for external in allowed:
        other = first.setdefault(external.port, external)
        plain = next((each for each in (other, external) if each.scheme != "https"), None)
        if other is not external and plain is not None:
            raise TopologyError(
                f"{other.name!r} and {external.name!r} are both allowed on port {external.port}, and the egress relay "
                f"tells such two apart by the server name in TLS, which {plain.name!r} does not speak: say "
                "`scheme: https` of both, or allow one of them",
                external.where,
            )


def _change(external: External, *, open_network: bool) -> Change:
    path, real = f"externals.{external.name}", f"{external.host}:{external.port}"
    rule = external.where.place
    if external.mock is not None:
        speaks = "HTTPS, with a certificate of the environment's authority" if external.scheme == "https" else "HTTP"
        reason = f"a mock answers under the third party's host name, in {speaks}"
        return Change(path, real, f"mock of {external.mock}", reason, Fidelity.MOCKED, rule)
    if open_network:
        return Change(path, real, real, "the profile is open: this is the real one", Fidelity.FAITHFUL, rule)
    if external.allow:
        reason = "it is allowed: the real one is reached through the egress relay"
        return Change(path, real, f"{real} by the egress relay", reason, Fidelity.FAITHFUL, rule)
    return Change(path, real, None, "it has no mock and cannot be reached", Fidelity.MISSING, rule)
