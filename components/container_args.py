"""From a service of the topology to the arguments of its Docker containers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from understudy.components.container_mounts import mounts, tmpfs, uploads, volumes
from understudy.components.labels import container_labels
from understudy.components.secrets import fill
from understudy.components.service_args import ServiceArgs
from understudy.stacks.identity import LABEL
from understudy.stacks.secret_rules import Seed
from understudy.stacks.topology import DeviceRequest, HealthCheck, Service

__all__ = ["container_args", "go_duration", "label_args"]

_MEBIBYTE = 1024 * 1024


def container_args(args: ServiceArgs, container: str, replica: int) -> docker.ContainerArgs:
    """The arguments of one container of a service; how it waits and ends is the business of its kind.

    Raises:
        UsageError: a bind leaves the tree, or Docker cannot bind it.
    """
    service, resources = args.service, args.service.resources
    return docker.ContainerArgs(
        name=container,
        image=args.image,
        command=_fill_all(service.command, args.seed),
        # An empty vector drops the image's entrypoint; Docker's API takes one empty string for that, not an empty list.
        entrypoints=_fill_all([""] if service.entrypoint == () else service.entrypoint, args.seed),
        envs=[fill(f"{key}={value}", args.seed) for key, value in sorted(service.environment.items())],
        hostname=service.hostname,
        domainname=service.domainname,
        networks_advanced=_networks(args),
        network_mode=_network_mode(args, replica),
        volumes=volumes(args, replica),
        mounts=mounts(args),
        tmpfs=tmpfs(args),
        uploads=uploads(args),
        healthcheck=_healthcheck(service.healthcheck, args.seed),
        labels=_labels(args, replica),
        restart=service.restart.policy,
        max_retry_count=service.restart.max_attempts if service.restart.policy == "on-failure" else None,
        memory=_mebibytes(resources.memory),
        memory_reservation=_mebibytes(resources.memory_reservation),
        memory_swap=_mebibytes(resources.memory_swap),
        cpus=None if resources.cpus is None else f"{resources.cpus:g}",
        cpu_shares=resources.cpu_shares,
        cpu_set=resources.cpuset,
        shm_size=_mebibytes(resources.shm),
        user=service.user,
        working_dir=service.working_dir,
        init=service.init,
        stop_signal=service.stop_signal,
        stop_timeout=None if service.stop_grace_period is None else math.ceil(service.stop_grace_period),
        read_only=service.read_only or None,
        platform=service.platform,
        runtime=service.runtime,
        tty=service.tty or None,
        stdin_open=service.stdin_open or None,
        **_confinement(args, replica),
        **_names(service),
        remove_volumes=True,
    )


def label_args(labels: Mapping[str, pulumi.Input[str]]) -> list[docker.ContainerLabelArgs]:
    """Labels in the schema's form, sorted."""
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())]


def go_duration(seconds: float) -> str:
    """Seconds as Go writes a duration: whole seconds as `30s`, others in milliseconds, as `1500ms`."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _mebibytes(size: int | None) -> int | None:
    """Bytes as the schema's megabytes, rounded up; -1 stays."""
    return None if size is None else size if size < 0 else math.ceil(size / _MEBIBYTE)


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
    udp = [str(port.target) for port in service.container_ports if port.protocol == "udp"]
    if udp:  # the schema's ports are published ones; the embedded provider exposes these
        labels[LABEL + "udp"] = ",".join(udp)
    if service.resources.pids is not None:  # the schema has no such property; the embedded provider reads it here
        labels[LABEL + "pids"] = str(service.resources.pids)
    if service.uts is not None:  # likewise
        labels[LABEL + "uts"] = service.uts
    if service.privileged:  # the embedded provider makes such a container only where somebody asked for it by name
        labels[LABEL + "allow"] = "privileged"
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


def _network_mode(args: ServiceArgs, replica: int) -> str | None:
    service = args.service
    if service.network_of is not None:
        return f"container:{args.shared(service.network_of, replica)}"
    if service.host_network:
        return "host"
    return None if service.networks else "none"  # else Docker joins its default bridge, a way out


def _space(args: ServiceArgs, space: str | None, replica: int) -> str | None:
    """A namespace: Docker's word for it, or the container of the service that it is shared with."""
    if space is None or not space.startswith("service:"):
        return space
    return f"container:{args.shared(space.removeprefix('service:'), replica)}"


def _confinement(args: ServiceArgs, replica: int) -> dict[str, Any]:
    """What the container may do to the host, and what it sees of it."""
    service = args.service
    capabilities = docker.ContainerCapabilitiesArgs(
        adds=list(service.cap_add) or None, drops=list(service.cap_drop) or None
    )
    return {
        "capabilities": capabilities if service.cap_add or service.cap_drop else None,
        "security_opts": list(service.security_opt) or None,
        "privileged": service.privileged or None,
        "ipc_mode": _space(args, service.ipc, replica),
        "pid_mode": _space(args, service.pid, replica),
        "cgroupns_mode": service.cgroup,
        "userns_mode": service.userns,
        "group_adds": list(service.group_add) or None,
        "sysctls": dict(service.sysctls) or None,
        "ulimits": [docker.ContainerUlimitArgs(name=x.name, soft=x.soft, hard=x.hard) for x in service.ulimits] or None,
        "devices": [
            docker.ContainerDeviceArgs(host_path=x.source, container_path=x.target, permissions=x.permissions)
            for x in service.devices
        ]
        or None,
        "device_requests": [_device_request(request) for request in service.device_requests] or None,
        "device_cgroup_rules": list(service.device_cgroup_rules) or None,
    }


def _device_request(request: DeviceRequest) -> docker.ContainerDeviceRequestArgs:
    return docker.ContainerDeviceRequestArgs(
        driver=request.driver,
        count=request.count,
        device_ids=list(request.ids) or None,
        capabilities=list(request.capabilities) or None,
        options=dict(request.options) or None,
    )


def _names(service: Service) -> dict[str, Any]:
    """How names are resolved, and where the log goes."""
    logging = service.logging
    return {
        "hosts": [docker.ContainerHostArgs(host=host, ip=address) for host, address in service.extra_hosts] or None,
        "dns": list(service.dns) or None,
        "dns_searches": list(service.dns_search) or None,
        "dns_opts": list(service.dns_opt) or None,
        "log_driver": None if logging is None else logging.driver,
        "log_opts": None if logging is None else dict(logging.options) or None,
    }


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
