"""Third parties: each is mocked, the real one where it is allowed or the clone is open, or missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from .clone import Change, Clone, Fidelity, Mock, recorded
from .ground import Ground
from .host_names import Mention, in_command, in_file, in_value
from .topology import External, Service, Topology, TopologyError

__all__ = ["Call", "called", "own_names", "third_parties", "unlisted"]


@dataclass(frozen=True, slots=True)
class Call:
    """What a service calls: host, port (None: not said) and the place below the service that says so."""

    host: str
    port: int | None
    place: str


def third_parties(clone: Clone, ground: Ground) -> Clone:
    """Put a mock in the place of each third party that has one; say what becomes of the others.

    Raises:
        TopologyError: a third party has a name of the clone's own, or two that are allowed cannot be told apart.
    """
    mocks: list[Mock] = []
    allowed: list[External] = []
    names = own_names(clone.topology)
    for external in clone.topology.externals.values():
        _hold_names(external, clone.topology, names)
        if external.mock is not None:
            mocks.append(Mock(external.name, external.host, external.port, external.mock, external.scheme))
        elif external.allow and not clone.open_network:
            allowed.append(external)
    if ground.out is None:
        _hold_ports(allowed)
    made = replace(clone, mocks=tuple(mocks), allowed=tuple(allowed))
    return recorded(made, *(_change(external, made, ground) for external in clone.topology.externals.values()))


def own_names(topology: Topology) -> frozenset[str]:
    """Every host name that a topology's own services answer to, in lower case."""
    return frozenset(name.lower() for service in topology.services.values() for name in _names(service))


def called(service: Service) -> tuple[Call, ...]:
    """Every host that a service's configuration calls, its own neighbours among them."""
    found: list[Call] = []

    def note(place: str, mentions: Iterable[Mention]) -> None:
        found.extend(Call(mention.host, mention.port, place) for mention in mentions)

    for key, value in service.environment.items():
        port = _companion(service.environment, key)
        mentions = (replace(each, port=each.port or port) for each in in_value(key, value))
        note(f"environment.{key}", mentions)
    note("command", in_command(service.command or ()))
    note("entrypoint", in_command(service.entrypoint or ()))
    note("healthcheck.test", in_command((service.healthcheck.test if service.healthcheck else None) or ()))
    for file in service.files:
        note(f"{file.kind}s.{file.name}", in_file(file.content or ""))
    outside = (host for host, address in service.extra_hosts if not re.match(r"host-gateway|127\.|\[?::1", address))
    note("extra_hosts", (Mention(host.lower()) for host in outside))
    return tuple(dict.fromkeys(found))


def _companion(environment: Mapping[str, str], key: str) -> int | None:
    """The port that stands beside a host: `SMTP_PORT` beside `SMTP_HOST`."""
    stem = re.fullmatch(r"(\w*?)(?:HOSTNAME|HOST|ADDRESS|ADDR|SERVER)", key, re.IGNORECASE)
    given = environment.get(f"{stem[1]}PORT", "") if stem else ""
    return int(given) if re.fullmatch(r"[0-9]{1,5}", given) and 0 < int(given) < 65536 else None  # noqa: PLR2004 - ports


def unlisted(clone: Clone, ground: Ground) -> Clone:
    """Record what a closed clone's services call, and no entry in the document is for: most of it they cannot reach.

    Wherever a third party has an entry, a fixed address of it in `extra_hosts` goes, as it would lead past the mock
    or the egress relay.
    """
    topology = clone.topology
    known = own_names(topology) | {name.lower() for name in _gone(clone)}
    listed: dict[str, list[External]] = {}
    for external in topology.externals.values():
        listed.setdefault(external.host, []).append(external)
    answered = {mock.host for mock in clone.mocks} | {external.host for external in clone.allowed}
    changes: list[Change] = []
    services: dict[str, Service] = {}
    for name, service in topology.services.items():
        fixed = tuple((host, address) for host, address in service.extra_hosts if host.lower() in answered)
        changes += [_unfixed(name, host, address) for host, address in fixed]
        services[name] = replace(service, extra_hosts=tuple(each for each in service.extra_hosts if each not in fixed))
        if not clone.open_network:
            others = (each for each in called(service) if not _is_kept(each.host, topology, ground))
            strangers = [each for each in others if not _is_own(each.host, known, topology)]
            changes += _strangers(service, strangers, listed, ground.reached(clone.allowed))
    return recorded(replace(clone, topology=replace(topology, services=services)), *changes)


