"""How a Compose service runs: command, environment, dependencies, health check, limits, restart policy, logging."""

from __future__ import annotations

import re
from collections.abc import Mapping

from understudy.stacks.change import Fidelity
from understudy.stacks.topology import (
    Condition,
    Dependency,
    HealthCheck,
    Logging,
    Resources,
    Restart,
    TopologyError,
    Ulimit,
)

from .document.yaml_text import Node
from .nodes import Fields, Reading, choice, flag, integer, mapping, number, parsed, table_of, text, texts
from .values import byte_size, duration, split_command

__all__ = ["command", "dependencies", "healthcheck", "logging", "resources", "restart", "seconds", "ulimits"]

LOCAL_LOGS = ("json-file", "local", "journald", "none")
"""Log drivers that keep what they get on the host itself."""

_CONDITIONS: Mapping[str, Condition] = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
_POLICIES = {word: Restart(word) for word in ("no", "always", "on-failure", "unless-stopped")}
_SWARM_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}
_PERIOD = 100_000
"""Microseconds of an accounting period of the processor, where none is given (Docker's default)."""


def command(node: Node) -> tuple[str, ...]:
    """An argument vector, or a command line that is split into one; both may be empty."""
    if isinstance(node.value, tuple):
        return texts(node, secret=True)
    return parsed(node, split_command, secret=True)


def seconds(node: Node) -> float:
    """A duration."""
    return parsed(node, duration)


def dependencies(node: Node, reading: Reading) -> tuple[Dependency, ...]:
    """`depends_on` as mapping."""
    result: list[Dependency] = []
    for name, child in mapping(node).items():
        fields = Fields(child, reading)
        condition = choice(found, _CONDITIONS) if (found := fields.take("condition")) else "started"
        required = fields.read("required", flag, default=True)
        restarts = fields.take("restart")
        # what Compose adds where another key needs the service stands, all of it, where that key does
        implied = restarts is not None and _place(restarts) == _place(child)
        if restarts is not None and flag(restarts) and not implied:
            reading.leave_out(restarts, "it says what `docker compose restart` does", Fidelity.FAITHFUL)
        fields.finish()
        result.append(Dependency(name, condition, required))
    return tuple(result)


def _place(node: Node) -> tuple[str, int, int]:
    return node.where.file, node.where.line, node.where.column


def healthcheck(node: Node, reading: Reading) -> HealthCheck:
    """`healthcheck`; one that is disabled has the test NONE."""
    fields = Fields(node, reading)
    disabled = fields.read("disable", flag, default=False)
    result = HealthCheck(
        fields.read("test", _health_test, None),
        fields.read("interval", seconds, None),
        fields.read("timeout", seconds, None),
        fields.read("start_period", seconds, None),
        fields.read("retries", integer, None),
    )
    fields.finish()
    return HealthCheck(("NONE",)) if disabled else result


def _health_test(node: Node) -> tuple[str, ...]:
    words = texts(node, secret=True)
    if words and words[0] == "NONE":
        return ("NONE",)
    if len(words) < 2 or words[0] not in {"CMD", "CMD-SHELL"}:  # noqa: PLR2004 - the word and what it runs
        raise TopologyError(
            "a test begins with NONE, CMD or CMD-SHELL, and the latter two are followed by it", node.where
        )
    return words


def resources(service: Fields, deploy: Fields | None, reading: Reading) -> Resources:
    """The limits of `deploy.resources` and of the service itself, which agree where both say something."""
    node = deploy.take("resources") if deploy else None
    both = Fields(node, reading) if node else None
    limits, reserved = (_part(both, key, reading) for key in ("limits", "reservations"))
    pids = _either(limits, "pids", service, "pids_limit")
    cpus = _either(limits, "cpus", service, "cpus")
    quota = _quota(service, cpus, reading)
    result = Resources(
        cpus=quota if cpus is None else number(cpus),
        memory=_size(_either(limits, "memory", service, "mem_limit")),
        pids=None if pids is None or integer(pids, least=-1) <= 0 else integer(pids),  # 0 and -1 are Docker's unlimited
        memory_reservation=_size(_either(reserved, "memory", service, "mem_reservation")),
        memory_swap=service.read("memswap_limit", _swap, None),
        cpu_shares=service.read("cpu_shares", integer, None),
        cpuset=service.read("cpuset", text, None),
        shm=_size(service.take("shm_size")),
    )
    for fields in (limits, reserved, both):
        if fields:
            fields.finish()
    return result


