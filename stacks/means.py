"""The steps of a derivation that follow from how containers are made: names, and the units that limits are given in."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

from .allowed import in_memory
from .clone import Change, Clone, Fidelity, recorded
from .compare import as_text
from .topology import HealthCheck, NetworkLink, Resources, Service

__all__ = ["absent", "names", "own", "units"]

_MEBIBYTE = 1024 * 1024
_WHOLE = "the Docker provider takes it in whole {}, so it is rounded up"


def names(clone: Clone) -> Clone:
    """Make a service's host name, and a container name of its own, aliases on its networks.

    A container's name is one of a host; as an alias it resolves in the clone as it does in production. A host name
    resolves in the container itself only; in the clone also for others.
    """
    services: dict[str, Service] = {}
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        more = [
            (service.container_name, "container_name", Fidelity.FAITHFUL),
            (service.hostname, "hostname", Fidelity.CHANGED),
        ]
        links = []
        for link in service.networks:
            aliases = link.aliases
            why: list[tuple[str, Fidelity]] = []
            for alias, key, fidelity in more:
                if alias and alias not in (name, *aliases):
                    aliases = (*aliases, alias)
                    why.append((key, fidelity))
            links.append(NetworkLink(link.network, aliases))
            if why:
                reason = " and ".join(f"its {key}" for key, _ in why) + " resolves for the others on the network"
                changes.append(
                    Change(
                        f"services.{name}.networks.{link.network}",
                        as_text(link),
                        as_text(links[-1]),
                        reason,
                        max((kind for _, kind in why), key=tuple(Fidelity).index),
                    )
                )
        services[name] = replace(service, networks=tuple(links))
    return recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)


def own(clone: Clone) -> Clone:
    """Give the clone networks and volumes of its own where production uses some that are there, or another host's."""
    changes: list[Change] = []

    def change(path: str, production: str | None, what: str) -> None:
        after = "false" if path.endswith(".external") else None
        changes.append(Change(path, production, after, f"a clone makes {what} of its own, so that no two share one"))

    networks = dict(clone.topology.networks)
    for name, network in networks.items():
        if network.external:
            change(f"networks.{name}.external", "true", "a network")
            networks[name] = replace(network, external=False)
    volumes = dict(clone.topology.volumes)
    for name, volume in volumes.items():
        kept = {} if "device" in volume.options and not in_memory(volume.options) else dict(volume.options)
        if volume.external:
            change(f"volumes.{name}.external", "true", "a volume")
        if volume.driver not in {None, "local"}:
            change(f"volumes.{name}.driver", volume.driver, "a volume")
            kept = {}
        for key in sorted(volume.options.keys() - kept.keys()):
            change(f"volumes.{name}.options.{key}", volume.options[key], "a volume")
        driver = volume.driver if volume.driver == "local" else None
        volumes[name] = replace(volume, external=False, driver=driver, options=kept)
    return recorded(replace(clone, topology=replace(clone.topology, networks=networks, volumes=volumes)), *changes)


def absent(clone: Clone, sources: Collection[str]) -> Clone:
    """Record the binds of which the commit has nothing: an empty folder stands in the place of each."""
    reason = "the commit has nothing there, as where git ignores it"
    changes = [
        Change(f"services.{name}.mounts.{mount.target}", as_text(mount), "an empty folder", reason, Fidelity.MISSING)
        for name, service in clone.topology.services.items()
        for mount in service.mounts
        if mount.kind == "bind" and mount.source in sources
    ]
    return recorded(clone, *changes)


def units(clone: Clone) -> Clone:
    """Round limits and durations up to the units in which Docker's provider takes them."""
    services: dict[str, Service] = {}
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        check = service.healthcheck
        services[name] = rounded = replace(
            service,
            resources=_sizes(service.resources),
            healthcheck=None if check is None else _durations(check),
            stop_grace_period=None
            if service.stop_grace_period is None
            else float(math.ceil(service.stop_grace_period)),
        )
        changes += _differences(f"services.{name}", service, rounded)
    return recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)


_SIZES = ("memory", "memory_swap", "shm")
_DURATIONS = ("interval", "timeout", "start_period")


def _sizes(limits: Resources) -> Resources:
    found = {key: getattr(limits, key) for key in _SIZES}
    whole = {k: math.ceil(v / _MEBIBYTE) * _MEBIBYTE for k, v in found.items() if v is not None and v > 0}
    return replace(limits, **whole)


def _durations(check: HealthCheck) -> HealthCheck:
    found = {key: getattr(check, key) for key in _DURATIONS}
    return replace(check, **{key: math.ceil(round(v * 1000, 3)) / 1000 for key, v in found.items() if v is not None})


def _differences(path: str, before: Service, after: Service) -> Iterator[Change]:
    pairs = [(f"resources.{k}", getattr(before.resources, k), getattr(after.resources, k), "MiB") for k in _SIZES]
    if before.healthcheck and after.healthcheck:
        pairs += [
            (f"healthcheck.{k}", getattr(before.healthcheck, k), getattr(after.healthcheck, k), "milliseconds")
            for k in _DURATIONS
        ]
    pairs.append(("stop_grace_period", before.stop_grace_period, after.stop_grace_period, "seconds"))
    for key, old, new, unit in pairs:
        if old != new:
            yield Change(f"{path}.{key}", as_text(old), as_text(new), _WHOLE.format(unit), Fidelity.SCALED)
