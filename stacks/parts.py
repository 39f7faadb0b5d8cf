"""The parts of a service: ports, mounts, health check, limits, and the like, as frozen plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = [
    "EMPTY",
    "Build",
    "Condition",
    "Dependency",
    "Device",
    "DeviceRequest",
    "FileMount",
    "HealthCheck",
    "Logging",
    "Managed",
    "Mount",
    "NetworkLink",
    "OnAws",
    "Port",
    "Resources",
    "Restart",
    "Ulimit",
]

Condition = Literal["started", "healthy", "completed"]

EMPTY: Mapping[str, str] = MappingProxyType({})
"""The mapping that nothing can be put into."""


@dataclass(frozen=True, slots=True)
class Port:
    """A container port, and the host port that production publishes it on (None: chosen by the engine)."""

    target: int
    published: str | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    host_ip: str | None = None


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A Compose health check. `test` begins with CMD, CMD-SHELL or NONE; durations are seconds; None: the image's."""

    test: tuple[str, ...] | None = None
    interval: float | None = None
    timeout: float | None = None
    start_period: float | None = None
    retries: int | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """`service` has to be in `condition` before the dependent starts; one that is not required may be missing."""

    service: str
    condition: Condition = "started"
    required: bool = True


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume (source None: anonymous), a bind of a path relative to the project's folder, or a tmpfs.

    An absolute `source` of a bind is a path of the host, which is in a topology only where it was allowed by name.
    `options` are those that Docker takes for the kind, sorted, as texts: `nocopy`, `subpath` of a volume; `size`
    (bytes), `mode` (octal) of a tmpfs; `propagation` and `selinux` (`z`, `Z`) of a bind.
    """

    kind: Literal["volume", "bind", "tmpfs"]
    target: str
    source: str | None = None
    read_only: bool = False
    options: tuple[tuple[str, str], ...] = ()

    @property
    def from_tree(self) -> str | None:
        """The path in the commit's tree that is bound; None where it is another mount, or a path of the host."""
        bound = self.kind == "bind" and self.source is not None and not self.source.startswith("/")
        return self.source if bound else None


@dataclass(frozen=True, slots=True)
class FileMount:
    """A config or a secret of Compose as one file in a container: from `source` (relative) or of this `content`.

    `name` is its key in the document; `mode` is octal permissions as a number; user and group are ids as texts.
    """

    kind: Literal["config", "secret"]
    name: str
    target: str
    source: str | None = None
    content: str | None = None
    mode: int | None = None
    uid: str | None = None
    gid: str | None = None


@dataclass(frozen=True, slots=True)
class Ulimit:
    """A limit of processes, as `setrlimit` takes it; -1 is unlimited."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host; in a topology only where it was allowed by name."""

    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Hardware of the host by what it can (`gpu`), not by path; only where it was allowed by name. `count` -1: all."""

    capabilities: tuple[str, ...] = ()
    driver: str | None = None
    count: int | None = None
    ids: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class Logging:
    """Docker's log driver and its options."""

    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class NetworkLink:
    """Membership of a network, with the extra names under which the service answers there."""

    network: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """How an image is made: `context` is a folder relative to the project's, `dockerfile` relative to the context.

    `inline` is the text of a Dockerfile that stands in the document itself. `contexts` are further contexts by name
    (a folder relative to the project's, `docker-image://REF` or `service:NAME`), `secrets` the files that the build
    may read, by id, relative to the project's folder. `network` and `extra_hosts` are what the build's steps reach,
    `shm` is in bytes; `entitlements` and `ssh` are there only where they were allowed by name.
    """

    context: str
    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    inline: str | None = None
    contexts: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    secrets: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    platforms: tuple[str, ...] = ()
    network: str | None = None
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm: int | None = None
    ulimits: tuple[Ulimit, ...] = ()
    entitlements: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits of one container: processors, bytes of memory, number of processes. None: unlimited.

    `memory_swap` is memory and swap together in bytes (-1: no limit), `cpu_shares` a weight, `cpuset` the
    processors by number (`0-2,4`), `shm` the size of /dev/shm in bytes.
    """

    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    cpu_shares: int | None = None
    cpuset: str | None = None
    shm: int | None = None


@dataclass(frozen=True, slots=True)
class Managed:
    """What a service is in production where a cloud runs it: RDS, ElastiCache, SQS or S3.

    `name` is its name there (a bucket's, a queue's, an instance's identifier); `engine` and `version` are of RDS and
    ElastiCache, as the cloud says them (`aurora-postgresql`, `8.0.mysql_aurora.3.05.2`). `password` is the name of
    the topology's secret that holds the password of `user`, where that is known. `options` are its own settings that
    a program may notice, as texts (`fifo` and `visibility_timeout` of a queue, `versioning` of a bucket, and `notify`,
    JSON: a list of `queue`, a name, `events` and perhaps `prefix` and `suffix`: who hears of which objects). The host
    names that production calls it by are aliases on the service's networks, its ports the service's `expose`.
    """

    service: Literal["rds", "elasticache", "sqs", "s3"]
    name: str
    engine: str | None = None
    version: str | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class OnAws:
    """What a database or a cache is in a clone on AWS, where it is no container.

    `form` is `shared`: on the platform's instance, or of a database an empty `instance` of RDS, one from a `snapshot`,
    or an `aurora-clone` of a cluster. `source` is the snapshot's or the cluster's identifier; without it the newest
    automated snapshot of production's instance, or production's cluster. `instance_class` and `storage` (GB, of an
    empty instance) are production's where they are not said.
    """

    form: Literal["shared", "instance", "snapshot", "aurora-clone"]
    source: str | None = None
    instance_class: str | None = None
    storage: int | None = None

    @property
    def shared(self) -> bool:
        """Whether it is on an instance that outlives the environment; else it is one of the environment's own."""
        return self.form == "shared"


@dataclass(frozen=True, slots=True)
class Restart:
    """Docker's restart policy; `max_attempts` counts for on-failure only."""

    policy: Literal["no", "always", "on-failure", "unless-stopped"] = "no"
    max_attempts: int | None = None
