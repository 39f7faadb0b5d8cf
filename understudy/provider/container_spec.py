"""The body of Docker's create call that a container's inputs come to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from understudy.stacks.identity import LABEL

from .check import labels_of

__all__ = ["body", "endpoint", "limits", "networks", "seconds", "shares"]

MEGABYTE = 1024 * 1024
"""The schema's `memory`, `memorySwap` and `shmSize` are in MB, which the published provider takes as 2^20 bytes."""

CPU_PERIOD = 100_000
"""Microseconds of one accounting period; with a quota per period `cpus` can be changed in place (docker update)."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """A Go duration such as `1m30s` in seconds."""
    return sum(float(n) * _UNITS[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", duration))


def networks(inputs: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The networks that the container joins, in their order."""
    return inputs.get("networksAdvanced") or ()


def shares(inputs: Mapping[str, Any]) -> bool:
    """Whether the container has a namespace or the mounts of another one."""
    spaces = (inputs.get(space) or "" for space in ("networkMode", "ipcMode", "pidMode"))
    return any(space.startswith("container:") for space in spaces) or any(
        volume.get("fromContainer") for volume in inputs.get("volumes") or ()
    )


def endpoint(link: Mapping[str, Any]) -> dict[str, Any]:
    """How a container joins one network."""
    made: dict[str, Any] = {"Aliases": list(link.get("aliases") or ())}
    if link.get("ipv4Address"):
        made["IPAMConfig"] = {"IPv4Address": link["ipv4Address"]}
    return made


