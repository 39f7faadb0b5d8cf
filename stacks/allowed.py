"""What a topology asks of the host it runs on, and the closed list of names by which somebody allows that."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .topology import Build, Service, Topology, Volume

__all__ = ["ALLOW", "CAPABILITIES", "NOTHING", "Allowed", "Right", "in_memory", "is_socket", "rights"]

ALLOW: Mapping[str, str] = {
    "bind:/PATH": "mounts of this path of the host, and of what is below it",
    "build-entitlements": "`entitlements` and `privileged` of a build",
    "build-ssh": "`ssh` of a build: the SSH agent or key of whoever runs it",
    "cap:NAME": "this capability in `cap_add`",
    "devices": "`devices`, `device_cgroup_rules`, `gpus`, `devices` among the reservations, and NVIDIA's `runtime`",
    "docker-socket": "mounts of an engine's socket, and `use_api_socket`",
    "host-cgroup": "`cgroup: host`",
    "host-ipc": "`ipc: host`",
    "host-network": "`network_mode: host`, and a `network` of a build that is the host's or another container's",
    "host-pid": "`pid: host`",
    "host-userns": "`userns_mode: host`",
    "host-uts": "`uts: host`",
    "privileged": "`privileged: true` of a service",
    "unconfined": "`security_opt` that takes a protection away or puts the document's own in its place",
}
"""Every name, and what is cloned by it. PATH is an absolute path, NAME a capability of CAPABILITIES."""

CAPABILITIES = frozenset(
    (
        *("ALL", "BPF", "DAC_READ_SEARCH", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "PERFMON", "SYSLOG"),
        *("SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "WAKE_ALARM"),
    )
)
"""Capabilities that no namespace holds in, so that they reach the host (capabilities(7), Linux 6.1)."""

_PATH = re.compile(r"bind:(/[^\0:]*)")
_CAP = re.compile(r"cap:(?:CAP_)?([A-Z_]+)")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The names that were given, in one form."""

    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: Iterable[str]) -> Allowed:
        """The names, each looked up in the list.

        Raises:
            ValueError: one is not in it; the message lists all.
        """
        return cls(frozenset(_known(name) for name in given))

    def has(self, name: str) -> bool:
        """Whether a name of the list was given; `bind:/srv/data` is by itself or a folder above it."""
        if not name.startswith("bind:"):
            return name in self.names
        path = posixpath.normpath(name.removeprefix("bind:"))
        above = (allowed.removeprefix("bind:") for allowed in self.names if allowed.startswith("bind:"))
        return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in above)


NOTHING = Allowed()
"""Nothing was named."""


def _known(given: str) -> str:
    if given in ALLOW and ":" not in given:
        return given
    if match := _PATH.fullmatch(given):
        return f"bind:{posixpath.normpath(match[1])}"
    if (match := _CAP.fullmatch(given)) and match[1] in CAPABILITIES:
        return f"cap:{match[1]}"
    names = ", ".join(ALLOW)
    raise ValueError(f"{given[:60]!r} cannot be allowed; what can is {names} (NAME: {', '.join(sorted(CAPABILITIES))})")


@dataclass(frozen=True, slots=True)
class Right:
    """One thing of the host that a service asks for: its path in the topology, the name that allows it, and the thing.

    `why` says what a clone would have by it.
    """

    path: str
    allow: str
    value: str
    why: str


_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
_NETWORK = "the clone would be on the host's network"
_HARDWARE = "the clone would have the host's hardware"
_BUILD = "the build would have the host's rights"


def is_socket(path: str) -> bool:
    """Whether a path is the socket of a container engine, or a folder that is known for nothing else."""
    return path.rstrip("/").rpartition("/")[2] in _SOCKETS


def in_memory(options: Mapping[str, str]) -> bool:
    """Whether a volume's options make a file system in memory.

    `bind` makes a mount of a path of the host of any `type`: the kernel passes over the type then (mount(2), MS_BIND).
    """
    flags = options.get("o", "").split(",")
    return options.get("type") == "tmpfs" and not {"bind", "rbind", "remount"}.intersection(flags)


