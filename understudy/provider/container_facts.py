"""What a container's inspection says, as the outputs of the published schema and as drift of its inputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .container_spec import CPU_PERIOD, MEGABYTE

__all__ = ["drifted", "outputs", "runs"]


def runs(facts: Mapping[str, Any]) -> bool:
    """Whether the container runs, or is about to run again."""
    return facts["State"].get("Status") in {"running", "restarting", "paused"}


def outputs(facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs with what Docker has filled in: host ports, addresses, host name, exit code."""
    settings, config = facts.get("NetworkSettings") or {}, facts.get("Config") or {}
    made: dict[str, Any] = {
        **inputs,
        "name": facts["Name"].lstrip("/"),
        "hostname": config.get("Hostname", ""),
        "entrypoints": config.get("Entrypoint") or [],
        "bridge": settings.get("Bridge", ""),
        "networkDatas": _network_datas(settings.get("Networks") or {}),
    }
    if inputs.get("ports"):
        made["ports"] = [_published(port, settings.get("Ports") or {}) for port in inputs["ports"]]
    if facts["State"].get("Status") == "exited":
        made["exitCode"] = facts["State"].get("ExitCode", 0)
    return made


def _network_datas(networks: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "networkName": name,
            "ipAddress": network.get("IPAddress", ""),
            "ipPrefixLength": network.get("IPPrefixLen", 0),
            "gateway": network.get("Gateway", ""),
            "macAddress": network.get("MacAddress", ""),
        }
        for name, network in sorted(networks.items())
    ]


def _published(port: Mapping[str, Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    places = bound.get(f"{port['internal']}/{port.get('protocol', 'tcp')}") or ()
    wanted = port.get("ip", "0.0.0.0")  # noqa: S104 - the schema's default
    for place in places:
        if place.get("HostIp") == wanted and place.get("HostPort"):
            return {**port, "ip": wanted, "external": int(place["HostPort"])}
    return dict(port)


def drifted(facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as they would have to be to describe the container as it is now, for what can change on a live one.

    A container that has stopped although it must run is shown as `mustRun: false`, as the published provider does.
    """
    host, now = facts.get("HostConfig") or {}, dict(inputs)
    policy = host.get("RestartPolicy") or {}
    found = {
        "restart": policy.get("Name") or "no",
        "maxRetryCount": policy.get("MaximumRetryCount", 0),
        "memory": host.get("Memory", 0) // MEGABYTE,
        "cpuShares": host.get("CpuShares", 0),
    }
    defaults = {"restart": "no", "maxRetryCount": 0, "memory": 0, "cpuShares": 0}
    now |= {name: value for name, value in found.items() if value != inputs.get(name, defaults[name])}
    quota = host.get("CpuQuota", 0)
    if "cpus" in inputs and quota > 0 and quota != round(float(inputs["cpus"]) * CPU_PERIOD):
        now["cpus"] = f"{quota / CPU_PERIOD:g}"
    if inputs.get("mustRun", True) and inputs.get("start", True) and not runs(facts):
        now["mustRun"] = False
    return now
