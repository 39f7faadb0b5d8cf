"""One container as Docker's API describes it: what is the service's own in it, without what its image brought."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.identity import RESERVED_LABELS
from understudy.stacks.topology import (
    HealthCheck,
    Logging,
    Port,
    Resources,
    Restart,
    Service,
    Ulimit,
)

from .docker_mounts import mounts, secret_files

__all__ = ["Seen", "image_reference", "service_of"]

Json = Mapping[str, Any]

_SHM = 64 * 1024 * 1024
"""Bytes of /dev/shm that Docker gives a container which asks for none (docker run, --shm-size)."""

_SECOND = 1e9
_CPU_PERIOD = 100_000

_NOT_MODELLED: Mapping[str, tuple[str, tuple[object, ...]]] = {
    "BlkioWeight": ("blkio_config", (0,)),
    "CgroupParent": ("cgroup_parent", ("",)),
    "CpuRealtimePeriod": ("cpu_rt_period", (0,)),
    "CpuRealtimeRuntime": ("cpu_rt_runtime", (0,)),
    "CpusetMems": ("cpuset_mems", ("",)),
    "DeviceCgroupRules": ("device_cgroup_rules", (None, [])),
    "DeviceRequests": ("gpus", (None, [])),
    "Isolation": ("isolation", ("", "default")),
    "Links": ("links", (None, [])),
    "MemorySwappiness": ("mem_swappiness", (None, -1)),
    "OomKillDisable": ("oom_kill_disable", (None, False)),
    "OomScoreAdj": ("oom_score_adj", (0,)),
    "StorageOpt": ("storage_opt", (None, {})),
    "UTSMode": ("uts", ("",)),
    "UsernsMode": ("userns_mode", ("",)),
    "VolumesFrom": ("volumes_from", (None, [])),
}
"""Properties of HostConfig that a topology has no place for: Compose's key, and the values that say nothing."""