def limits(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Memory and processor limits, as both create and update take them."""
    made: dict[str, Any] = {}
    if inputs.get("memory"):
        made["Memory"] = inputs["memory"] * MEGABYTE
    swap = inputs.get("memorySwap")
    if swap:
        made["MemorySwap"] = swap * MEGABYTE if swap > 0 else -1
    if inputs.get("cpuShares"):
        made["CpuShares"] = inputs["cpuShares"]
    if inputs.get("cpus"):
        made["CpuPeriod"] = CPU_PERIOD
        made["CpuQuota"] = round(float(inputs["cpus"]) * CPU_PERIOD)
    return made


def body(inputs: Mapping[str, Any], pids_limit: int) -> dict[str, Any]:
    """The body of `POST /containers/create` (Docker Engine API 1.41), joining the first network only."""
    ports = inputs.get("ports") or ()
    made: dict[str, Any] = {
        "Image": inputs["image"],
        "Labels": labels_of(inputs),
        "Env": list(inputs.get("envs") or ()),
        "ExposedPorts": {port: {} for port in (*map(_port, ports), *_declared(inputs))},
        "Tty": inputs.get("tty", False),
        "OpenStdin": inputs.get("stdinOpen", False),
        "HostConfig": _host_config(inputs, pids_limit),
    }
    for key, name in (
        ("Cmd", "command"),
        ("Entrypoint", "entrypoints"),
        ("Hostname", "hostname"),
        ("Domainname", "domainname"),
        ("User", "user"),
        ("WorkingDir", "workingDir"),
        ("StopSignal", "stopSignal"),
        ("StopTimeout", "stopTimeout"),
    ):
        if inputs.get(name) not in (None, "", []):
            made[key] = inputs[name]
    if inputs.get("healthcheck"):
        made["Healthcheck"] = _healthcheck(inputs["healthcheck"])
    joined = networks(inputs)
    if joined:
        made["NetworkingConfig"] = {"EndpointsConfig": {joined[0]["name"]: endpoint(joined[0])}}
    return made


def _port(port: Mapping[str, Any]) -> str:
    return f"{port['internal']}/{port.get('protocol', 'tcp')}"


def _declared(inputs: Mapping[str, Any]) -> list[str]:
    """The ports that production exposes, kept in labels since the schema has no property for them.

    Docker takes none of a container that has another's network; the label says them to whoever waits for it.
    """
    if inputs.get("networkMode", "").startswith("container:"):
        return []
    kept = (("tcp", "ports"), ("udp", "udp"))
    found = ((port, way) for way, key in kept for port in labels_of(inputs).get(LABEL + key, "").split(","))
    return [f"{port}/{way}" for port, way in found if port.isdigit()]


def _healthcheck(check: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"Test": list(check.get("tests") or ()), "Retries": check.get("retries", 0)}
    for key, name in (("Interval", "interval"), ("Timeout", "timeout"), ("StartPeriod", "startPeriod")):
        made[key] = round(seconds(check.get(name, "0s")) * 1e9)
    return made


def _pids(inputs: Mapping[str, Any], limit: int) -> int:
    """The limit that production declares, kept in a label since the schema has no property for it; else ours."""
    declared = labels_of(inputs).get(LABEL + "pids", "")
    return int(declared) if declared.isascii() and declared.isdigit() and int(declared) else limit


def _host_config(inputs: Mapping[str, Any], pids_limit: int) -> dict[str, Any]:
    joined = networks(inputs)
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in inputs.get("ports") or ():
        place = {"HostIp": port.get("ip", "0.0.0.0"), "HostPort": str(port.get("external") or "")}  # noqa: S104 - the schema's default
        bindings.setdefault(_port(port), []).append(place)
    made: dict[str, Any] = {
        **limits(inputs),
        "PidsLimit": _pids(inputs, pids_limit),
        "NetworkMode": joined[0]["name"] if joined else inputs.get("networkMode", "default"),
        "PortBindings": bindings,
        "Binds": [_bind(v) for v in inputs.get("volumes") or () if v.get("hostPath")],
        "VolumesFrom": [_from(v) for v in inputs.get("volumes") or () if v.get("fromContainer")],
        "Mounts": _mounts(inputs),
        "RestartPolicy": {"Name": inputs.get("restart", "no"), "MaximumRetryCount": inputs.get("maxRetryCount", 0)},
        "ReadonlyRootfs": inputs.get("readOnly", False),
        "ExtraHosts": [f"{h['host']}:{h['ip']}" for h in inputs.get("hosts") or ()],
        "Ulimits": [{"Name": u["name"], "Soft": u["soft"], "Hard": u["hard"]} for u in inputs.get("ulimits") or ()],
        "Devices": [
            {
                "PathOnHost": d["hostPath"],
                "PathInContainer": d.get("containerPath") or d["hostPath"],
                "CgroupPermissions": d.get("permissions", "rwm"),
            }
            for d in inputs.get("devices") or ()
        ],
    }
    return {**made, **{key: value for key, value in _optional(inputs).items() if value not in (None, [], {}, "")}}


def _optional(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is left out where nothing is asked for: Docker has defaults of its own then."""
    capabilities = inputs.get("capabilities") or {}
    return {
        "Tmpfs": inputs.get("tmpfs"),
        "Sysctls": inputs.get("sysctls"),
        "Dns": inputs.get("dns"),
        "DnsSearch": inputs.get("dnsSearches"),
        "SecurityOpt": inputs.get("securityOpts"),
        "GroupAdd": inputs.get("groupAdds"),
        "CapAdd": capabilities.get("adds"),
        "CapDrop": capabilities.get("drops"),
        "Init": inputs.get("init"),
        "ShmSize": (inputs.get("shmSize") or 0) * MEGABYTE or None,
        "LogConfig": _log_config(inputs),
        "DnsOptions": inputs.get("dnsOpts"),
        "MemoryReservation": (inputs.get("memoryReservation") or 0) * MEGABYTE or None,
        "CpusetCpus": inputs.get("cpuSet"),
        "IpcMode": inputs.get("ipcMode"),
        "PidMode": inputs.get("pidMode"),
        "CgroupnsMode": inputs.get("cgroupnsMode"),
        "UsernsMode": inputs.get("usernsMode"),
        "UTSMode": labels_of(inputs).get(LABEL + "uts"),  # the schema has no such property
        "Runtime": inputs.get("runtime"),
        "Privileged": inputs.get("privileged") or None,
        "DeviceCgroupRules": inputs.get("deviceCgroupRules"),
        "DeviceRequests": [_device_request(request) for request in inputs.get("deviceRequests") or ()],
    }


def _device_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request for hardware by what it can: its capabilities are one set, all of which a device has to have."""
    return {
        "Driver": request.get("driver", ""),
        "Count": request.get("count", 0),
        "DeviceIDs": list(request.get("deviceIds") or ()),
        "Capabilities": [list(request.get("capabilities") or ())],
        "Options": dict(request.get("options") or {}),
    }


def _log_config(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    if not inputs.get("logDriver") and not inputs.get("logOpts"):
        return None
    return {"Type": inputs.get("logDriver", ""), "Config": dict(inputs.get("logOpts") or {})}


def _bind(volume: Mapping[str, Any]) -> str:
    modes = ["ro" if volume.get("readOnly") else "rw", *filter(None, [volume.get("selinuxRelabel")])]
    return f"{volume['hostPath']}:{volume['containerPath']}:{','.join(modes)}"


def _from(volume: Mapping[str, Any]) -> str:
    return f"{volume['fromContainer']}:{'ro' if volume.get('readOnly') else 'rw'}"


def _mounts(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Volumes and mounts; a volume without a name is anonymous and goes with its container."""
    made = [
        {
            "Type": "volume",
            "Source": volume.get("volumeName", ""),
            "Target": volume["containerPath"],
            "ReadOnly": volume.get("readOnly", False),
        }
        for volume in inputs.get("volumes") or ()
        if not volume.get("hostPath") and not volume.get("fromContainer")
    ]
    return [*made, *(_mount(mount) for mount in inputs.get("mounts") or ())]


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    made = {
        "Type": mount["type"],
        "Source": mount.get("source", ""),
        "Target": mount["target"],
        "ReadOnly": mount.get("readOnly", False),
    }
    if bind := mount.get("bindOptions"):
        made["BindOptions"] = {"Propagation": bind.get("propagation", "")}
    if volume := mount.get("volumeOptions"):
        made["VolumeOptions"] = {"NoCopy": volume.get("noCopy", False)}
        if volume.get("subpath"):
            made["VolumeOptions"]["Subpath"] = volume["subpath"]
    if memory := mount.get("tmpfsOptions"):
        made["TmpfsOptions"] = {"SizeBytes": memory.get("sizeBytes", 0), "Mode": memory.get("mode", 0)}
    return made
