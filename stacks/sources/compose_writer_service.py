"""One service of a topology in Compose's long form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields

from understudy.stacks.topology import (
    Build,
    Dependency,
    DeviceRequest,
    FileMount,
    HealthCheck,
    Managed,
    Mount,
    NetworkLink,
    OnAws,
    Port,
    Resources,
    Restart,
    Service,
    Ulimit,
)

from .compose_writer_extension import number
from .kinds import kind_of_image

__all__ = ["service_document"]

Document = dict[str, object]

_CONDITIONS: Mapping[str, str] = {
    "started": "service_started",
    "healthy": "service_healthy",
    "completed": "service_completed_successfully",
}
_AS_THEY_ARE = (
    "hostname domainname container_name user working_dir stop_signal platform runtime ipc pid read_only tty "
    "stdin_open privileged cap_add cap_drop security_opt sysctls group_add dns dns_search dns_opt labels cgroup uts "
    "device_cgroup_rules"
)
"""Fields that have Compose's own name and form; they are left out where they say nothing."""


def service_document(service: Service) -> Document:
    """The mapping of one service, with plain values: nothing is escaped for interpolation yet."""
    check, grace, logging = service.healthcheck, service.stop_grace_period, service.logging
    given = {
        "image": service.image,
        "build": None if service.build is None else _build(service.build),
        "entrypoint": None if service.entrypoint is None else list(service.entrypoint),
        "command": None if service.command is None else list(service.command),
        **_joined(service),
        **{key: _some(getattr(service, key)) for key in _AS_THEY_ARE.split()},
        "init": service.init,
        "stop_grace_period": None if grace is None else _seconds(grace),
        "healthcheck": None if check is None else _healthcheck(check),
        "restart": _restart(service.restart),
        "logging": None if logging is None else _present({"driver": logging.driver, "options": _some(logging.options)}),
        **_limits(service.resources),
        "deploy": _some(_deploy(service)),
        "x-understudy": _some(_extension(service)),
    }
    return _present(given)


def _joined(service: Service) -> Document:
    """What the service is joined to: environment, ports, mounts, files, networks, dependencies, devices and hosts."""
    alone = "none" if service.network_of is None else f"service:{service.network_of}"
    return {
        "userns_mode": service.userns,
        "volumes_from": _some([f"{name}:{mode}" for name, mode in service.volumes_from]),
        "environment": _some(service.environment),
        "ports": _some([_port(port) for port in service.ports]),
        "expose": _some([f"{p.target}" + ("/udp" if p.protocol == "udp" else "") for p in service.expose]),
        "volumes": _some([_mount(mount) for mount in service.mounts]),
        "configs": _some([_file(file) for file in service.files if file.kind == "config"]),
        "secrets": _some([_file(file) for file in service.files if file.kind == "secret"]),
        "networks": _some(_links(service)),
        "network_mode": None if service.networks else "host" if service.host_network else alone,
        "depends_on": _some({d.service: _dependency(d) for d in service.depends_on}),
        "ulimits": _some(_ulimits(service.ulimits)),
        "devices": _some([f"{d.source}:{d.target}:{d.permissions}" for d in service.devices]),
        "extra_hosts": _some([f"{host}={address}" for host, address in service.extra_hosts]),
    }


def _links(service: Service) -> Document:
    """The networks, with priorities where they are joined in another order than that of their names."""
    names = [link.network for link in service.networks]
    links = {link.network: _link(link) for link in service.networks}
    if names == sorted(names):
        return dict(links)
    return {name: {**(links[name] or {}), "priority": len(names) - place} for place, name in enumerate(names)}


def _present(given: Document) -> Document:
    return {key: value for key, value in given.items() if value is not None}


def _some(value: object) -> object:
    """The value as a list, mapping or scalar; None where it says nothing."""
    if isinstance(value, Mapping):
        return dict(value) or None
    if isinstance(value, tuple | list):
        return list(value) or None
    return None if value is False else value


def _ulimits(limits: tuple[Ulimit, ...]) -> Document:
    return {limit.name: {"soft": limit.soft, "hard": limit.hard} for limit in limits}


def _dependency(dependency: Dependency) -> Document:
    found: Document = {"condition": _CONDITIONS[dependency.condition]}
    return found if dependency.required else {**found, "required": False}


def _restart(restart: Restart) -> str | None:
    if restart.policy == "no":
        return None
    return restart.policy + ("" if restart.max_attempts is None else f":{restart.max_attempts}")


