"""What `docker inspect` shows of two deployments, as the properties of a topology: the oracle of the fidelity report.

Every field that Docker shows is in one of four sets. BY_NATURE: no two containers have it alike, or it only says how
Docker was asked; each with its reason. FIELDS: it is a property of the topology. Some, as environments and limits, make
several properties, or one together: `Deployment` has them. All others are compared as they are, under
`inspect.<field>`, so that a field that nobody thought of cannot differ unseen.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

__all__ = ["BY_NATURE", "FIELDS", "Deployment"]

BY_NATURE: Mapping[str, str] = {
    "Id": "each container has its own",
    "Name": "a host has one container of a name",
    "Created": "a moment",
    "Args": "follows from Path, Cmd and Entrypoint",
    "State.Pid": "each process has its own",
    "State.StartedAt": "a moment",
    "State.FinishedAt": "a moment",
    "State.Health.*": "how far the checks have come",
    "*Path": "a folder of the container's own",
    "GraphDriver.Data.*": "folders of the container's own",
    "Config.AttachStdout": "whether whoever made it was attached while it ran",
    "Config.AttachStderr": "whether whoever made it was attached while it ran",
    "Config.Image": "how the image was named; Image is the image",
    "Config.Labels.com.docker.compose.*": "whose the container is",
    "Config.Labels.dev.understudy.*": "whose the container is",
    "HostConfig.Binds": "how mounts were asked for; Mounts says what came of it",
    "HostConfig.Mounts": "how mounts were asked for; Mounts says what came of it",
    "NetworkSettings.Ports*": "what came of ports that were published or exposed",
    "NetworkSettings.SandboxID": "each container has its own",
    "NetworkSettings.SandboxKey": "each container has its own",
    "NetworkSettings.Networks.*.Links": "names of another service, which are aliases of that one in a clone",
    "ExecIDs": "what is being run in it at this moment",
    "NetworkSettings.Networks.*.EndpointID": "each container has its own",
    "NetworkSettings.Networks.*.NetworkID": "each network has its own",
    "NetworkSettings.Networks.*.Gateway": "an address of the network's own subnet",
    "NetworkSettings.Networks.*.IPAddress": "an address of the network's own subnet",
    "NetworkSettings.Networks.*.IPPrefixLen": "the size of the network's own subnet",
    "NetworkSettings.Networks.*.MacAddress": "follows from the address",
    "network.Id": "each network has its own",
    "network.Name": "a host has one network of a name",
    "network.Created": "a moment",
    "network.IPAM.*": "each network has its own subnet",
    "network.Containers*": "who has joined",
    "network.Labels.com.docker.compose.*": "whose the network is",
    "network.Labels.dev.understudy.*": "whose the network is",
    "volume.Name": "a host has one volume of a name",
    "volume.CreatedAt": "a moment",
    "volume.Mountpoint": "a folder of the volume's own",
    "volume.Labels.com.docker.compose.*": "whose the volume is",
    "volume.Labels.dev.understudy.*": "whose the volume is",
}

FIELDS: Mapping[str, str] = {
    "Config.Cmd": "command",
    "Config.Domainname": "domainname",
    "Config.Entrypoint": "entrypoint",
    "Config.Healthcheck.Interval": "healthcheck.interval",
    "Config.Healthcheck.Retries": "healthcheck.retries",
    "Config.Healthcheck.StartPeriod": "healthcheck.start_period",
    "Config.Healthcheck.Test": "healthcheck.test",
    "Config.Healthcheck.Timeout": "healthcheck.timeout",
    "Config.Hostname": "hostname",
    "Config.OpenStdin": "stdin_open",
    "Config.StopSignal": "stop_signal",
    "Config.StopTimeout": "stop_grace_period",
    "Config.Tty": "tty",
    "Config.User": "user",
    "Config.WorkingDir": "working_dir",
    "HostConfig.CapAdd": "cap_add",
    "HostConfig.CapDrop": "cap_drop",
    "HostConfig.CgroupnsMode": "cgroup",
    "HostConfig.CpuShares": "resources.cpu_shares",
    "HostConfig.CpusetCpus": "resources.cpuset",
    "HostConfig.Devices": "devices",
    "HostConfig.Dns": "dns",
    "HostConfig.DnsOptions": "dns_opt",
    "HostConfig.DnsSearch": "dns_search",
    "HostConfig.ExtraHosts": "extra_hosts",
    "HostConfig.GroupAdd": "group_add",
    "HostConfig.Init": "init",
    "HostConfig.IpcMode": "ipc",
    "HostConfig.LogConfig.Type": "logging.driver",
    "HostConfig.MemoryReservation": "resources.memory_reservation",
    "HostConfig.MemorySwap": "resources.memory_swap",
    "HostConfig.PidMode": "pid",
    "HostConfig.Privileged": "privileged",
    "HostConfig.ReadonlyRootfs": "read_only",
    "HostConfig.RestartPolicy.MaximumRetryCount": "restart.max_attempts",
    "HostConfig.RestartPolicy.Name": "restart.policy",
    "HostConfig.Runtime": "runtime",
    "HostConfig.SecurityOpt": "security_opt",
    "HostConfig.ShmSize": "resources.shm",
    "HostConfig.UTSMode": "uts",
    "HostConfig.Ulimits": "ulimits",
    "HostConfig.UsernsMode": "userns",
}
"""What Docker shows -> the property of a service that it is."""

_FOLDED: Mapping[str, str] = {
    "Config.Labels.": "labels.",
    "HostConfig.LogConfig.Config.": "logging.options.",
    "HostConfig.Sysctls.": "sysctls.",
    "HostConfig.Tmpfs.": "mounts.",
}

_FROM_COMPOSE, _FROM_CLONE = "com.docker.compose.", "dev.understudy."


def _docker(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _names(*arguments: str) -> list[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.split()


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else key)
    elif value not in (None, [], ""):
        yield path, value


def _content(path: Path) -> str:
    """A digest of a file, or of every file below a folder with its name."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Deployment:
    """The containers, networks and volumes of one deployment. `built` are services whose images it built itself."""

    containers: Mapping[str, dict[str, Any]]
    """Name in the topology (`web`, of further replicas `web.2`) -> what Docker shows."""
    networks: Mapping[str, dict[str, Any]]
    volumes: Mapping[str, dict[str, Any]]
    built: frozenset[str] = frozenset()
    prefix: str = ""
    """What the names of its containers begin with where nothing names them."""

    @classmethod
    def of_compose(cls, project: str, built: frozenset[str]) -> Deployment:
        """What Compose runs under this project's name."""
        label = f"label={_FROM_COMPOSE}project={project}"

        def name(labels: Mapping[str, str]) -> str:
            number = labels[f"{_FROM_COMPOSE}container-number"]
            return labels[f"{_FROM_COMPOSE}service"] + ("" if number == "1" else f".{number}")

        return cls(
            {name(c["Config"]["Labels"]): c for c in _listed("container", "ps", "-aq", "--filter", label)},
            {
                n["Labels"][f"{_FROM_COMPOSE}network"]: n
                for n in _listed("network", "network", "ls", "-q", "--filter", label)
            },
            {
                v["Labels"][f"{_FROM_COMPOSE}volume"]: v
                for v in _listed("volume", "volume", "ls", "-q", "--filter", label)
            },
            built,
            project,
        )

    @classmethod
    def of_clone(cls, environment: str, built: frozenset[str]) -> Deployment:
        """What an environment consists of."""
        label, own = f"label={_FROM_CLONE}environment={environment}", f"{_FROM_CLONE}service"
        return cls(
            {c["Config"]["Labels"][own]: c for c in _listed("container", "ps", "-aq", "--filter", label)},
            {n["Labels"][own]: n for n in _listed("network", "network", "ls", "-q", "--filter", label)},
            {v["Labels"][own]: v for v in _listed("volume", "volume", "ls", "-q", "--filter", label)},
            built,
            environment,
        )

    def properties(self, services: frozenset[str], hosts: Mapping[str, str]) -> dict[str, str]:
        """Path in the topology -> text, of these services and of third parties (name -> host), networks and volumes."""
        found: dict[str, str] = {}
        for name in services:
            replicas = [c for c in self.containers if c == name or c.startswith(f"{name}.")]
            found[f"services.{name}.replicas"] = str(len(replicas))
            for path, text in self._container(name, self.containers[name]):
                found[f"services.{name}.{path}"] = text
            for mount in self.containers[name]["Mounts"]:
                own = mount["Destination"] not in _image_volumes(self.containers[name]["Image"])
                if own and mount["Type"] == "volume" and self._volume(mount) is None:
                    found[f"volumes.({name}:{mount['Destination']}).data"] = mount["Name"]
        for service, port in self._relayed():
            if service in services:
                found[f"services.{service}.ports.{port}/tcp"] = f"relay:{port}"
        for name, network in self.networks.items():
            found[f"networks.{name}.internal"] = str(network["Internal"]).lower()
            rest = {key: value for key, value in network.items() if key != "Internal"}
            found |= {f"networks.{name}.inspect.{k}": v for k, v in _others(rest, "network.")}
        for name, volume in self.volumes.items():
            found[f"volumes.{name}.data"] = volume["Name"]
            found |= {f"volumes.{name}.inspect.{k}": v for k, v in _others(volume, "volume.")}
        for name, host in hosts.items():
            found[f"externals.{name}"] = (
                ", ".join(c for c in self.containers if host in self._aliases(c)) or "the real one"
            )
        return found

    def _container(self, name: str, shown: dict[str, Any]) -> Iterator[tuple[str, str]]:
        rest = json.loads(json.dumps(shown))
        if not shown["Name"].startswith(f"/{self.prefix}-"):
            yield "container_name", shown["Name"].lstrip("/")
        config, host = rest["Config"], rest["HostConfig"]
        for entry in config.pop("Env") or ():
            key, _, value = entry.partition("=")
            yield f"environment.{key}", value
        exposed = {port if "/" in port else f"{port}/tcp" for port in config.pop("ExposedPorts", None) or {}}
        yield "expose", ", ".join(sorted(exposed))
        for port, bindings in (host.pop("PortBindings") or {}).items():
            yield f"ports.{port}", ", ".join(_published(each, port) for each in bindings)
        yield from _limits(host)
        if config["Hostname"] == shown["Id"][:12]:
            config["Hostname"] = "the container's id"
        host["NetworkMode"] = self._logical(host["NetworkMode"])
        self._level(host)
        yield "image", "built" if name in self.built else rest.pop("Image")
        rest.pop("Image", None)
        for mount in rest.pop("Mounts"):
            yield f"mounts.{mount['Destination']}", self._mount(mount)
        joined = rest["NetworkSettings"].pop("Networks")
        rest["NetworkSettings"]["Networks"] = {self._logical(key): value for key, value in joined.items()}
        for network, link in rest["NetworkSettings"]["Networks"].items():
            own = {shown["Name"].lstrip("/"), shown["Id"][:12]}
            yield f"networks.{network}", ", ".join(sorted(set(link.pop("Aliases") or ()) - own))
            link["IPAMConfig"] = link.get("IPAMConfig") or None
        for path, text in _others(rest, ""):
            folded = next((path.replace(old, new, 1) for old, new in _FOLDED.items() if path.startswith(old)), None)
            yield folded or FIELDS.get(path) or f"inspect.{path}", text

    def _level(self, host: dict[str, Any]) -> None:
        """Say in one way what Docker shows in several."""
        for key in ("NetworkMode", "PidMode", "IpcMode"):
            host[key] = self._shared(host[key])
        host["Ulimits"] = sorted(host["Ulimits"] or (), key=lambda limit: str(limit["Name"]))
        host["ExtraHosts"] = sorted(host["ExtraHosts"] or ())
        for key in ("CapAdd", "CapDrop"):
            host[key] = sorted(each.removeprefix("CAP_") for each in host[key] or ())
        if host["RestartPolicy"]["Name"] == "no":  # as where nothing is said
            host["RestartPolicy"]["Name"] = ""
        host["Tmpfs"] = {place: _bytes(options) for place, options in (host.get("Tmpfs") or {}).items()}

    def _mount(self, mount: Mapping[str, Any]) -> str:
        way = "rw" if mount["RW"] else "ro"
        if mount["Type"] == "bind":
            return f"bind of {_content(Path(mount['Source']))} {way}"
        return f"{mount['Type']} {self._volume(mount) or '(anonymous)'} {way}"

    def _volume(self, mount: Mapping[str, Any]) -> str | None:
        return {volume["Name"]: name for name, volume in self.volumes.items()}.get(mount.get("Name", ""))

    def _shared(self, mode: str) -> str:
        """`container:ID` with the name of that container in the topology."""
        names = {shown["Id"]: name for name, shown in self.containers.items()}
        kind, _, other = mode.partition(":")
        return f"service:{names[other]}" if kind == "container" else mode

    def _logical(self, network: str) -> str:
        return {each["Name"]: name for name, each in self.networks.items()}.get(network, network)

    def _relayed(self) -> Iterator[tuple[str, str]]:
        """Service and port of each endpoint that the relay publishes."""
        prefix = f"{_FROM_CLONE}endpoint."
        for container in self.containers.values():
            bound = container["HostConfig"]["PortBindings"] or {}
            for label, listen in container["Config"]["Labels"].items():
                if label.startswith(prefix) and f"{listen}/tcp" in bound:
                    service, _, port = label.removeprefix(prefix).rpartition(".")
                    yield service, port

    def _aliases(self, container: str) -> set[str]:
        networks = self.containers[container]["NetworkSettings"]["Networks"].values()
        return {alias for network in networks for alias in network["Aliases"] or ()}


