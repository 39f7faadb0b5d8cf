"""The steps of a derivation that a profile asks for: services left out, containers and limits made fewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from .clone import Change, Clone, Fidelity, recorded
from .compare import as_text, summary
from .needs import hold_needs
from .profile import Profile, ServiceProfile
from .topology import Resources, Service, Topology, TopologyError, Where

__all__ = ["rule_of", "scale", "without"]


def rule_of(topology: Topology, *keys: str) -> str:
    """Where a key of the extension stands in the document, as text; empty where nothing is said of it there."""
    where = topology.places.get(".".join(("x-understudy", *keys)))
    return "" if where is None else where.place


def without(clone: Clone, profile: Profile) -> Clone:
    """Leave out the services that the profile names, and what only they had; their dependents do without them.

    Raises:
        TopologyError: nothing would be left, or a service that is left cannot be made, or a suite not run, without one
            of them.
    """
    topology = clone.topology
    gone = {name: service for name, service in topology.services.items() if name in profile.without}
    if not gone:
        return clone
    where = topology.places.get(f"x-understudy.profiles.{profile.name}.without", topology.where)
    left = {name: service for name, service in topology.services.items() if name not in gone}
    if not left:
        raise TopologyError(f"the profile {profile.name!r} leaves out every service", where)
    _hold_makeable(left, frozenset(gone), where)
    changes = [*_gone(clone, profile, gone, left)]
    free = {name: _freed(service, gone) for name, service in left.items()}
    networks = {link.network for service in free.values() for link in service.networks}
    unjoined = {link.network for service in gone.values() for link in service.networks} - networks
    volumes = {mount.source for service in free.values() for mount in service.mounts if mount.kind == "volume"}
    unmounted = {m.source for service in gone.values() for m in service.mounts if m.kind == "volume"} - volumes
    kept = replace(
        topology,
        services=free,
        networks={name: network for name, network in topology.networks.items() if name not in unjoined},
        volumes={name: volume for name, volume in topology.volumes.items() if name not in unmounted},
        endpoints=tuple(endpoint for endpoint in topology.endpoints if endpoint[0] not in gone),
    )
    reason = f"only services that the profile {profile.name!r} leaves out have it"
    lost = (("networks", topology.networks, unjoined), ("volumes", topology.volumes, unmounted))
    changes += [
        Change(f"{section}.{name}", summary(thing), None, reason, Fidelity.MISSING)
        for section, things, names in lost
        for name, thing in things.items()
        if name in names
    ]
    inside = tuple(f"services.{name}." for name in gone)
    hold_needs(kept, dict.fromkeys(gone, f"the profile {profile.name!r} leaves it out"))
    before = tuple(change for change in clone.changes if not f"{change.path}.".startswith(inside))
    builds = {name: image for name, image in clone.unchanged_builds.items() if name not in gone}
    return recorded(replace(clone, topology=kept, changes=before, unchanged_builds=builds), *changes)


def _gone(clone: Clone, profile: Profile, gone: Mapping[str, Service], left: Mapping[str, Service]) -> Iterator[Change]:
    for name, service in gone.items():
        dependents = [other.name for other in left.values() if any(d.service == name for d in other.depends_on)]
        rule = rule_of(clone.topology, "profiles", profile.name, "without", name)
        reason = f"the profile {profile.name!r} leaves it out"
        told = f"; {', '.join(dependents)} will find it missing" if dependents else ""
        yield Change(f"services.{name}", summary(service), None, reason + told, Fidelity.MISSING, rule)
        for other in dependents:
            (dependency, *_) = (d for d in left[other].depends_on if d.service == name)
            yield Change(
                f"services.{other}.depends_on.{name}",
                as_text(dependency),
                None,
                f"the profile {profile.name!r} leaves {name!r} out, so {other!r} starts without it",
                Fidelity.MISSING,
                rule,
            )


def _hold_makeable(left: Mapping[str, Service], gone: frozenset[str], where: Where) -> None:
    """A container that shares something of another, or an image made from another's, cannot be made without it."""
    for service in left.values():
        contexts = service.build.contexts.values() if service.build else ()
        images = (source.removeprefix("service:") for source in contexts if source.startswith("service:"))
        if lost := sorted(gone.intersection((*service.shares_with, *images))):
            raise TopologyError(
                f"{lost[0]!r} is left out, and service {service.name!r} cannot be made without it: leave that out too",
                where,
            )