def _extension(service: Service) -> Document:
    return _present(
        {
            "kind": None if service.kind == kind_of_image(service.image) else service.kind,
            "managed": _part(service.managed),
            "on_aws": _part(service.on_aws),
        }
    )


def _part(part: Managed | OnAws | None) -> object:
    """The fields that are given, by the names of the keys that they are read from."""
    given = {item.name: _some(getattr(part, item.name)) for item in fields(part)} if part else {}
    return _some(_present(given))


def _seconds(seconds: float) -> str:
    """A duration as Go reads it."""
    return number(seconds) + "s"


def _build(build: Build) -> Document:
    return _present(
        {
            "context": build.context if build.context.startswith(".") else f"./{build.context}",
            "dockerfile": None if build.dockerfile == "Dockerfile" or build.inline is not None else build.dockerfile,
            "dockerfile_inline": build.inline,
            "target": build.target,
            "args": _some(build.args),
            "additional_contexts": _some(build.contexts),
            "secrets": _some([{"source": name} for name in build.secrets]),
            "labels": _some(build.labels),
            "platforms": _some(build.platforms),
            "network": build.network,
            "extra_hosts": _some([f"{host}={address}" for host, address in build.extra_hosts]),
            "shm_size": build.shm,
            "ulimits": _some(_ulimits(build.ulimits)),
            "entitlements": _some(build.entitlements),
            "ssh": _some(build.ssh),
        }
    )


def _port(port: Port) -> Document:
    found: Document = {"target": port.target}
    if port.published is not None:
        found["published"] = port.published
    if port.host_ip is not None:
        found["host_ip"] = port.host_ip
    return {**found, "protocol": port.protocol}


_OPTIONS: Mapping[str, Callable[[str], object]] = {
    "nocopy": lambda text: text == "true",
    "mode": lambda text: int(text, 8),
}
"""The options of a mount that are no texts in Compose."""


def _mount(mount: Mount) -> Document:
    found: Document = {"type": mount.kind, "target": mount.target}
    if mount.source is not None:
        bound = mount.kind == "bind" and not mount.source.startswith(("/", "."))
        found["source"] = f"./{mount.source}" if bound else mount.source
    if mount.read_only:
        found["read_only"] = True
    if mount.options:
        found[mount.kind] = {key: _OPTIONS.get(key, str)(value) for key, value in mount.options}
    return found


def _file(file: FileMount) -> Document:
    found: Document = {"source": file.name, "target": file.target}
    if file.uid is not None:
        found["uid"] = file.uid
    if file.gid is not None:
        found["gid"] = file.gid
    if file.mode is not None:
        found["mode"] = f"{file.mode:#o}".replace("0o", "0")
    return found


def _link(link: NetworkLink) -> Document | None:
    return {"aliases": list(link.aliases)} if link.aliases else None


def _healthcheck(check: HealthCheck) -> Document:
    if check.test == ("NONE",):
        return {"disable": True}
    found: Document = {} if check.test is None else {"test": list(check.test)}
    for key in ("interval", "timeout", "start_period"):
        value = getattr(check, key)
        if value is not None:
            found[key] = _seconds(value)
    if check.retries is not None:
        found["retries"] = check.retries
    return found


def _limits(resources: Resources) -> Document:
    """Those limits that stand on the service itself."""
    return {
        "mem_reservation": resources.memory_reservation,
        "memswap_limit": resources.memory_swap,
        "cpu_shares": resources.cpu_shares,
        "cpuset": resources.cpuset,
        "shm_size": resources.shm,
    }


def _deploy(service: Service) -> Document:
    found: Document = {"replicas": service.replicas} if service.replicas != 1 else {}
    resources = service.resources
    limits: Document = {}
    if resources.cpus is not None:
        limits["cpus"] = number(resources.cpus)
    if resources.memory is not None:
        limits["memory"] = str(resources.memory)
    if resources.pids is not None:
        limits["pids"] = resources.pids
    requests: Document = {"devices": [_request(request) for request in service.device_requests]}
    both = _present({"limits": _some(limits), "reservations": requests if service.device_requests else None})
    if both:
        found["resources"] = both
    return found


def _request(request: DeviceRequest) -> Document:
    return _present(
        {
            "capabilities": list(request.capabilities),
            "driver": request.driver,
            "count": "all" if request.count == -1 else request.count,
            "device_ids": _some(request.ids),
            "options": _some(request.options),
        }
    )