@dataclass(slots=True)
class Seen:
    """What the reading of a host carries along: what is known of the daemon, and what is left out.

    `service_of_id` names the service of each container by its id; `default_*` are what a container has that asks
    for nothing.
    """

    default_runtime: str = "runc"
    default_log_driver: str = "json-file"
    service_of_id: Mapping[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def leave_out(self, path: str, value: object, reason: str) -> None:
        """Put on the record what production has and the topology has not: where, what, and why not."""
        change = Change(path, str(value), None, reason, Fidelity.MISSING)
        if change not in self.changes:
            self.changes.append(change)


def image_reference(configured: str, image: Json) -> str:
    """The image by its digest: `postgres:15@sha256:...` where a registry gave it one, else its id.

    Args:
        configured: what the container was started with.
        image: the image as the daemon has it.
    """
    name = configured.partition("@")[0]
    repository = name if ":" not in name.rpartition("/")[2] else name.rpartition(":")[0]
    digests = [str(digest) for digest in image.get("RepoDigests") or ()]
    for digest in digests:
        if digest.partition("@")[0] == repository:
            return f"{name}@{digest.partition('@')[2]}"
    return digests[0] if digests else str(image["Id"])


def service_of(name: str, container: Json, image: Json, folder: str, seen: Seen) -> Service:
    """The service that the container is one of, without its networks, dependencies, kind and count.

    Args:
        name: of the service.
        container: as `GET /containers/{id}/json` gives it.
        image: as `GET /images/{id}/json` gives it.
        folder: the absolute folder that binds are relative to; "": there is none.
        seen: what is known of the daemon; takes up what is left out.
    """
    config, host, own = container["Config"], container["HostConfig"], image.get("Config") or {}
    path = f"services.{name}"
    for key, (word, nothing) in _NOT_MODELLED.items():
        if host.get(key, nothing[0]) not in nothing:
            seen.leave_out(f"{path}.{word}", host[key], "a topology has no place for it")
    entrypoint = _changed(config.get("Entrypoint"), own.get("Entrypoint"))
    command = _vector(config.get("Cmd")) if entrypoint else _changed(config.get("Cmd"), own.get("Cmd"))
    init = host.get("Init")
    return Service(
        name=name,
        image=image_reference(str(config["Image"]), image),
        command=command,
        entrypoint=entrypoint,
        environment=_environment(config, own),
        ports=tuple(_published(host, config, path, seen)),
        expose=tuple(_exposed(host, config, own, path, seen)),
        mounts=mounts(container, own, folder, path, seen.leave_out),
        files=secret_files(container),
        hostname=_hostname(container),
        healthcheck=_healthcheck(config.get("Healthcheck"), own.get("Healthcheck") or {}),
        resources=_resources(host),
        restart=_restart(host.get("RestartPolicy") or {}),
        labels=_labels(config, own),
        user=_other(config.get("User"), own.get("User")),
        working_dir=_other(config.get("WorkingDir"), own.get("WorkingDir")),
        init=init if isinstance(init, bool) else None,
        stop_signal=_other(config.get("StopSignal"), own.get("StopSignal")),
        stop_grace_period=None if config.get("StopTimeout") is None else float(config["StopTimeout"]),
        read_only=bool(host.get("ReadonlyRootfs")),
        domainname=config.get("Domainname") or None,
        runtime=_other(host.get("Runtime"), seen.default_runtime),
        tty=bool(config.get("Tty")),
        stdin_open=bool(config.get("OpenStdin")),
        logging=_logging(host.get("LogConfig") or {}, seen),
        network_of=_shared(host.get("NetworkMode"), f"{path}.network_mode", seen),
        ipc=_namespace(host.get("IpcMode"), ("", "private"), f"{path}.ipc", seen),
        pid=_namespace(host.get("PidMode"), ("",), f"{path}.pid", seen),
        **_rights(host, path, seen),
    )


def _rights(host: Json, path: str, seen: Seen) -> dict[str, Any]:
    """What the container may do, and how it finds others."""
    if host.get("Privileged"):
        seen.leave_out(f"{path}.privileged", "true", "a clone must not have the host's rights")
    for device in host.get("Devices") or ():
        seen.leave_out(f"{path}.devices", device["PathOnHost"], "it is a device of one host")
    return {
        "cap_add": _capabilities(host.get("CapAdd")),
        "cap_drop": _capabilities(host.get("CapDrop")),
        "security_opt": _texts(host.get("SecurityOpt")),
        "sysctls": {str(key): str(value) for key, value in (host.get("Sysctls") or {}).items()},
        "ulimits": tuple(Ulimit(u["Name"], u["Soft"], u["Hard"]) for u in host.get("Ulimits") or ()),
        "group_add": _texts(host.get("GroupAdd")),
        "extra_hosts": tuple(_host_pair(entry) for entry in host.get("ExtraHosts") or ()),
        "dns": _texts(host.get("Dns")),
        "dns_search": _texts(host.get("DnsSearch")),
        "dns_opt": _texts(host.get("DnsOptions")),
    }


def _texts(found: list[str] | None) -> tuple[str, ...]:
    return tuple(str(text) for text in found or ())


def _vector(found: list[str] | str | None) -> tuple[str, ...] | None:
    if not found:
        return None
    return (found,) if isinstance(found, str) else tuple(found)


def _changed(found: list[str] | str | None, of_image: list[str] | str | None) -> tuple[str, ...] | None:
    """An argument vector that is not the image's; one that was emptied is empty."""
    ours, theirs = _vector(found), _vector(of_image)
    if ours == theirs:
        return None
    return () if ours in (None, ("",)) else ours


def _other(found: str | None, of_image: str | None) -> str | None:
    return found if found and found != of_image else None


def _pairs(entries: list[str] | None) -> dict[str, str]:
    return {key: value for key, mark, value in (entry.partition("=") for entry in entries or ()) if mark}


def _environment(config: Json, own: Json) -> dict[str, str]:
    of_image = _pairs(own.get("Env"))
    return {key: value for key, value in _pairs(config.get("Env")).items() if of_image.get(key) != value}


def _labels(config: Json, own: Json) -> dict[str, str]:
    of_image = own.get("Labels") or {}
    return {
        key: value
        for key, value in (config.get("Labels") or {}).items()
        if of_image.get(key) != value and not key.startswith(RESERVED_LABELS)
    }


def _port(key: str, path: str, seen: Seen) -> Port | None:
    number, _, protocol = key.partition("/")
    if protocol not in {"", "tcp", "udp"}:
        seen.leave_out(path, key, "it is a port of neither TCP nor UDP")
        return None
    return Port(int(number), protocol=cast(Literal["tcp", "udp"], protocol or "tcp"))


def _published(host: Json, config: Json, path: str, seen: Seen) -> Iterator[Port]:
    bindings = dict(host.get("PortBindings") or {})
    if host.get("PublishAllPorts"):
        bindings = {**dict.fromkeys(config.get("ExposedPorts") or {}), **bindings}
    for key, bound in sorted(bindings.items()):
        port = _port(key, f"{path}.ports", seen)
        places: list[Json] = bound or [{}]
        for place in places:
            published = place.get("HostPort") or "0"
            if port is not None:
                yield replace(
                    port, published=None if published == "0" else published, host_ip=place.get("HostIp") or None
                )


def _exposed(host: Json, config: Json, own: Json, path: str, seen: Seen) -> Iterator[Port]:
    """The ports that the container exposes and neither its image exposes nor the host publishes.

    Compose writes a port of `expose` also without its protocol: that makes it the service's own in any case.
    """
    of_image = set(own.get("ExposedPorts") or {}) | set(host.get("PortBindings") or {})
    found = dict.fromkeys(
        _port(key, f"{path}.expose", seen) for key in sorted(config.get("ExposedPorts") or {}) if key not in of_image
    )
    published = {(int(key.partition("/")[0]), key.partition("/")[2]) for key in host.get("PortBindings") or {}}
    return (port for port in found if port is not None and (port.target, port.protocol) not in published)


def _hostname(container: Json) -> str | None:
    """The name that was asked for: not the container's id, nor the name of whose network it shares."""
    if str(container["HostConfig"].get("NetworkMode") or "").startswith(("container:", "host")):
        return None
    name = container["Config"].get("Hostname") or ""
    return name if name and not container["Id"].startswith(name) else None


def _healthcheck(found: Json | None, of_image: Json) -> HealthCheck | None:
    """The fields that differ from the image's; Docker fills in the image's for those that a service leaves out."""
    if not found or found == of_image:
        return None
    if found.get("Test") == ["NONE"]:
        return HealthCheck(("NONE",))

    def own(key: str, convert: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - a field of any type
        value = found.get(key)
        return convert(value) if value and value != of_image.get(key) else None

    def seconds(value: int) -> float:
        return value / _SECOND

    return HealthCheck(
        own("Test", tuple),
        own("Interval", seconds),
        own("Timeout", seconds),
        own("StartPeriod", seconds),
        own("Retries", int),
    )


def _resources(host: Json) -> Resources:
    memory, swap, quota = host.get("Memory") or 0, host.get("MemorySwap") or 0, host.get("CpuQuota") or 0
    cpus = (host.get("NanoCpus") or 0) / 1e9 or (quota / (host.get("CpuPeriod") or _CPU_PERIOD) if quota > 0 else 0)
    pids, shm = host.get("PidsLimit") or 0, host.get("ShmSize") or 0
    return Resources(
        cpus=cpus or None,
        memory=memory or None,
        pids=pids if pids > 0 else None,
        memory_reservation=host.get("MemoryReservation") or None,
        memory_swap=swap if swap not in {0, 2 * memory} else None,  # Docker makes it twice the memory
        cpu_shares=host.get("CpuShares") or None,
        cpuset=host.get("CpusetCpus") or None,
        shm=shm if shm not in {0, _SHM} else None,
    )


def _restart(policy: Json) -> Restart:
    name = cast(Literal["no", "always", "on-failure", "unless-stopped"], policy.get("Name") or "no")
    return Restart(name, policy.get("MaximumRetryCount") or None if name == "on-failure" else None)


def _logging(found: Json, seen: Seen) -> Logging | None:
    driver, options = found.get("Type") or None, dict(found.get("Config") or {})
    if driver == seen.default_log_driver:
        driver = None
    return Logging(driver, options) if driver or options else None


def _capabilities(found: list[str] | None) -> tuple[str, ...]:
    """Their names without the prefix, which some versions of Docker add."""
    return tuple(name.removeprefix("CAP_") for name in found or ())


def _host_pair(entry: str) -> tuple[str, str]:
    host, _, address = entry.partition(":")
    return host, address


def _namespace(mode: str | None, nothing: tuple[str, ...], path: str, seen: Seen) -> str | None:
    if not mode or mode in nothing:
        return None
    if mode == "host":
        seen.leave_out(path, mode, "a clone must not see the host's")
        return None
    if mode.startswith("container:"):
        other = seen.service_of_id.get(mode.partition(":")[2])
        if other is None:
            seen.leave_out(path, mode, "it is a container that is not read")
            return None
        return f"service:{other}"
    return mode


def _shared(mode: str | None, path: str, seen: Seen) -> str | None:
    """The service whose network this one shares."""
    if mode == "host":
        seen.leave_out(path, mode, "a clone has networks of its own")
    if not mode or not mode.startswith("container:"):
        return None
    return (_namespace(mode, (), path, seen) or "").removeprefix("service:") or None