def _freed(service: Service, gone: Mapping[str, Service]) -> Service:
    return replace(service, depends_on=tuple(d for d in service.depends_on if d.service not in gone))


def scale(clone: Clone, profile: Profile) -> Clone:
    """Run at most so many containers of each service, with at most so many processors and so much memory.

    What the profile says of one service counts for that one, also where it is more than production has.

    Raises:
        TopologyError: the profile describes a service that there is not.
    """
    unknown = sorted({*profile.services, *profile.without} - {*clone.topology.services, *profile.without})
    if unknown:
        where = clone.topology.places.get(f"x-understudy.profiles.{profile.name}.services", clone.topology.where)
        raise TopologyError(
            f"the profile {profile.name!r} describes {unknown[0]!r}, which is no service; "
            f"services are {', '.join(clone.topology.services)}",
            where,
        )
    services: dict[str, Service] = {}
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        services[name], found = _scaled(service, profile, clone.topology)
        changes += found
    return recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)


def _scaled(service: Service, profile: Profile, topology: Topology) -> tuple[Service, list[Change]]:
    own = profile.services.get(service.name, ServiceProfile())
    changes: list[Change] = []

    def scaled(key: str, path: str, had: float | None, *, unit: Callable[[float], str] = "{:g}".format) -> float | None:
        single, most = getattr(own, key), getattr(profile, key)
        wanted = single if single is not None else most
        if wanted is None or had == wanted or (single is None and had is not None and had < wanted):
            return had
        keys = ("services", service.name, key) if single is not None else (key,)
        which = f"the profile {profile.name!r} "
        changes.append(
            Change(
                f"services.{service.name}.{path}",
                None if had is None else unit(had),
                unit(wanted),
                which + (f"gives it {unit(wanted)}" if single is not None else f"has at most {unit(wanted)} of each"),
                Fidelity.SCALED,
                rule_of(topology, "profiles", profile.name, *keys),
            )
        )
        return float(wanted)

    replicas = scaled("replicas", "replicas", service.replicas)
    limits = service.resources
    cpus = scaled("cpus", "resources.cpus", limits.cpus)
    memory = scaled("memory", "resources.memory", limits.memory, unit=lambda value: str(int(value)))
    resized = replace(limits, cpus=cpus, memory=None if memory is None else int(memory))
    fitted = _fitted(limits, resized)
    changes += [
        Change(
            f"services.{service.name}.resources.{key}",
            as_text(getattr(resized, key)),
            as_text(getattr(fitted, key)),
            "it goes with the memory, which the profile scales",
            Fidelity.SCALED,
            changes[-1].rule,
        )
        for key in ("memory_swap", "memory_reservation")
        if getattr(resized, key) != getattr(fitted, key)
    ]
    return replace(service, replicas=int(replicas or 1), resources=fitted), changes


def _fitted(before: Resources, after: Resources) -> Resources:
    """Limits that Docker takes: as much swap as before beside the memory, and no more reserved than there is."""
    swap, reserved = after.memory_swap, after.memory_reservation
    if after.memory is None or after.memory == before.memory:
        return after
    if swap is not None and swap > 0:
        swap = after.memory + max(0, swap - (before.memory or after.memory))
    if reserved is not None:
        reserved = min(reserved, after.memory)
    return replace(after, memory_swap=swap, memory_reservation=reserved)
