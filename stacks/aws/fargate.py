"""What Fargate cannot do: refused by name with what to do, or on the record where a program hardly notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from understudy.errors import UsageError
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.compare import as_text
from understudy.stacks.topology import HealthCheck, Service

__all__ = ["ADDABLE", "JOB_SECONDS", "STOP_SECONDS", "health", "hold", "left_out"]

ADDABLE = frozenset({"SYS_PTRACE"})
"""Capabilities that Fargate adds (Amazon ECS API, KernelCapabilities)."""

STOP_SECONDS = 120
"""The longest time that Fargate gives a container to stop (Amazon ECS API, ContainerDefinition, stopTimeout)."""

JOB_SECONDS = 120
"""The longest time that Fargate waits for a container that another one depends on (ditto, startTimeout)."""

_HINT = (
    "Leave the service out in the profile (x-understudy, profiles, without), change it, or run the clone on Docker: "
    "--target docker."
)
_ARCHITECTURES = {"linux/amd64": "X86_64", "linux/arm64": "ARM64", "linux/arm64/v8": "ARM64"}


@dataclass(frozen=True, slots=True)
class _Need:
    path: str
    value: object
    why: str


def hold(service: Service) -> str:
    """Hold that Fargate can run a service, and give its architecture.

    Raises:
        UsageError: it cannot; the message names every setting that it cannot do.
    """
    found = [need for need in _needs(service) if need.value not in (None, False, (), "")]
    if found:
        listed = "; ".join(f"{need.path} ({need.why})" for need in found)
        raise UsageError(f"Service {service.name!r} cannot run on Fargate: {listed}.", hint=_HINT)
    if service.platform is None:
        return "X86_64"
    return _ARCHITECTURES[service.platform]


def _needs(service: Service) -> Iterator[_Need]:
    own = "a task has a kernel and a network of its own"
    yield _Need("privileged", service.privileged, "no container of Fargate is")
    yield _Need("network_mode: host", service.host_network, own)
    for key in ("ipc", "pid", "uts", "userns", "cgroup"):
        space = getattr(service, key)
        shared = space is not None and (space == "host" or space.startswith("service:"))
        yield _Need(key, shared and space, "namespaces are not shared there")
    yield _Need("volumes_from", service.volumes_from, "services share no disk there")
    hardware = "there is no hardware to give"
    yield _Need("devices", service.devices, hardware)
    yield _Need("gpus", service.device_requests, hardware)
    yield _Need("device_cgroup_rules", service.device_cgroup_rules, hardware)
    yield _Need("runtime", service.runtime, "Fargate has one of its own")
    added = tuple(c for c in service.cap_add if c.upper().removeprefix("CAP_") not in ADDABLE)
    yield _Need(f"cap_add: {', '.join(added)}", added, f"only {', '.join(sorted(ADDABLE))} can be added")
    kernel = tuple(key for key in service.sysctls if not key.startswith("net."))
    yield _Need(f"sysctls: {', '.join(kernel)}", kernel, "only those of the network can be set")
    udp = tuple(port.target for port in service.container_ports if port.protocol == "udp")
    yield _Need(f"UDP port {', '.join(map(str, udp))}", udp, "Service Connect and the load balancer carry TCP")
    yield _Need("entrypoint: []", service.entrypoint == (), "ECS cannot take an image's entry point away")
    unknown = service.platform not in {None, *_ARCHITECTURES}
    yield _Need(f"platform: {service.platform}", unknown, f"it has {', '.join(_ARCHITECTURES)}")
    for mount in service.mounts:
        host = mount.kind == "bind" and mount.from_tree is None
        yield _Need(f"volumes: {mount.source}", host, "it is a path of one host")


def left_out(service: Service) -> Iterator[Change]:
    """The Changes of what a container on Fargate does not have, and runs without."""
    path = f"services.{service.name}"
    network = "the task's network gives it"
    for key, reason in (
        ("hostname", f"{network} its host name"),
        ("domainname", f"{network} its host name"),
        ("dns", f"{network} its resolver"),
        ("dns_search", f"{network} its resolver"),
        ("dns_opt", f"{network} its resolver"),
        ("extra_hosts", "Fargate takes no fixed addresses of names"),
        ("group_add", "ECS takes no further groups of a user"),
        ("security_opt", "Fargate takes no security options"),
        ("stop_signal", "ECS sends the signal that the image names"),
        ("logging", "the log goes to CloudWatch Logs"),
        ("ipc", "a task has its own"),
        ("pid", "a task has its own"),
        ("cgroup", "a task has its own"),
    ):
        value = getattr(service, key)
        if value not in (None, ()):
            yield Change(f"{path}.{key}", as_text(value), None, reason, rule=service.where.place)
    for key in ("pids", "memory_swap", "cpu_shares", "cpuset", "shm"):
        value = getattr(service.resources, key)
        if value is not None:
            yield Change(f"{path}.resources.{key}", as_text(value), None, "Fargate has no such limit")
    for limit in service.ulimits:
        if limit.name != "nofile":
            yield Change(f"{path}.ulimits.{limit.name}", as_text(limit), None, "of the limits Fargate takes nofile")
    yield from _lifetime(service)


def _lifetime(service: Service) -> Iterator[Change]:
    """How ECS starts, watches and ends a task otherwise than production."""
    path = f"services.{service.name}"
    if service.restart.policy in {"no", "on-failure"} and service.kind != "job":
        reason = "ECS starts a task again whenever it ends"
        yield Change(f"{path}.restart.policy", service.restart.policy, "always", reason)
    grace = service.stop_grace_period
    if grace is not None and grace > STOP_SECONDS:
        yield Change(f"{path}.stop_grace_period", as_text(grace), str(STOP_SECONDS), _MOST, Fidelity.SCALED)
    if service.healthcheck is None or service.healthcheck.test is None:
        reason = "ECS does not run the check that stands in an image; a task that runs counts as healthy"
        yield Change(f"{path}.healthcheck", "the image's, if it has one", None, reason)
    if service.kind == "job":
        reason = "a task that ends badly is started anew, up to three times, before its environment fails"
        yield Change(f"{path}.restart.attempts", "one", "three", reason)
        reason = "that is how long Fargate waits for a container that another waits for"
        yield Change(f"{path}.timeout", None, f"{JOB_SECONDS} s", reason, Fidelity.SCALED)


_MOST = "that is the most that Fargate takes"
_BOUNDS = {"interval": (5, 300, 30), "timeout": (2, 60, 5), "start_period": (0, 300, 0), "retries": (1, 10, 3)}
"""Setting -> the least, the most (Amazon ECS API, HealthCheck) and Docker's own where a document says nothing."""


def health(service: Service) -> tuple[dict[str, object] | None, tuple[Change, ...]]:
    """The health check as ECS takes it, and what of it had to be brought within ECS's bounds."""
    check: HealthCheck | None = service.healthcheck
    if check is None or check.test is None or check.test == ("NONE",):
        return None, ()
    made: dict[str, object] = {"command": list(check.test)}
    changes: list[Change] = []
    for key, (least, most, usual) in _BOUNDS.items():
        given = getattr(check, key)
        value = round(min(max(usual if given is None else given, least), most))
        made["startPeriod" if key == "start_period" else key] = value
        if given is not None and value != given:
            path = f"services.{service.name}.healthcheck.{key}"
            changes.append(Change(path, as_text(given), str(value), _OWN, Fidelity.SCALED))
    return made, tuple(changes)


_OWN = "ECS takes whole seconds within bounds of its own"
