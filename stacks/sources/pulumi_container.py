"""One container of pulumi_docker: what its properties say of the service, each secret of the stack left sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from understudy.stacks.topology import (
    FileMount,
    HealthCheck,
    Logging,
    Mount,
    Port,
    Resources,
    Restart,
    Service,
    Ulimit,
)

from .docker_mounts import below
from .pulumi_found import Found
from .pulumi_resources import SECRET, Resource, State
from .pulumi_shared import VOLUME, label_pairs, logical
from .values import duration

__all__ = ["service_of"]

_MEBIBYTE = 1024 * 1024
_SHM = 64
"""Mebibytes of /dev/shm that Docker gives a container which asks for none."""

_DEFAULTS: Mapping[str, tuple[object, ...]] = {
    "ipcMode": ("", "private"),
    "pidMode": ("",),
    "privileged": (False,),
    "publishAllPorts": (False,),
    "usernsMode": ("",),
    "cgroupnsMode": ("",),
}
_KEYS = (
    "image command entrypoints envs ports volumes mounts tmpfs hostname domainname healthcheck restart maxRetryCount "
    "labels user workingDir init stopSignal stopTimeout readOnly tty stdinOpen capabilities securityOpts "
    "sysctls ulimits groupAdds hosts dns dnsSearches dnsOpts logDriver logOpts runtime memory memorySwap "
    "memoryReservation cpus cpuShares cpuSet shmSize uploads networksAdvanced networkMode name"
)
_PROVIDERS_KEYS = (
    "attach logs mustRun wait waitTimeout rm start removeVolumes destroyGraceSeconds "
    "containerReadRefreshTimeoutMilliseconds __defaults"
)
"""Properties that say how the provider goes about it, and nothing of the container."""

_KNOWN = frozenset((*_KEYS.split(), *_PROVIDERS_KEYS.split()))


def service_of(name: str, resource: Resource, state: State, found: Found) -> Service:
    """The service, without its image, kind, networks, dependencies and count."""
    given, path = resource.inputs, f"services.{name}"
    for key, value in given.items():
        if key not in _KNOWN and value not in _DEFAULTS.get(key, ()):
            found.leave_out(f"{path}.{key}", value, "a topology has no place for it, or no clone may have it")
    capabilities = _map(given, "capabilities")
    grace = given.get("stopTimeout")
    return Service(
        name=name,
        command=_vector(given, "command", path, found),
        entrypoint=_vector(given, "entrypoints", path, found),
        environment=_environment(resource, name, found),
        ports=tuple(_ports(_list(given, "ports"))),
        mounts=tuple(_mounts(given, path, state, found)),
        files=tuple(_files(given, name, found)),
        hostname=_text(given, "hostname"),
        domainname=_text(given, "domainname"),
        healthcheck=_healthcheck(given.get("healthcheck"), path, found),
        restart=_restart(given),
        resources=_resources(given),
        labels=label_pairs(resource, path, found),
        user=_text(given, "user"),
        working_dir=_text(given, "workingDir"),
        init=given["init"] if isinstance(given.get("init"), bool) else None,
        stop_signal=_text(given, "stopSignal"),
        stop_grace_period=None if not isinstance(grace, int | float) else float(grace),
        read_only=given.get("readOnly") is True,
        tty=given.get("tty") is True,
        stdin_open=given.get("stdinOpen") is True,
        cap_add=tuple(str(entry).removeprefix("CAP_") for entry in _list(capabilities, "adds")),
        cap_drop=tuple(str(entry).removeprefix("CAP_") for entry in _list(capabilities, "drops")),
        security_opt=tuple(map(str, _list(given, "securityOpts"))),
        sysctls={str(key): str(value) for key, value in _map(given, "sysctls").items()},
        ulimits=tuple(Ulimit(str(u["name"]), int(u["soft"]), int(u["hard"])) for u in _list(given, "ulimits")),
        group_add=tuple(map(str, _list(given, "groupAdds"))),
        extra_hosts=tuple((str(entry["host"]), str(entry["ip"])) for entry in _list(given, "hosts")),
        dns=tuple(map(str, _list(given, "dns"))),
        dns_search=tuple(map(str, _list(given, "dnsSearches"))),
        dns_opt=tuple(map(str, _list(given, "dnsOpts"))),
        logging=_logging(given),
        runtime=_text(given, "runtime"),
        where=found.where(path),
    )


def _list(given: Mapping[str, Any], key: str) -> list[Any]:
    value = given.get(key)
    return value if isinstance(value, list) else []


def _map(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = given.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    return value if isinstance(value, str) and value else None


def _vector(given: Mapping[str, Any], key: str, path: str, found: Found) -> tuple[str, ...] | None:
    value = given.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or SECRET in value:
        word = "entrypoint" if key == "entrypoints" else key
        found.leave_out(f"{path}.{word}", SECRET, "it is a secret of the stack, which is not decrypted")
        return None
    return () if value == [""] else tuple(map(str, value))


def _environment(resource: Resource, name: str, found: Found) -> dict[str, str]:
    """`KEY=VALUE` each. Pulumi hides the whole list where one is a secret, unless the provider keeps them apart."""
    given = resource.inputs.get("envs")
    if given is SECRET:
        reason = "the stack keeps it as one secret, which is not decrypted: say it in a Compose file"
        found.leave_out(f"services.{name}.environment", SECRET, reason)
        return {}
    environment: dict[str, str] = {}
    for index, entry in enumerate(given if isinstance(given, list) else ()):
        if not isinstance(entry, str):
            reason = "it is a secret of the stack, which is not decrypted"
            found.leave_out(f"services.{name}.environment[{index}]", SECRET, reason)
            continue
        key, mark, value = entry.partition("=")
        if mark:
            environment[key] = value
    return environment


def _ports(given: list[Any]) -> Iterator[Port]:
    for entry in given:
        external = entry.get("external")
        yield Port(
            int(entry["internal"]),
            str(int(external)) if external else None,
            "udp" if entry.get("protocol") == "udp" else "tcp",
            _text(entry, "ip"),
        )


def _mounts(given: Mapping[str, Any], path: str, state: State, found: Found) -> Iterator[Mount]:
    for entry in _list(given, "volumes"):
        target, read_only = str(entry.get("containerPath")), entry.get("readOnly") is True
        if host := _text(entry, "hostPath"):
            yield from _bind(host, target, path, state, found, read_only=read_only)
        else:
            volume = _text(entry, "volumeName")
            yield Mount("volume", target, volume and logical(VOLUME, volume, state), read_only)
    for entry in _list(given, "mounts"):
        kind, target, read_only = entry.get("type"), str(entry.get("target")), entry.get("readOnly") is True
        source = _text(entry, "source")
        if kind == "bind" and source:
            yield from _bind(source, target, path, state, found, read_only=read_only)
        elif kind == "tmpfs":
            options = _map(entry, "tmpfsOptions")
            named = {"size": options.get("sizeBytes"), "mode": options.get("mode")}
            texts = tuple(
                (key, f"{int(value):o}" if key == "mode" else str(value)) for key, value in named.items() if value
            )
            yield Mount("tmpfs", target, None, read_only, tuple(sorted(texts)))
        else:
            no_copy = _map(entry, "volumeOptions").get("noCopy") is True
            named_volume = source and logical(VOLUME, source, state)
            yield Mount("volume", target, named_volume, read_only, (("nocopy", "true"),) if no_copy else ())
    for target, options in _map(given, "tmpfs").items():
        if options not in {"", "rw", "ro"}:
            found.leave_out(f"{path}.tmpfs", f"{target}:{options}", "the options of a tmpfs are left out")
        yield Mount("tmpfs", str(target), None, options == "ro")


def _bind(source: str, target: str, path: str, state: State, found: Found, *, read_only: bool) -> Iterator[Mount]:
    relative = below(source, state.folder)
    if relative is None:
        found.leave_out(f"{path}.volumes", f"{source}:{target}", "it is a path of one host")
    else:
        yield Mount("bind", target, relative, read_only)


def _files(given: Mapping[str, Any], name: str, found: Found) -> Iterator[FileMount]:
    """What the program puts into the container, as configs with their content."""
    for index, entry in enumerate(_list(given, "uploads")):
        target, content = str(entry.get("file")), entry.get("content")
        if not isinstance(content, str) or not content:
            found.leave_out(f"services.{name}.configs", target, "the stack does not show the file's content as text")
            continue
        permissions = _text(entry, "permissions") or ("0744" if entry.get("executable") is True else "")
        mode = int(permissions, 8) if permissions else None
        yield FileMount("config", f"{name}-{index}", target, content=content, mode=mode)


def _healthcheck(given: object, path: str, found: Found) -> HealthCheck | None:
    if given is SECRET:
        found.leave_out(f"{path}.healthcheck", SECRET, "it is a secret of the stack, which is not decrypted")
    if not isinstance(given, Mapping):
        return None
    tests = tuple(map(str, _list(given, "tests")))
    if tests[:1] == ("NONE",):
        return HealthCheck(("NONE",))

    def seconds(key: str) -> float | None:
        return duration(str(given[key])) or None if given.get(key) else None

    retries = given.get("retries")
    return HealthCheck(
        tests or None,
        seconds("interval"),
        seconds("timeout"),
        seconds("startPeriod"),
        int(retries) if isinstance(retries, int | float) and retries else None,
    )


def _restart(given: Mapping[str, Any]) -> Restart:
    policy = given.get("restart")
    attempts = given.get("maxRetryCount")
    match policy:
        case "always" | "unless-stopped":
            return Restart(policy)
        case "on-failure":
            return Restart("on-failure", int(attempts) if isinstance(attempts, int | float) and attempts else None)
    return Restart()


def _resources(given: Mapping[str, Any]) -> Resources:
    def mebibytes(key: str) -> int | None:
        value = given.get(key)
        return round(value * _MEBIBYTE) if isinstance(value, int | float) and value > 0 else None

    swap, shares, cpus = given.get("memorySwap"), given.get("cpuShares"), given.get("cpus")
    return Resources(
        cpus=float(cpus) if isinstance(cpus, str) and cpus else None,
        memory=mebibytes("memory"),
        memory_reservation=mebibytes("memoryReservation"),
        memory_swap=-1 if swap == -1 else mebibytes("memorySwap"),
        cpu_shares=int(shares) if isinstance(shares, int | float) and shares else None,
        cpuset=_text(given, "cpuSet"),
        shm=None if given.get("shmSize") == _SHM else mebibytes("shmSize"),
    )


def _logging(given: Mapping[str, Any]) -> Logging | None:
    driver, options = _text(given, "logDriver"), {str(k): str(v) for k, v in _map(given, "logOpts").items()}
    return Logging(driver, options) if driver or options else None
