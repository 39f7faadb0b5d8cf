"""Tasks: from a service of the clone, and those that share its network, to a Fargate task definition, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.errors import UsageError
from understudy.stacks import aws_names
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.identity import RESERVED_LABELS
from understudy.stacks.topology import Condition, Service

from . import fargate
from .files import Files, fetching
from .grouping import joined
from .plan import BucketPlan, Container, Statement, TaskPlan
from .platform import Platform
from .secrets import Vault, hold_no_tokens
from .sizes import UNIT, Size, fitting

__all__ = ["STREAMS", "Maker", "Part", "keeper"]

STREAMS = "understudy"
"""The prefix of the log streams of services."""

MOST = 10
"""Containers of one task definition (Amazon ECS service quotas)."""

_UNSAID = 128 * 1024 * 1024
"""Bytes that are counted for a container without a limit beside others that have one."""

_CONDITIONS: Mapping[Condition, str] = {"started": "START", "healthy": "HEALTHY", "completed": "SUCCESS"}
"""What a service waits for -> what a container does (Amazon ECS API, ContainerDependency)."""

_MEBIBYTE = 1024 * 1024
_KEEP = "trap 'exit 0' TERM; while :; do sleep 60 & wait $!; done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What becomes one service's container in a task: `ports` are those at which others call it."""

    service: Service
    image: str
    files: Files
    ports: tuple[int, ...] = ()
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What the tasks of one environment have in common."""

    environment: str
    platform: Platform
    vault: Vault
    tool_image: str
    files: BucketPlan

    def task(self, name: str, parts: Sequence[Part]) -> tuple[TaskPlan, tuple[Change, ...]]:
        """The task of a service, and what differs on Fargate.

        Args:
            name: the service's.
            parts: its own and those of the services that are in its task, each after those that start before it.

        Raises:
            UsageError: Fargate cannot run one of them, or not all in one task, or a secret stands where a definition
                shows it.
        """
        architecture = _one_architecture(name, parts)
        size, sized = _size(name, parts)
        first: list[dict[str, Any]] = []
        for part in parts:
            before = [each["name"] for each in first[-1:]]
            service = part.service.name
            first += fetching(service, part.files, part.image, self.tool_image, self.files.name, before=before)
        ready = [{"containerName": each["name"], "condition": "SUCCESS"} for each in first[-1:]]
        made = [self._container(part, parts, ready) for part in parts]
        last = []
        if len(parts) == 1 and parts[0].service.kind == "job":
            last = [keeper(name, self.tool_image, (aws_names.container(name),))]
        own = tuple(dict.fromkeys(each for part in parts for each in (*part.statements, *self._reading(part.files))))
        task = TaskPlan(
            family=aws_names.family(self.environment, name),
            cpu=size.cpu,
            memory=size.memory,
            architecture=architecture,
            containers=(
                *(Container(self._logged(each)) for each in first),
                *made,
                *(Container(self._logged(each)) for each in last),
            ),
            volumes=tuple(dict.fromkeys(volume for part in parts for volume in part.files.names)),
            statements=own,
            role=aws_names.role(self.environment, name) if own else "",
        )
        if len(task.containers) > MOST:
            raise UsageError(
                f"The task of service {name!r} would have {len(task.containers)} containers, with those that fill its "
                f"volumes, and ECS takes {MOST}.",
                hint="Mount fewer folders, let fewer services share its network, or run the clone on Docker: "
                "--target docker.",
            )
        return task, (*(change for part in parts for change in _differences(name, part, parts)), *sized)

    def _container(self, part: Part, parts: Sequence[Part], ready: Sequence[Mapping[str, str]]) -> Container:
        """A service's own container, which starts when the task's volumes are filled."""
        service = part.service
        hold_no_tokens(service)
        shown, kept = self.vault.split(service)
        check, _ = fargate.health(service)
        job = service.kind == "job"
        definition = {
            **_process(service, part.image),
            "essential": not job,
            "environment": [{"name": key, "value": value} for key, value in sorted(shown.items())],
            "portMappings": [_port(port) for port in part.ports],
            "mountPoints": part.files.mount_points,
            "dependsOn": [
                *ready,
                *(
                    {"containerName": aws_names.container(other), "condition": _CONDITIONS[until]}
                    for other, _, until in _waited(service, parts)
                ),
            ],
            **({} if check is None else {"healthCheck": check}),
            **({"startTimeout": fargate.JOB_SECONDS} if job else {}),
        }
        return Container(self._logged(definition), kept)

    def _reading(self, files: Files) -> tuple[Statement, ...]:
        """What the first container may do: list and read the files of this task, and no other's."""
        if not files.objects:
            return ()
        own = f"{self.files.arn}/{files.prefix.partition('/')[0]}/*"
        return (Statement(("s3:GetObject",), (own,)), Statement(("s3:ListBucket",), (self.files.arn,)))

    def _logged(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        options = {
            "awslogs-group": aws_names.log_group(self.environment),
            "awslogs-region": self.platform.region,
            "awslogs-stream-prefix": STREAMS,
        }
        kept = {key: value for key, value in definition.items() if value not in (None, [], {})}
        return {**kept, "logConfiguration": {"logDriver": "awslogs", "options": options}}


def keeper(service: str, image: str, after: tuple[str, ...]) -> dict[str, Any]:
    """The container that lets a job's task stay when the job has ended well, so that its service gets steady."""
    return {
        "name": aws_names.container(f"{service}.done"),
        "image": image,
        "essential": True,
        "entryPoint": ["sh", "-c"],
        "command": [_KEEP],
        "dependsOn": [{"containerName": each, "condition": "SUCCESS"} for each in after],
    }


def _process(service: Service, image: str) -> dict[str, Any]:
    """What runs, as whom, and within which limits."""
    memory = service.resources.memory
    reserved = service.resources.memory_reservation
    grace = service.stop_grace_period
    return {
        "name": aws_names.container(service.name),
        "image": image,
        "entryPoint": list(service.entrypoint or ()),
        "command": list(service.command or ()),
        "user": service.user,
        "workingDirectory": service.working_dir,
        "readonlyRootFilesystem": service.read_only or None,
        "pseudoTerminal": service.tty or None,
        "interactive": service.stdin_open or None,
        "memory": None if memory is None else math.ceil(memory / _MEBIBYTE),
        "memoryReservation": None if reserved is None else math.ceil(reserved / _MEBIBYTE),
        "stopTimeout": None if grace is None else min(math.ceil(grace), fargate.STOP_SECONDS),
        "dockerLabels": {k: v for k, v in sorted(service.labels.items()) if not k.startswith(RESERVED_LABELS)},
        "ulimits": [
            {"name": limit.name, "softLimit": limit.soft, "hardLimit": limit.hard}
            for limit in service.ulimits
            if limit.name == "nofile"
        ],
        "systemControls": [{"namespace": key, "value": value} for key, value in sorted(service.sysctls.items())],
        "linuxParameters": _linux(service),
    }


def _linux(service: Service) -> dict[str, Any]:
    capabilities = {
        "add": [added.upper().removeprefix("CAP_") for added in service.cap_add],
        "drop": [dropped.upper().removeprefix("CAP_") for dropped in service.cap_drop],
    }
    given = {key: value for key, value in capabilities.items() if value}
    found = {"initProcessEnabled": service.init, "capabilities": given}
    return {key: value for key, value in found.items() if value}


def _port(port: int) -> dict[str, Any]:
    return {"name": aws_names.port_name(port), "containerPort": port, "hostPort": port, "protocol": "tcp"}


def _one_architecture(name: str, parts: Sequence[Part]) -> str:
    """The architecture of a task, of which all its containers are."""
    found = {part.service.name: fargate.hold(part.service) for part in parts}
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{service} is for {architecture}" for service, architecture in found.items())
        raise UsageError(
            f"The services that share the network of {name!r} are one task on AWS, which runs on one kind of "
            f"processors, and {listed}.",
            hint="Give all of them one `platform`, or run the clone on Docker: --target docker.",
        )
    return found[name]


def _waited(service: Service, parts: Sequence[Part]) -> Iterator[tuple[str, Condition, Condition]]:
    """Whom of its task a service waits for, until when, and until when on ECS, which runs no check of an image's."""
    others = {part.service.name: part.service for part in parts}
    for dependency in service.depends_on:
        if (other := others.get(dependency.service)) is not None:
            unasked = dependency.condition == "healthy" and fargate.health(other)[0] is None
            yield other.name, dependency.condition, "started" if unasked else dependency.condition


def _differences(name: str, part: Part, parts: Sequence[Part]) -> Iterator[Change]:
    service = part.service
    yield from joined(service, name)
    yield from fargate.left_out(service)
    yield from fargate.health(service)[1]
    yield from part.files.changes
    for other, asked, until in _waited(service, parts):
        if until != asked:
            reason = "it is in the same task, and ECS does not run the check that stands in an image"
            path = f"services.{service.name}.depends_on.{other}"
            yield Change(path, f"{other} {asked}", f"{other} {until}", reason, rule=service.where.place)


def _size(name: str, parts: Sequence[Part]) -> tuple[Size, tuple[Change, ...]]:
    """The size of a task, in which the limits of all its containers fit, and how it differs from them together."""
    limits = [part.service.resources for part in parts]
    cpus = [each.cpus for each in limits if each.cpus is not None]
    memory = [each.memory for each in limits if each.memory is not None]
    unsaid = (len(limits) - len(memory)) * _UNSAID if memory else 0
    total = sum(cpus) if cpus else None
    size = fitting(total, sum(memory) + unsaid if memory else None, f"Service {name!r}")
    path = f"services.{name}.resources"
    together = f" for its {len(parts)} containers together" if len(parts) > 1 else ""
    reason = f"tasks of Fargate have a few sizes; this one has {size.text}{together}"
    changes = []
    if total is None or size.cpu != round(total * UNIT):
        given = None if total is None else f"{total:g}"
        changes.append(Change(f"{path}.cpus", given, f"{size.cpu / UNIT:g}", reason, Fidelity.SCALED))
    if len(memory) < len(parts):
        given = f"{sum(memory) // _MEBIBYTE} MiB" if memory else None
        changes.append(Change(f"{path}.memory", given, f"{size.memory} MiB", reason, Fidelity.SCALED))
    return size, tuple(changes)
