"""Tasks: from a service of the clone to a Fargate task definition, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from understudy.stacks import aws_names
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.identity import RESERVED_LABELS
from understudy.stacks.topology import Service

from . import fargate
from .files import Files, fetching
from .plan import Alias, BucketPlan, Container, Statement, TaskPlan
from .platform import Platform
from .secrets import Vault, hold_no_tokens
from .sizes import UNIT, Size, fitting

__all__ = ["STREAMS", "Maker", "keeper"]

STREAMS = "understudy"
"""The prefix of the log streams of services."""

_MEBIBYTE = 1024 * 1024
_KEEP = "trap 'exit 0' TERM; while :; do sleep 60 & wait $!; done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What the tasks of one environment have in common."""

    environment: str
    platform: Platform
    vault: Vault
    tool_image: str
    files: BucketPlan

    def task(
        self, service: Service, image: str, files: Files, aliases: tuple[Alias, ...], statements: tuple[Statement, ...]
    ) -> tuple[TaskPlan, tuple[Change, ...]]:
        """The task of a service, and what differs on Fargate.

        Raises:
            UsageError: Fargate cannot run it, or a secret stands where a definition shows it.
        """
        architecture = fargate.hold(service)
        hold_no_tokens(service)
        size = fitting(service.resources.cpus, service.resources.memory, f"Service {service.name!r}")
        shown, kept = self.vault.split(service)
        check, checked = fargate.health(service)
        first = list(fetching(service.name, files, image, self.tool_image, self.files.name))
        main = {
            **_process(service, image),
            "essential": service.kind != "job",
            "environment": [{"name": key, "value": value} for key, value in sorted(shown.items())],
            "portMappings": [_port(alias.port) for alias in aliases],
            "mountPoints": files.mount_points,
            "dependsOn": [{"containerName": each["name"], "condition": "SUCCESS"} for each in first[-1:]],
            **({} if check is None else {"healthCheck": check}),
        }
        last = []
        if service.kind == "job":
            main["startTimeout"] = fargate.JOB_SECONDS
            last = [keeper(service.name, self.tool_image, (str(main["name"]),))]
        own = (*statements, *self._reading(files))
        made = TaskPlan(
            family=aws_names.family(self.environment, service.name),
            cpu=size.cpu,
            memory=size.memory,
            architecture=architecture,
            containers=(
                *(Container(self._logged(each)) for each in first),
                Container(self._logged(main), kept),
                *(Container(self._logged(each)) for each in last),
            ),
            volumes=files.names,
            statements=own,
            role=aws_names.role(self.environment, service.name) if own else "",
        )
        return made, (*fargate.left_out(service), *checked, *_scaled(service, size), *files.changes)

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


def _scaled(service: Service, size: Size) -> tuple[Change, ...]:
    path = f"services.{service.name}.resources"
    reason = f"tasks of Fargate have a few sizes; this one has {size.text}"
    changes = []
    if service.resources.cpus is None or size.cpu != round(service.resources.cpus * UNIT):
        given = None if service.resources.cpus is None else f"{service.resources.cpus:g}"
        changes.append(Change(f"{path}.cpus", given, f"{size.cpu / UNIT:g}", reason, Fidelity.SCALED))
    if service.resources.memory is None:
        changes.append(Change(f"{path}.memory", None, f"{size.memory} MiB", reason, Fidelity.SCALED))
    return tuple(changes)
