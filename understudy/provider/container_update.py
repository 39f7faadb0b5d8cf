"""What Docker changes on a live container: its limits and its restart policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .container_spec import CPU_PERIOD, limits
from .docker_errors import docker
from .room import Call

__all__ = ["changes", "update_limits"]

DEFAULT_SHARES = 1024
"""The weight of a container that asks for none (docker run, --cpu-shares)."""

UNLIMITED = -1


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of docker-py's `update_container` that lead from old inputs to new ones; empty: nothing to do.

    A limit that is gone has to be lifted by name, as Docker takes an absent value as `unchanged`; memory cannot be
    lifted at all. Memory and swap go together: Docker refuses a memory limit above the swap limit that stands.
    """
    before, now = limits(old), limits(new)
    made: dict[str, Any] = {}
    if _pick(before, "Memory", "MemorySwap") != _pick(now, "Memory", "MemorySwap") and "Memory" in now:
        made["mem_limit"] = now["Memory"]
        made["memswap_limit"] = now.get("MemorySwap", 2 * now["Memory"])
    if before.get("CpuShares") != now.get("CpuShares"):
        made["cpu_shares"] = now.get("CpuShares", DEFAULT_SHARES)
    if before.get("CpuQuota") != now.get("CpuQuota"):
        made["cpu_period"] = CPU_PERIOD
        made["cpu_quota"] = now.get("CpuQuota", UNLIMITED)
    policy = _policy(new)
    if policy != _policy(old):
        made["restart_policy"] = policy
    return made


def _pick(values: Mapping[str, Any], *keys: str) -> tuple[Any, ...]:
    return tuple(values.get(key) for key in keys)


def _policy(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"Name": inputs.get("restart", "no"), "MaximumRetryCount": inputs.get("maxRetryCount", 0)}


def update_limits(call: Call, object_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Apply the changes, if there are any.

    Raises:
        ProvisionError: Docker refuses them.
    """
    wanted = changes(old, new)
    if wanted:
        with docker(f"Updating container {new['name']} ({', '.join(sorted(wanted))})"):
            call.room.docker.api.update_container(object_id, **wanted)