def _part(fields: Fields | None, key: str, reading: Reading) -> Fields | None:
    node = fields.take(key) if fields else None
    if node is None:
        return None
    part = Fields(node, reading)
    part.take("devices")  # they are read with the service's other hardware
    return part


def _either(new: Fields | None, key: str, service: Fields, old: str) -> Node | None:
    found, direct = new.take(key) if new else None, service.take(old)
    return direct if found is None else found


def _size(node: Node | None) -> int | None:
    """Bytes; none for 0, which is Docker's word for unlimited."""
    return None if node is None else parsed(node, byte_size) or None


def _swap(node: Node) -> int | None:
    return -1 if text(node) == "-1" else _size(node)


def _quota(service: Fields, cpus: Node | None, reading: Reading) -> float | None:
    """Processors from microseconds in each period; a period alone limits nothing, and Docker takes none with `cpus`."""
    quota, period = service.take("cpu_quota"), service.take("cpu_period")
    if cpus is None and quota is not None and integer(quota, least=-1) > 0:
        return integer(quota) / (integer(period, least=1) if period else _PERIOD)
    why = "there is no `cpu_quota`, and alone it limits nothing" if cpus is None else "`cpus` is the limit"
    for node in (quota, period):
        if node is not None and not (node is quota and integer(quota, least=-1) <= 0):
            reading.leave_out(node, why, Fidelity.CHANGED)
    return None


def restart(node: Node | None, policy: Node | None, reading: Reading) -> Restart:
    """`restart`, or `deploy.restart_policy`, which wins as it does in Compose."""
    if policy is not None:
        if node is not None:
            reading.leave_out(node, "`deploy.restart_policy` is what counts", Fidelity.CHANGED)
        return _deploy_restart(policy, reading)
    if node is None:
        return Restart()
    given = text(node)
    word, mark, attempts = given.partition(":")
    if mark and not (word == "on-failure" and re.fullmatch(r"[0-9]{1,9}", attempts)):
        raise TopologyError(f"{given[:60]!r} is not allowed; only on-failure takes a number: on-failure:3", node.where)
    if word not in _POLICIES:
        raise TopologyError(f"{given[:60]!r} is not allowed; allowed are {', '.join(_POLICIES)}", node.where)
    return Restart(_POLICIES[word].policy, int(attempts) if mark else None)


def _deploy_restart(node: Node, reading: Reading) -> Restart:
    fields = Fields(node, reading)
    word = fields.read("condition", lambda given: choice(given, _SWARM_CONDITIONS), "always")
    attempts = fields.take("max_attempts")
    fields.finish()
    if attempts is not None and word != "on-failure":
        reading.leave_out(attempts, "Docker counts attempts of `on-failure` alone", Fidelity.CHANGED)
        attempts = None
    return Restart(_POLICIES[word].policy, None if attempts is None else integer(attempts))


def logging(node: Node, reading: Reading) -> Logging | None:
    """`logging` of a driver that keeps logs on the host; None is the engine's default."""
    fields = Fields(node, reading)
    driver_node = fields.take("driver")
    driver = None if driver_node is None else text(driver_node)
    options = fields.read("options", table_of, {})
    fields.finish()
    if driver_node is not None and driver not in LOCAL_LOGS:
        reason = "the driver ships logs elsewhere, to where production's are: the clone has the engine's default"
        reading.change(driver_node.key_where, driver, None, reason)
        return None
    return Logging(driver, options)


def ulimits(node: Node, reading: Reading) -> tuple[Ulimit, ...]:
    """`ulimits` as mapping of one number, or of `soft` and `hard`."""
    found = []
    for name, child in mapping(node).items():
        if isinstance(child.value, Mapping):
            fields = Fields(child, reading)
            soft, hard = (integer(fields.need(key), least=-1) for key in ("soft", "hard"))
            fields.finish()
        else:
            soft = hard = integer(child, least=-1)
        found.append(Ulimit(name, soft, hard))
    return tuple(found)
