"""The topology: what production consists of, as frozen and validated plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from .change import Change
from .parts import (
    EMPTY,
    Build,
    Condition,
    Dependency,
    Device,
    DeviceRequest,
    FileMount,
    HealthCheck,
    Logging,
    Managed,
    Mount,
    NetworkLink,
    OnAws,
    Port,
    Resources,
    Restart,
    Ulimit,
)
from .profile import Profile
from .secret_rules import SecretRule, SecretStore
from .suite import Need, Suite
from .where import TopologyError, Where

__all__ = [
    "Build",
    "Condition",
    "Dependency",
    "Device",
    "DeviceRequest",
    "External",
    "FileMount",
    "HealthCheck",
    "Kind",
    "Logging",
    "Managed",
    "Mount",
    "Need",
    "Network",
    "NetworkLink",
    "OnAws",
    "Port",
    "Resources",
    "Restart",
    "Service",
    "Suite",
    "Topology",
    "TopologyError",
    "Ulimit",
    "Volume",
    "Where",
]

Kind = Literal["service", "database", "cache", "queue", "bucket", "gateway", "job"]


@dataclass(frozen=True, slots=True)
class Service:
    """One service of production, of any kind. Command and entrypoint are argument vectors; None: the image's.

    `extra_hosts` are pairs of host name and address. `network_of` names the service whose network this one shares
    (`network_mode: service:NAME`); it then joins none itself. `volumes_from` are pairs of a service, whose mounts this
    one has too, and `ro` or `rw`. `ipc` and `pid` are `service:NAME`, `shareable`, `private`, `none`; `cgroup` is
    `private`. Only where it was allowed by name, these are `host`, as `uts` and `userns` can be, and there are
    `privileged`, `host_network`, `devices`, `device_requests` and `device_cgroup_rules`.
    `managed` says what a cloud runs in production; `image` is then what stands in for it where containers run.
    `on_aws` says what a database or cache is on AWS, where it is no container.
    """

    name: str
    kind: Kind = "service"
    image: str | None = None
    build: Build | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    ports: tuple[Port, ...] = ()
    expose: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[NetworkLink, ...] = ()
    hostname: str | None = None
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: HealthCheck | None = None
    replicas: int = 1
    resources: Resources = field(default_factory=Resources)
    restart: Restart = field(default_factory=Restart)
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    user: str | None = None
    working_dir: str | None = None
    init: bool | None = None
    stop_signal: str | None = None
    stop_grace_period: float | None = None
    read_only: bool = False
    container_name: str | None = None
    domainname: str | None = None
    platform: str | None = None
    runtime: str | None = None
    tty: bool = False
    stdin_open: bool = False
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    ulimits: tuple[Ulimit, ...] = ()
    devices: tuple[Device, ...] = ()
    group_add: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    logging: Logging | None = None
    files: tuple[FileMount, ...] = ()
    network_of: str | None = None
    ipc: str | None = None
    pid: str | None = None
    cgroup: str | None = None
    uts: str | None = None
    userns: str | None = None
    host_network: bool = False
    device_requests: tuple[DeviceRequest, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    volumes_from: tuple[tuple[str, str], ...] = ()
    managed: Managed | None = None
    on_aws: OnAws | None = None
    where: Where = field(default_factory=Where, compare=False)

    @property
    def container_ports(self) -> tuple[Port, ...]:
        """Every declared container port once, published ones first, without the host's side."""
        seen = {(p.target, p.protocol): Port(p.target, protocol=p.protocol) for p in (*self.ports, *self.expose)}
        return tuple(seen.values())

    @property
    def shares_with(self) -> tuple[str, ...]:
        """The services whose containers have to be there before this one's, since they share something of them."""
        spaces = (space.partition(":")[2] for space in (self.ipc, self.pid) if space and space.startswith("service:"))
        network = () if self.network_of is None else (self.network_of,)
        return tuple(dict.fromkeys((*network, *spaces, *(name for name, _ in self.volumes_from))))


