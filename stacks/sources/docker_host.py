"""A running Docker host as the source of a topology: containers, networks, volumes and images, already fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from understudy.stacks.identity import LABEL, RESERVED_LABELS
from understudy.stacks.topology import (
    Condition,
    Dependency,
    Network,
    NetworkLink,
    Service,
    Topology,
    TopologyError,
    Volume,
    Where,
)

from .docker_container import Seen, service_of
from .found_secrets import declare_secrets, secret_name
from .kinds import kind_of_image

__all__ = ["COMPOSE", "HostData", "read", "references"]

Json = Mapping[str, Any]

COMPOSE = "com.docker.compose."
"""Begins the labels by which Compose knows its objects (compose, pkg/api/labels.go)."""

_OWNED = LABEL + "environment"
_CONDITIONS: Mapping[str, Condition] = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
_RUNS = frozenset(("running", "restarting", "paused"))
_PREDEFINED = frozenset(("none", "host"))


@dataclass(frozen=True)
class HostData:
    """What a daemon says, each as its API gives it: containers, images by id, networks by name, volumes by name.

    `info` is what `GET /info` gives, of which the defaults of containers are taken; `host` names the daemon.
    """

    containers: tuple[Json, ...]
    images: Mapping[str, Json]
    networks: Mapping[str, Json]
    volumes: Mapping[str, Json]
    info: Json = field(default_factory=dict)
    host: str = "docker"


def read(data: HostData) -> Topology:
    """The topology that the containers make up.

    Containers of one Compose service are its replicas; one without Compose's labels is a service by its own name.
    What an image brings with it is not the service's own. Values that look like secrets become declared secrets.
    The environments of Understudy, one-off containers and those that have ended without being Compose's are no part
    of production, and named in the warnings.

    Raises:
        TopologyError: no container is left, or what they say of each other makes no topology.
    """
    warnings: list[str] = []
    groups = _grouped([c for c in data.containers if _counts(c, data.host, warnings)], warnings)
    if not groups:
        found = f"{len(data.containers)} containers, none of them production's" if data.containers else "no container"
        raise TopologyError(f"there is {found}", Where(data.host))
    ids = {container["Id"]: name for name, replicas in groups.items() for container in replicas}
    seen = Seen(
        str(data.info.get("DefaultRuntime") or "runc"),
        str(data.info.get("LoggingDriver") or "json-file"),
        ids,
    )
    names = _Names(data, groups)
    services = {name: _service(name, replicas, data, names, seen) for name, replicas in sorted(groups.items())}
    services = {name: _kinded(service, services, groups[name][0], data) for name, service in services.items()}
    networks = {link.network for service in services.values() for link in service.networks}
    volumes = {m.source for s in services.values() for m in s.mounts if m.kind == "volume" and m.source is not None}
    topology = Topology(
        name=_project(groups),
        services=services,
        networks={name: names.network(name, seen) for name in sorted(networks)},
        volumes={name: names.volume(name) for name in sorted(volumes)},
        secrets=tuple(dict.fromkeys(secret_name(file.name) for s in services.values() for file in s.files)),
        warnings=(*warnings, *(f"{change.path}: {change.production}: {change.reason}" for change in seen.changes)),
        changes=tuple(seen.changes),
        where=Where(data.host),
    )
    return declare_secrets(topology)


def references(data: HostData) -> dict[str, str]:
    """Service -> the name of the image that its containers were started with; it may name another image by now."""
    groups = _grouped([c for c in data.containers if _counts(c, data.host, [])], [])
    return {name: _image_name(replicas[0], data) for name, replicas in groups.items()}


def _image_name(container: Json, data: HostData) -> str:
    """The name that the image goes by: what the container was started with, or a tag where that was an id."""
    name = str(container["Config"]["Image"])
    tags = data.images[container["Image"]].get("RepoTags") or ()
    return str(tags[0]) if name.startswith("sha256:") and tags else name


def _label(thing: Json, key: str) -> str:
    labels = thing.get("Labels") or (thing.get("Config") or {}).get("Labels") or {}
    return str(labels.get(COMPOSE + key) or "")


def _name(container: Json) -> str:
    return str(container["Name"]).removeprefix("/")


def _counts(container: Json, host: str, warnings: list[str]) -> bool:
    """Whether a container is production's; one that is not is named in the warnings."""
    reason = ""
    status = container["State"]["Status"]
    if (container["Config"].get("Labels") or {}).get(_OWNED):
        reason = "belongs to an environment of Understudy"
    elif _label(container, "oneoff") == "True":
        reason = "was started by `docker compose run` for once"
    elif not _label(container, "service") and status not in _RUNS:
        reason = f"does not run, it is {status}"
    if reason:
        warnings.append(f"{host}: container {_name(container)} {reason}: left out")
    return not reason


def _grouped(containers: list[Json], warnings: list[str]) -> dict[str, list[Json]]:
    """Service -> its containers by number. A service's name that two projects have gets the project's before it."""
    found: dict[tuple[str, str], list[Json]] = {}
    for container in containers:
        service = _label(container, "service")
        key = (_label(container, "project"), service) if service else ("", _name(container))
        found.setdefault(key, []).append(container)
    counts: dict[str, int] = {}
    for _, service in found:
        counts[service] = counts.get(service, 0) + 1
    groups: dict[str, list[Json]] = {}
    for (project, service), replicas in found.items():
        name = f"{project}.{service}" if counts[service] > 1 and project else service
        replicas.sort(key=lambda container: (int(_label(container, "container-number") or 0), _name(container)))
        if len({_label(container, "config-hash") for container in replicas}) > 1:
            warnings.append(f"services.{name}: its containers differ; the one of the lowest number is read")
        groups[name] = replicas
    return groups


