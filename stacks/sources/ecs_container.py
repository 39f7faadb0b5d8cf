"""One container of an ECS task definition (ContainerDefinition of the ECS API) as a service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.stacks.topology import HealthCheck, Mount, Port, Resources, Service, Ulimit, Volume

from .pulumi_found import Found
from .pulumi_resources import Resource

__all__ = ["Definition", "service_of"]

_MEBIBYTE = 1024 * 1024
_UNITS = 1024
"""CPU units of one processor (ECS, task size)."""

_KEYS = (
    "name image cpu memory memoryReservation essential command entryPoint environment secrets portMappings healthCheck "
    "dependsOn mountPoints user workingDirectory linuxParameters ulimits dockerLabels stopTimeout startTimeout "
    "readonlyRootFilesystem extraHosts hostname dnsServers dnsSearchDomains dockerSecurityOptions systemControls "
    "interactive pseudoTerminal"
)
_READ = frozenset(_KEYS.split())
_WORKINGS = frozenset(("logConfiguration", "repositoryCredentials", "versionConsistency", "restartPolicy"))
"""What is of the cloud's own workings: a clone's logs are Docker's, its images are the target's."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A container definition: its properties, and the volumes of its task by name."""

    name: str
    essential: bool
    properties: Mapping[str, Any]
    volumes: Mapping[str, Mapping[str, Any]]
    task_cpu: float | None
    task_memory: int | None

    @classmethod
    def of(cls, entry: Mapping[str, Any], task: Resource) -> Definition:
        """The definition of an entry of `containerDefinitions`.

        Raises:
            KeyError: it has no name.
        """
        volumes = {str(v.get("name")): v for v in task.inputs.get("volumes") or () if isinstance(v, Mapping)}
        cpu, memory = task.text("cpu"), task.text("memory")
        return cls(
            str(entry["name"]),
            entry.get("essential") is not False,
            entry,
            volumes,
            float(cpu) / _UNITS if cpu and cpu.replace(".", "").isdigit() else None,
            int(float(memory)) * _MEBIBYTE if memory and memory.replace(".", "").isdigit() else None,
        )

    def given(self, key: str) -> list[Mapping[str, Any]]:
        """A property that is a list of mappings."""
        value = self.properties.get(key)
        return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []

    def texts(self, key: str) -> tuple[str, ...]:
        """A property that is a list of texts."""
        value = self.properties.get(key)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    def text(self, key: str) -> str | None:
        """A property that is a text."""
        value = self.properties.get(key)
        return value if isinstance(value, str) and value else None


def service_of(name: str, definition: Definition, secrets: Mapping[str, str], found: Found) -> Service:
    """The service, without its kind, networks, dependencies and count.

    Args:
        name: the service's.
        definition: the container's.
        secrets: environment key -> token or text, of what it is given by name.
        found: takes the volumes, and what is left out.
    """
    path, given = f"services.{name}", definition.properties
    for key, value in given.items():
        if key not in _READ | _WORKINGS and value not in (None, [], {}, False, "", 0):
            found.leave_out(f"{path}.{key}", value, "a topology has no place for it, or no clone may have it")
    linux = given.get("linuxParameters")
    linux = linux if isinstance(linux, Mapping) else {}
    capabilities = linux.get("capabilities") or {}
    stop = given.get("stopTimeout")
    return Service(
        name=name,
        image=str(given["image"]),
        command=definition.texts("command") or None,
        entrypoint=definition.texts("entryPoint") or None,
        environment={
            **{str(e.get("name")): str(e.get("value") or "") for e in definition.given("environment")},
            **secrets,
        },
        expose=tuple(dict.fromkeys(_ports(definition))),
        mounts=tuple(_mounts(definition, linux, path, found)),
        hostname=definition.text("hostname"),
        healthcheck=_healthcheck(given.get("healthCheck")),
        resources=_resources(definition, linux),
        labels={str(key): str(value) for key, value in (given.get("dockerLabels") or {}).items()},
        user=definition.text("user"),
        working_dir=definition.text("workingDirectory"),
        init=True if linux.get("initProcessEnabled") is True else None,
        stop_grace_period=float(stop) if isinstance(stop, int | float) else None,
        read_only=given.get("readonlyRootFilesystem") is True,
        tty=given.get("pseudoTerminal") is True,
        stdin_open=given.get("interactive") is True,
        cap_add=tuple(map(str, capabilities.get("add") or ())),
        cap_drop=tuple(map(str, capabilities.get("drop") or ())),
        security_opt=definition.texts("dockerSecurityOptions"),
        sysctls={str(e.get("namespace")): str(e.get("value")) for e in definition.given("systemControls")},
        ulimits=tuple(
            Ulimit(str(u["name"]), int(u["softLimit"]), int(u["hardLimit"])) for u in definition.given("ulimits")
        ),
        extra_hosts=tuple((str(e["hostname"]), str(e["ipAddress"])) for e in definition.given("extraHosts")),
        dns=definition.texts("dnsServers"),
        dns_search=definition.texts("dnsSearchDomains"),
        where=found.where(path),
    )


def _ports(definition: Definition) -> Iterator[Port]:
    for entry in definition.given("portMappings"):
        if entry.get("containerPort"):
            yield Port(int(entry["containerPort"]), protocol="udp" if entry.get("protocol") == "udp" else "tcp")


def _mounts(definition: Definition, linux: Mapping[str, Any], path: str, found: Found) -> Iterator[Mount]:
    for entry in definition.given("mountPoints"):
        name, target = str(entry.get("sourceVolume")), str(entry.get("containerPath"))
        volume = definition.volumes.get(name, {})
        if volume.get("hostPath"):
            found.leave_out(f"{path}.volumes", f"{volume['hostPath']}:{target}", "it is a path of one host")
            continue
        found.volumes.setdefault(name, Volume(name, where=found.where(f"volumes.{name}")))
        yield Mount("volume", target, name, entry.get("readOnly") is True)
    for entry in linux.get("tmpfs") or ():
        options = (("size", str(int(entry["size"]) * _MEBIBYTE)),) if entry.get("size") else ()
        yield Mount("tmpfs", str(entry.get("containerPath")), None, "ro" in (entry.get("mountOptions") or ()), options)


def _healthcheck(given: object) -> HealthCheck | None:
    if not isinstance(given, Mapping) or not given.get("command"):
        return None
    command = given["command"]
    words = tuple(map(str, command)) if isinstance(command, list) else ("CMD-SHELL", str(command))
    if words[0] not in {"CMD", "CMD-SHELL"}:
        words = ("CMD-SHELL", " ".join(words))

    def seconds(key: str) -> float | None:
        return float(given[key]) if isinstance(given.get(key), int | float) and given[key] else None

    retries = given.get("retries")
    return HealthCheck(
        words, seconds("interval"), seconds("timeout"), seconds("startPeriod"), int(retries) if retries else None
    )


def _resources(definition: Definition, linux: Mapping[str, Any]) -> Resources:
    """The container's own limits, else those of its task, of which it is the only container or the first."""
    given = definition.properties
    cpu, memory = given.get("cpu") or 0, given.get("memory") or 0
    reserved, shared = given.get("memoryReservation") or 0, linux.get("sharedMemorySize") or 0
    return Resources(
        cpus=float(cpu) / _UNITS if cpu else definition.task_cpu,
        memory=int(memory) * _MEBIBYTE if memory else definition.task_memory,
        memory_reservation=int(reserved) * _MEBIBYTE or None,
        shm=int(shared) * _MEBIBYTE or None,
    )