def _published(binding: Mapping[str, str], port: str) -> str:
    """A port in Compose's short syntax."""
    target, _, protocol = port.partition("/")
    host, number = binding["HostIp"], binding["HostPort"]
    parts = [host, number or ("" if host else None), target] if host else [number or None, target]
    return ":".join(part for part in parts if part is not None) + ("/udp" if protocol == "udp" else "")


@functools.cache
def _image_volumes(image: str) -> frozenset[str]:
    """Where an image itself asks for volumes: they begin empty on both sides."""
    return frozenset(_docker("image", "inspect", image)[0]["Config"].get("Volumes") or ())


def _bytes(options: str) -> str:
    """Options of a tmpfs with its size in bytes."""
    units = {"k": 1024, "m": 1024**2, "g": 1024**3}
    return re.sub(r"size=(\d+)([kmg])", lambda found: f"size={int(found[1]) * units[found[2]]}", options)


def _limits(host: dict[str, Any]) -> Iterator[tuple[str, str]]:
    nano, quota, period = host.pop("NanoCpus"), host.pop("CpuQuota"), host.pop("CpuPeriod")
    if nano or quota:
        yield "resources.cpus", f"{nano / 1e9 or quota / period:g}"
    if host["MemorySwap"] == 2 * host["Memory"]:  # Docker's own rule, where nothing is said of swap
        del host["MemorySwap"]
    for key, path in (("Memory", "memory"), ("PidsLimit", "pids")):
        if limit := host.pop(key):
            yield f"resources.{path}", str(limit)


def _listed(kind: str, *listing: str) -> list[dict[str, Any]]:
    names = _names(*listing)
    return _docker(kind, "inspect", *names) if names else []


def _others(shown: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for path, value in _leaves(shown, ""):
        if not any(fnmatchcase(prefix + path, pattern) for pattern in BY_NATURE):
            yield path, json.dumps(value, sort_keys=True)
