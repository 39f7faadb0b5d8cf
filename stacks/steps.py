"""The steps of a derivation: each is a pure function from clone to clone that records what it makes differ, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from .builds import build_after_all
from .clone import Change, Clone, Fidelity, recorded
from .compare import as_text, port_text
from .endpoints import endpoints_of
from .ground import Ground
from .identity import RESERVED_LABELS
from .needs import needed_ports
from .profile import Profile
from .scaling import rule_of
from .secret_rules import HEX
from .secret_values import shown, token_free, tokens
from .topology import Port, Restart, Service, Topology

__all__ = [
    "build_after_all",
    "endpoints",
    "host_sides",
    "jobs",
    "labels",
    "left_out",
    "networks",
    "secrets",
    "volumes",
]

_ENDLESS = frozenset({"always", "unless-stopped"})


def _with_services(clone: Clone, change: Callable[[Service], Service]) -> Clone:
    services = {name: change(service) for name, service in clone.topology.services.items()}
    return replace(clone, topology=replace(clone.topology, services=services))


def left_out(clone: Clone, production: Topology, commit: str) -> Clone:
    """Record what the sources did to the documents: first to the commit's, then what only production's declares."""
    here = {change.path for change in clone.topology.changes}
    only_there = [
        replace(change, reason=f"changed by commit {commit[:12]}; in production: {change.reason}")
        for change in production.changes
        if change.path not in here
    ]
    return recorded(clone, *clone.topology.changes, *only_there)


def jobs(clone: Clone) -> Clone:
    """Let a job end: a policy that restarts what ended well would run it for ever."""
    endless = {n for n, s in clone.topology.services.items() if s.kind == "job" and s.restart.policy in _ENDLESS}
    changes = [
        Change(
            f"services.{name}.restart.policy",
            clone.topology.services[name].restart.policy,
            "no",
            "a job runs once, and what waits for its completion would wait for ever",
            rule=clone.topology.services[name].where.place,
        )
        for name in sorted(endless)
    ]
    changed = _with_services(clone, lambda s: replace(s, restart=Restart()) if s.name in endless else s)
    return recorded(changed, *changes)


def secrets(clone: Clone) -> Clone:
    """Record where values made anew stand; the topology has their tokens already."""
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        check = service.healthcheck
        places: dict[str, str | None] = {f"environment.{key}": value for key, value in service.environment.items()}
        places["command"] = as_text(service.command)
        places["entrypoint"] = as_text(service.entrypoint)
        places["healthcheck.test"] = as_text(check.test) if check else None
        places |= {f"files.{file.target}": file.content for file in service.files}
        changes += [
            Change(
                f"services.{name}.{place}",
                shown(value, "secret"),
                shown(value, "made anew"),
                f"a declared secret: its value is derived from the environment's own seed ({_forms(clone, value)})",
                rule="; ".join(filter(None, (rule_of(clone.topology, "secrets", rule) for rule in _rules(value)))),
            )
            for place, value in places.items()
            if value is not None and not token_free(value)
        ]
    return recorded(clone, *changes)


def _rules(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tokens(text)))


def _forms(clone: Clone, text: str) -> str:
    return ", ".join(clone.topology.secret_rules.get(rule, HEX).describe() for rule in _rules(text))


def labels(clone: Clone) -> Clone:
    """Leave out labels in the namespaces of Compose and Understudy: they would say whose the clone's objects are."""
    changes: list[Change] = []

    def keep(labels: Mapping[str, str], path: str) -> dict[str, str]:
        kept = {key: value for key, value in labels.items() if not key.startswith(RESERVED_LABELS)}
        reason = "labels of this namespace say to whom an object belongs"
        changes.extend(Change(f"{path}.labels.{key}", labels[key], None, reason) for key in labels if key not in kept)
        return kept

    topology = clone.topology
    services = {n: replace(s, labels=keep(s.labels, f"services.{n}")) for n, s in topology.services.items()}
    networks = {n: replace(x, labels=keep(x.labels, f"networks.{n}")) for n, x in topology.networks.items()}
    volumes = {n: replace(v, labels=keep(v.labels, f"volumes.{n}")) for n, v in topology.volumes.items()}
    changed = replace(topology, services=services, networks=networks, volumes=volumes)
    return recorded(replace(clone, topology=changed), *changes)