def rights(topology: Topology) -> tuple[Right, ...]:
    """Everything of the host that the services and their builds ask for, in the order of the document."""
    services = (right for service in topology.services.values() for right in _of_service(service))
    return (*services, *(right for volume in topology.volumes.values() for right in _of_volume(volume)))


def _of_service(service: Service) -> Iterator[Right]:
    path = f"services.{service.name}"
    if service.privileged:
        yield Right(f"{path}.privileged", "privileged", "true", "the clone would have the host's rights")
    if service.host_network:
        yield Right(f"{path}.network_mode", "host-network", "host", _NETWORK)
    for key, space, whose in (
        ("pid", service.pid, "see the host's processes"),
        ("ipc", service.ipc, "share the host's memory"),
        ("uts", service.uts, "share the host's name"),
        ("userns_mode", service.userns, "have the host's users"),
        ("cgroup", service.cgroup, "see the host's control groups"),
    ):
        if space == "host":
            name = f"host-{key.partition('_')[0]}"
            yield Right(f"{path}.{key}", name, "host", f"the clone would {whose}")
    for added in service.cap_add:
        capability = added.upper().removeprefix("CAP_")
        if capability in CAPABILITIES:
            why = "the capability reaches beyond the container, to the host"
            yield Right(f"{path}.cap_add", f"cap:{capability}", added, why)
    for option in service.security_opt:
        if _unconfined(option):
            yield Right(
                f"{path}.security_opt", "unconfined", option, "it takes away what keeps a container from the host"
            )
    yield from _hardware(service, path)
    yield from _binds(service, path)
    if service.build is not None:
        yield from _of_build(service.build, f"{path}.build")


def _unconfined(option: str) -> bool:
    """Whether a security option takes a protection away; `no-new-privileges` and a profile of the host add to it.

    A seccomp profile of the document stands in the place of the engine's, and may allow everything; so may a label.
    """
    key, _, value = re.sub("^([a-z-]+):", r"\1=", option).partition("=")
    if key == "no-new-privileges":
        return value.lower() in {"false", "f", "0"}
    return value == "unconfined" or key == "label" or (key == "seccomp" and value != "builtin")


def _hardware(service: Service, path: str) -> Iterator[Right]:
    if service.runtime is not None and "nvidia" in service.runtime.lower():
        yield Right(f"{path}.runtime", "devices", service.runtime, _HARDWARE)
    for device in service.devices:
        yield Right(f"{path}.devices", "devices", device.source, _HARDWARE)
    if service.device_requests:
        yield Right(f"{path}.gpus", "devices", "by what it can", _HARDWARE)
    if service.device_cgroup_rules:
        yield Right(f"{path}.device_cgroup_rules", "devices", ", ".join(service.device_cgroup_rules), _HARDWARE)


def _binds(service: Service, path: str) -> Iterator[Right]:
    for mount in service.mounts:
        if mount.kind != "bind" or mount.source is None or not mount.source.startswith("/"):
            continue
        place = f"{path}.volumes.{mount.target}"
        if is_socket(mount.source):
            why = "it is a container engine's socket, and whoever holds it has the host"
            yield Right(place, "docker-socket", mount.source, why)
        else:
            writes = "" if mount.read_only else ", which the service may write to"
            yield Right(
                place, f"bind:{posixpath.normpath(mount.source)}", mount.source, f"it is a path of one host{writes}"
            )


def _of_volume(volume: Volume) -> Iterator[Right]:
    device = volume.options.get("device", "")
    if device and not in_memory(volume.options):
        why = "it is a path of one host, which the clone may write to"
        below_root = posixpath.normpath("/" + device.lstrip("/"))  # the engine takes a relative one from its own folder
        yield Right(f"volumes.{volume.name}.driver_opts", f"bind:{below_root}", device, why)


def _of_build(build: Build, path: str) -> Iterator[Right]:
    if build.network not in {None, "none", "default", "bridge"}:
        why = "the build would be on a network of the host or of another container"
        yield Right(f"{path}.network", "host-network", str(build.network), why)
    if build.entitlements:
        yield Right(f"{path}.entitlements", "build-entitlements", ", ".join(build.entitlements), _BUILD)
    if build.ssh:
        yield Right(f"{path}.ssh", "build-ssh", ", ".join(build.ssh), "the build would use the keys of whoever runs it")
