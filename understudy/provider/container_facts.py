"""What a container's inspection says, as the outputs of the published schema and as drift of its inputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .container_spec import CPU_PERIOD, MEGABYTE

__all__ = ["drifted", "outputs", "runs"]

_DOCKERS_OWN = frozenset({"bridge", "host", "none"})


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

    These are its name, its networks, its limits and its restart policy (docker rename, network, update). A container
    that has stopped although it must run is shown as `mustRun: false`, as the published provider does.
    """
    host, now = facts.get("HostConfig") or {}, dict(inputs)
    policy = host.get("RestartPolicy") or {}
    found = {
        "name": facts["Name"].lstrip("/"),
        "restart": policy.get("Name") or "no",
        "maxRetryCount": policy.get("MaximumRetryCount", 0),
        "memory": host.get("Memory", 0) // MEGABYTE,
        "memoryReservation": (host.get("MemoryReservation") or 0) // MEGABYTE,
        "cpuShares": host.get("CpuShares", 0),
        "cpuSet": host.get("CpusetCpus") or "",
    }
    defaults = {"restart": "no", "maxRetryCount": 0, "memory": 0, "memoryReservation": 0, "cpuShares": 0, "cpuSet": ""}
    now |= {name: value for name, value in found.items() if value != inputs.get(name, defaults.get(name))}
    now |= _swap(host, inputs) | _cpus(host, inputs)
    joined = _joined(facts, inputs)
    if joined is not None:
        now["networksAdvanced"] = joined
    if inputs.get("mustRun", True) and inputs.get("start", True) and not runs(facts):
        now["mustRun"] = False
    return now


def _swap(host: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The limit of memory and swap, where it is neither the declared one nor what Docker makes of a memory limit.

    -1 is also what a kernel without swap accounting leaves of a limit, so that it says nothing.
    """
    limit, declared = host.get("MemorySwap", 0), inputs.get("memorySwap") or 0
    wanted = declared * MEGABYTE if declared > 0 else declared
    usual = {-1, 0, 2 * host.get("Memory", 0), 2 * (inputs.get("memory") or 0) * MEGABYTE}
    if limit in {wanted, -1} or (not declared and limit in usual):
        return {}
    return {"memorySwap": limit // MEGABYTE}


def _cpus(host: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The processors, as a number or as a quota for a period, where they are not the declared ones."""
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or CPU_PERIOD
    actual = (host.get("NanoCpus") or 0) / 1e9 or (quota / period if quota > 0 else 0.0)
    declared = float(inputs.get("cpus") or 0)
    return {} if round(actual, 3) == round(declared, 3) else {"cpus": f"{actual:g}"}


def _joined(facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The networks as the container is on them now; None where they are those declared.

    Docker's own networks stand for a network mode. Aliases that Docker adds are no difference, missing ones are.
    """
    found = (facts.get("NetworkSettings") or {}).get("Networks") or {}
    ids = {network.get("NetworkID"): name for name, network in found.items()}
    declared = [dict(link) for link in inputs.get("networksAdvanced") or ()]
    kept, known, same = [], set[str](), True
    for link in declared:
        name = link.get("name", "")
        name = name if name in found else ids.get(name, "")
        if not name:
            same = False
            continue
        known.add(name)
        there = set(found[name].get("Aliases") or ())
        aliases = [alias for alias in link.get("aliases") or () if alias in there]
        if len(aliases) != len(link.get("aliases") or ()):
            same, link["aliases"] = False, aliases
        kept.append(link)
    added = [{"name": name} for name in sorted(found) if name not in known and name not in _DOCKERS_OWN]
    return None if same and not added else kept + added