def _gone(clone: Clone) -> Iterator[str]:
    """The services that production has and the clone has not: each is on the record already."""
    yield from (change.path.removeprefix("services.") for change in clone.changes if change.clone is None)


def _is_own(host: str, known: frozenset[str], topology: Topology) -> bool:
    """Whether a host is one of the clone's own, also as `service.network`, by which Docker knows it too."""
    first, _, rest = host.partition(".")
    network = rest.rpartition("_")[2] if rest not in topology.networks else rest
    return host in known or (first in known and network in topology.networks)


def _is_kept(host: str, topology: Topology, ground: Ground) -> bool:
    """Whether a host is that of a bucket which the target has one of its own for; it is called that one's instead."""
    buckets = (
        each.managed.name for each in topology.services.values() if each.managed and each.managed.service == "s3"
    )
    rest = {host.removeprefix(f"{name.lower()}.") for name in buckets if "s3" in ground.kept} - {host}
    return any(re.fullmatch(r"s3[a-z0-9.-]*\.amazonaws\.com(?:\.cn)?", each) for each in rest)


def _unfixed(service: str, host: str, address: str) -> Change:
    reason = "the third party is mocked or allowed, and its fixed address would lead past that"
    return Change(f"services.{service}.extra_hosts.{host}", address, None, reason)


def _strangers(
    service: Service, calls: Iterable[Call], listed: Mapping[str, list[External]], reached: frozenset[int]
) -> Iterator[Change]:
    """One Change for each host, with all the places that call it; `reached` are the ports that lead to any address."""
    found: dict[str, list[Call]] = {}
    for call in calls:
        entries = listed.get(call.host, [])
        answering = [entry.port for entry in entries if entry.mock is not None or entry.allow]
        if entries and (call.port is None or not answering or call.port in answering):
            continue  # the entry's own Change says what becomes of it
        found.setdefault(call.host, []).append(call)
    for host, same in found.items():
        places = ", ".join(dict.fromkeys(call.place for call in same))
        port = next((call.port for call in same if call.port is not None), None)
        if host in listed:
            ports = " and ".join(str(entry.port) for entry in listed[host])
            why = f"its entry under x-understudy, externals is for port {ports}"
        else:
            why = "it is no service of the clone and has no entry under x-understudy, externals"
        path, real = f"services.{service.name}.externals.{host}", f"{host}:{port}" if port else host
        if port in reached:
            reason = f"called in {places}, the real one is reached, as every address is at this port: {why}; give it "
            yield Change(path, real, real, f"{reason}one with a mock", Fidelity.FAITHFUL, service.where.place)
            continue
        but = f" but at port {', '.join(map(str, sorted(reached)))}" if reached and port is None else ""
        reason = f"called in {places}, it cannot be reached{but}: {why}; give it one with a mock, or with `allow: true`"
        yield Change(path, real, None, reason, Fidelity.MISSING, service.where.place)


def _names(service: Service) -> Iterator[str]:
    yield service.name
    yield from (alias for link in service.networks for alias in link.aliases)
    yield from (name for name in (service.hostname, service.container_name) if name)
    if service.hostname and service.domainname:
        yield f"{service.hostname}.{service.domainname}"


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


def _change(external: External, clone: Clone, ground: Ground) -> Change:
    path, real = f"externals.{external.name}", f"{external.host}:{external.port}"
    rule = external.where.place
    if external.mock is not None:
        speaks = "HTTPS, with a certificate of the environment's authority" if external.scheme == "https" else "HTTP"
        reason = f"a mock answers under the third party's host name, in {speaks}"
        return Change(path, real, f"mock of {external.mock}", reason, Fidelity.MOCKED, rule)
    if clone.open_network:
        return Change(path, real, real, "the profile is open: this is the real one", Fidelity.FAITHFUL, rule)
    if external.allow:
        reason = f"it is allowed: the real one is reached through {ground.way}"
        return Change(path, real, f"{real} by {ground.way}", reason, Fidelity.FAITHFUL, rule)
    if external.port in ground.reached(clone.allowed):
        reason = "it has no mock, and every address is reached at this port: this is the real one"
        return Change(path, real, real, reason, Fidelity.FAITHFUL, rule)
    return Change(path, real, None, "it has no mock and cannot be reached", Fidelity.MISSING, rule)