def _project(groups: Mapping[str, list[Json]]) -> str:
    projects = {_label(container, "project") for replicas in groups.values() for container in replicas} - {""}
    return projects.pop() if len(projects) == 1 else "production"


def _service(name: str, replicas: list[Json], data: HostData, names: _Names, seen: Seen) -> Service:
    container = replicas[0]
    folder = _label(container, "project.working_dir")
    image = data.images[container["Image"]]
    service = service_of(name, container, image, folder, seen)
    mounts = tuple(
        replace(mount, source=names.logical_volume(mount.source)) if mount.kind == "volume" and mount.source else mount
        for mount in service.mounts
    )
    return replace(
        service,
        mounts=mounts,
        networks=tuple(_links(container, name, names, seen)) if not service.network_of else (),
        depends_on=tuple(_dependencies(container)),
        replicas=len(replicas),
        container_name=_chosen_name(container),
        where=Where(data.host, path=f"services.{name}"),
    )


def _chosen_name(container: Json) -> str | None:
    """The container's name, where a document chose it: it is not the one that Compose makes up."""
    parts = [_label(container, key) for key in ("project", "service", "container-number")]
    made_up = {"-".join(parts), "_".join(parts)}
    return _name(container) if all(parts) and _name(container) not in made_up else None


def _links(container: Json, name: str, names: _Names, seen: Seen) -> Iterator[NetworkLink]:
    mine = {_name(container), _label(container, "service"), name, container["Id"][:12]}
    for network, endpoint in ((container.get("NetworkSettings") or {}).get("Networks") or {}).items():
        if network in _PREDEFINED:
            continue
        address = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
        if address:
            path = f"services.{name}.networks.{names.logical_network(network)}.ipv4_address"
            seen.leave_out(path, address, "a clone's networks have subnets of their own")
        aliases = [alias for alias in endpoint.get("Aliases") or () if alias not in mine]
        yield NetworkLink(names.logical_network(network), tuple(dict.fromkeys(aliases)))


def _dependencies(container: Json) -> Iterator[Dependency]:
    """Compose's label: `db:service_healthy:false,queue:service_started:true`; old versions write names alone."""
    for entry in sorted(filter(None, _label(container, "depends_on").split(","))):
        service, _, rest = entry.partition(":")
        yield Dependency(service, _CONDITIONS.get(rest.partition(":")[0], "started"))


def _kinded(service: Service, services: Mapping[str, Service], container: Json, data: HostData) -> Service:
    """The service with its kind, and without the dependencies that are not on this host."""
    waited_for = any(d == Dependency(service.name, "completed") for s in services.values() for d in s.depends_on)
    state = container["State"]
    ended = state["Status"] == "exited" and state["ExitCode"] == 0 and service.restart.policy == "no"
    kind = "job" if waited_for or ended else kind_of_image(_image_name(container, data))
    here = tuple(d if d.service in services else replace(d, required=False) for d in service.depends_on)
    return replace(service, kind=kind, depends_on=here)


class _Names:
    """The logical names of networks and volumes: those that Compose gave them, else their own."""

    def __init__(self, data: HostData, groups: Mapping[str, list[Json]]) -> None:
        self._data = data
        self._projects = {_label(c, "project") for replicas in groups.values() for c in replicas} - {""}
        self._networks = self._logical(data.networks, "network")
        self._volumes = self._logical(data.volumes, "volume")

    @staticmethod
    def _logical(things: Mapping[str, Json], key: str) -> dict[str, str]:
        """Real name -> logical name; one that two objects would have stays the real one."""
        found = {name: _label(thing, key) or name for name, thing in things.items()}
        logical = list(found.values())
        return {name: word if logical.count(word) == 1 else name for name, word in found.items()}

    def logical_network(self, name: str) -> str:
        return self._networks.get(name, name)

    def logical_volume(self, name: str) -> str:
        return self._volumes.get(name, name)

    def _foreign(self, thing: Json) -> bool:
        """Whether none of the projects that are read made it: production finds it there."""
        return bool(self._projects) and _label(thing, "project") not in self._projects

    def network(self, logical: str, seen: Seen) -> Network:
        thing = next((self._data.networks[real] for real, word in self._networks.items() if word == logical), {})
        if thing.get("Driver", "bridge") != "bridge":
            seen.leave_out(f"networks.{logical}.driver", thing["Driver"], "a clone's networks are bridges of one host")
        return Network(
            logical,
            internal=bool(thing.get("Internal")),
            labels=_own_labels(thing),
            external=self._foreign(thing),
            ipv6=bool(thing.get("EnableIPv6")),
            where=Where(self._data.host, path=f"networks.{logical}"),
        )

    def volume(self, logical: str) -> Volume:
        thing = next((self._data.volumes[real] for real, word in self._volumes.items() if word == logical), {})
        driver = thing.get("Driver") or "local"
        return Volume(
            logical,
            labels=_own_labels(thing),
            external=self._foreign(thing),
            driver=None if driver == "local" else driver,
            options={str(key): str(value) for key, value in (thing.get("Options") or {}).items()},
            where=Where(self._data.host, path=f"volumes.{logical}"),
        )


def _own_labels(thing: Json) -> dict[str, str]:
    return {key: value for key, value in (thing.get("Labels") or {}).items() if not key.startswith(RESERVED_LABELS)}