def host_sides(clone: Clone, ground: Ground) -> Clone:
    """Take away fixed host ports and container names, of which a host has only one; the names stay as aliases."""
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        placed: dict[tuple[int, str], list[Port]] = {}
        for port in service.ports:
            if port.published or port.host_ip or port.protocol == "udp":
                placed.setdefault((port.target, port.protocol), []).append(port)
        changes += [
            Change(
                f"services.{name}.ports.{target}/{protocol}",
                ", ".join(map(port_text, ports)),
                *_published(service, ports[0], ground),
            )
            for (target, protocol), ports in placed.items()
        ]
        if service.container_name:
            changes.append(
                Change(
                    f"services.{name}.container_name",
                    service.container_name,
                    None,
                    "a host has one container of a name; it stays an alias on the service's networks",
                )
            )
    return recorded(_with_services(clone, _without_host_side), *changes)


def _published(service: Service, port: Port, ground: Ground) -> tuple[str | None, str, Fidelity]:
    if port.protocol == "udp":
        return None, "TCP alone is published; inside the clone the port is there", Fidelity.MISSING
    if service.kind == "job":
        return None, "a job ends before anyone could reach its ports", Fidelity.CHANGED
    return f"{ground.published}{port.target}", ground.reason, Fidelity.CHANGED


def _without_host_side(service: Service) -> Service:
    ports = tuple(dict.fromkeys(Port(port.target, protocol=port.protocol) for port in service.ports))
    return replace(service, ports=ports, container_name=None)


def networks(clone: Clone, profile: Profile, ground: Ground) -> Clone:
    """Close every network to the outside, unless the profile opens them."""
    if profile.network == "open":
        reason = "the profile opens the networks: the clone reaches the outside"
        rule = rule_of(clone.topology, "profiles", profile.name, "network")
        change = Change("profile.network", None, "open", reason, rule=rule)
        return recorded(replace(clone, open_network=True), change)
    changes = [
        Change(f"networks.{name}.internal", "false", "true", ground.closed)
        for name, network in clone.topology.networks.items()
        if not network.internal
    ]
    closed = {n: replace(x, internal=True) for n, x in clone.topology.networks.items()}
    outward = tuple(name for name, network in clone.topology.networks.items() if not network.internal)
    return recorded(replace(clone, topology=replace(clone.topology, networks=closed), outward=outward), *changes)


def volumes(clone: Clone) -> Clone:
    """Volumes start empty: production's data is never copied."""
    reason = "production's data is not copied; the volume starts as the image fills it"
    changes = [
        Change(f"volumes.{name}.data", "production's data", None, reason, Fidelity.MISSING)
        for name in clone.topology.volumes
    ]
    changes += [
        Change(f"volumes.({name}:{mount.target}).data", "production's data", None, reason, Fidelity.MISSING)
        for name, service in clone.topology.services.items()
        for mount in service.mounts
        if mount.kind == "volume" and mount.source is None
    ]
    return recorded(clone, *changes)


def endpoints(clone: Clone, ground: Ground) -> Clone:
    """Name what tests reach; what production does not publish is a Change."""
    found = endpoints_of(clone.topology, clone.mocks)
    published = {(name, p.target) for name, s in clone.topology.services.items() for p in s.ports}
    changes = [
        Change(
            f"services.{e.service}.ports.{e.port}/tcp",
            None,
            f"{ground.published}{e.port}",
            ground.tests,
            rule=rule_of(clone.topology, "endpoints", f"{e.service}:{e.port}"),
        )
        for e in found
        if e.service in clone.topology.services and (e.service, e.port) not in published
    ]
    changes += [
        Change(
            f"services.{name}.ports.{port}/tcp",
            None,
            f"{ground.published}{port}",
            f"suite {suite.name!r} needs it on the host",
            rule=need.where.place,
        )
        for name, port, suite, need in needed_ports(clone.topology)
        if (name, port) not in published
    ]
    return recorded(replace(clone, endpoints=found), *changes)