@dataclass(frozen=True, slots=True)
class Network:
    """A network of production; `internal` has no way out, `external` was not made by this topology."""

    name: str
    internal: bool = False
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    external: bool = False
    ipv6: bool = False
    where: Where = field(default_factory=Where, compare=False)


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of production. Its data is never copied. `options` are those of the local driver."""

    name: str
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    external: bool = False
    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    where: Where = field(default_factory=Where, compare=False)


@dataclass(frozen=True, slots=True)
class External:
    """A third party: its host name and port, and the folder (relative) of the WireMock files that stand in for it.

    `allow`: a clone reaches the real one, through the egress relay. `scheme` is http or https: what a mock speaks.
    """

    name: str
    host: str
    port: int = 80
    mock: str | None = None
    allow: bool = False
    scheme: Literal["http", "https"] = "http"
    where: Where = field(default_factory=Where, compare=False)


@dataclass(frozen=True, slots=True)
class Topology:
    """Production, or a clone of it: everything by name, in the order of the document.

    `secrets` are the names of variables whose values an environment makes anew; `secret_aliases` names for some of
    them another secret that has the same value in production, and so has to have it in the environment. `endpoints`
    are the services and ports that tests reach beside those with `ports`. `warnings` name what the source did not
    know and left out: nothing is dropped in silence; `changes` are what the source itself changed, left out, or took
    because it was allowed by name, each with its path in the document and why. `secret_rules` say how the value of a
    secret looks (absent: as `secret_rules.HEX`), `secret_stores` what keeps it on AWS (absent: `secret`), `places`
    where the keys of the extension stand, by their path (`x-understudy.secrets.KEY`).
    """

    name: str
    services: Mapping[str, Service]
    networks: Mapping[str, Network] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    externals: Mapping[str, External] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    secret_aliases: Mapping[str, str] = field(default_factory=dict)
    suites: tuple[Suite, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    secret_rules: Mapping[str, SecretRule] = field(default_factory=dict)
    secret_stores: Mapping[str, SecretStore] = field(default_factory=dict)
    endpoints: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    allowed: tuple[str, ...] = ()
    places: Mapping[str, Where] = field(default_factory=dict, compare=False)
    where: Where = field(default_factory=Where, compare=False)

    def __post_init__(self) -> None:
        """Hold the references: what a service names must exist, and dependencies must not turn in a circle."""
        for service in self.services.values():
            self._check_references(service)
        self._check_order()

    def _check_references(self, service: Service) -> None:
        for link in service.networks:
            if link.network not in self.networks:
                raise TopologyError(
                    f"service {service.name!r} joins network {link.network!r}, which is not declared; "
                    f"declared are {sorted(self.networks)}",
                    service.where,
                )
        for mount in service.mounts:
            if mount.kind == "volume" and mount.source is not None and mount.source not in self.volumes:
                raise TopologyError(
                    f"service {service.name!r} mounts volume {mount.source!r}, which is not declared; "
                    f"declared are {sorted(self.volumes)}",
                    service.where,
                )
        for dependency in service.depends_on:
            if dependency.required and dependency.service not in self.services:
                raise TopologyError(
                    f"service {service.name!r} depends on {dependency.service!r}, which is not a service; "
                    f"services are {sorted(self.services)}",
                    service.where,
                )
        for other in service.shares_with:
            if other not in self.services or other == service.name:
                raise TopologyError(
                    f"service {service.name!r} shares a namespace or mounts of {other!r}, which is no other service; "
                    f"services are {sorted(self.services)}",
                    service.where,
                )
        if service.image is None and service.build is None:
            raise TopologyError(f"service {service.name!r} has neither an image nor a build", service.where)

    def _check_order(self) -> None:
        edges = {
            name: [*service.shares_with, *(d.service for d in service.depends_on if d.service in self.services)]
            for name, service in self.services.items()
        }
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][::-1]  # graphlib names predecessors first
            raise TopologyError(
                f"dependencies turn in a circle: {' -> '.join(circle)}", self.services[circle[0]].where
            ) from error
