"""From a service of the topology to the arguments of its Docker containers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from understudy.components.labels import container_labels
from understudy.components.secrets import fill
from understudy.components.tree import inside
from understudy.errors import UsageError
from understudy.stacks import identity
from understudy.stacks.identity import LABEL
from understudy.stacks.secret_rules import Seed
from understudy.stacks.topology import HealthCheck, Mount, Service

__all__ = ["ServiceArgs", "container_args", "go_duration", "label_args"]

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceArgs:
    """What the component of a service of any kind is given.

    Attributes:
        service: the service as the clone has it.
        environment: the environment that owns the containers.
        image: the image's id.
        containers: the names of the containers, one for each replica.
        networks: topology network -> name of the Docker network.
        volumes: topology volume -> name of the Docker volume.
        tree: absolute folder of the project at the commit.
        binds: source -> the path where its content lies; a source that is not named is taken from the tree.
        seed: the environment's seed of secrets, with their rules.
        ready_timeout: seconds that a container has to get ready.
        after: names of containers that have to be started before.
        wait_for: resources that have to be there, and ready or completed, before.
    """

    service: Service
    environment: identity.Environment
    image: pulumi.Input[str]
    containers: Sequence[str]
    networks: Mapping[str, pulumi.Input[str]]
    volumes: Mapping[str, pulumi.Input[str]]
    tree: str
    seed: Seed
    ready_timeout: int
    after: Sequence[str] = ()
    binds: Mapping[str, str] = field(default_factory=dict)
    wait_for: Sequence[pulumi.Resource] = ()


def container_args(args: ServiceArgs, container: str, replica: int) -> docker.ContainerArgs:
    """The arguments of one container of a service; how it waits and ends is the business of its kind.

    Raises:
        UsageError: a bind leaves the tree, or Docker cannot bind it.
    """
    service = args.service
    return docker.ContainerArgs(
        name=container,
        image=args.image,
        command=_fill_all(service.command, args.seed),
        # An empty vector drops the image's entrypoint; Docker's API takes one empty string for that, not an empty list.
        entrypoints=_fill_all([""] if service.entrypoint == () else service.entrypoint, args.seed),
        envs=[fill(f"{key}={value}", args.seed) for key, value in sorted(service.environment.items())],
        hostname=service.hostname,
        networks_advanced=_networks(args),
        network_mode=None if service.networks else "none",  # else Docker joins its default bridge, a way out
        volumes=[volume for mount in service.mounts if (volume := _volume(args, mount)) is not None],
        tmpfs={m.target: "ro" if m.read_only else "" for m in service.mounts if m.kind == "tmpfs"} or None,
        healthcheck=_healthcheck(service.healthcheck, args.seed),
        labels=_labels(args, replica),
        restart=service.restart.policy,
        max_retry_count=service.restart.max_attempts if service.restart.policy == "on-failure" else None,
        memory=None if service.resources.memory is None else math.ceil(service.resources.memory / _MEBIBYTE),
        cpus=None if service.resources.cpus is None else f"{service.resources.cpus:g}",
        user=service.user,
        working_dir=service.working_dir,
        init=service.init,
        stop_signal=service.stop_signal,
        stop_timeout=None if service.stop_grace_period is None else math.ceil(service.stop_grace_period),
        read_only=service.read_only or None,
        remove_volumes=True,
    )


def label_args(labels: Mapping[str, pulumi.Input[str]]) -> list[docker.ContainerLabelArgs]:
    """Labels in the schema's form, sorted."""
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())]


def go_duration(seconds: float) -> str:
    """Seconds as Go writes a duration: whole seconds as `30s`, others in milliseconds, as `1500ms`."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _fill_all(texts: Sequence[str] | None, seed: Seed) -> list[pulumi.Input[str]] | None:
    return None if texts is None else [fill(text, seed) for text in texts]


def _labels(args: ServiceArgs, replica: int) -> list[docker.ContainerLabelArgs]:
    service = args.service
    ports = tuple(p.target for p in service.container_ports if p.protocol == "tcp") if service.kind != "job" else ()
    labels = container_labels(
        args.environment,
        service.name if replica == 1 else f"{service.name}.{replica}",
        kind=service.kind,
        ports=ports,
        after=tuple(args.after),
        production=service.labels,
    )
    if service.resources.pids is not None:  # the schema has no such property; the embedded provider reads it here
        labels[LABEL + "pids"] = str(service.resources.pids)
    return label_args(labels)


def _networks(args: ServiceArgs) -> list[docker.ContainerNetworksAdvancedArgs] | None:
    service = args.service
    hostname = () if service.hostname is None else (service.hostname,)
    return [
        docker.ContainerNetworksAdvancedArgs(
            name=args.networks[link.network],
            aliases=list(dict.fromkeys((service.name, *link.aliases, *hostname))),
        )
        for link in service.networks
    ] or None


def _volume(args: ServiceArgs, mount: Mount) -> docker.ContainerVolumeArgs | None:
    read_only = mount.read_only or None
    if mount.kind == "tmpfs":
        return None
    if mount.source is None:
        return docker.ContainerVolumeArgs(container_path=mount.target, read_only=read_only)
    if mount.kind == "bind":
        path = _bind(args, mount.source)
        return docker.ContainerVolumeArgs(container_path=mount.target, host_path=path, read_only=read_only)
    return docker.ContainerVolumeArgs(
        container_path=mount.target, volume_name=args.volumes[mount.source], read_only=read_only
    )


def _bind(args: ServiceArgs, source: str) -> str:
    what = f"A bind of service {args.service.name!r}"
    path = args.binds.get(source) or str(inside(args.tree, source, what))
    if ":" in path:  # Docker's API separates the parts of a bind by it
        raise UsageError(f"{what} is {source!r}, and Docker binds no path with a colon.", hint="Rename the folder.")
    return path


def _healthcheck(check: HealthCheck | None, seed: Seed) -> docker.ContainerHealthcheckArgs | None:
    if check is None:
        return None
    if check.test is not None and check.test[:1] == ("NONE",):
        return docker.ContainerHealthcheckArgs(tests=["NONE"])
    return docker.ContainerHealthcheckArgs(
        tests=_fill_all(check.test, seed),
        interval=None if check.interval is None else go_duration(check.interval),
        timeout=None if check.timeout is None else go_duration(check.timeout),
        start_period=None if check.start_period is None else go_duration(check.start_period),
        retries=check.retries,
    )
