"""Evidence from tasks: each container's state as facts, those that have stopped in the last hour too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from understudy.aws_failures import asking
from understudy.stacks.identity import Whose
from understudy.targets.aws.kinds import labels_of
from understudy.targets.aws.kinds_compute import described_services, described_tasks, task_arns
from understudy.targets.aws.listers import kind_named
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import ContainerFacts
from understudy.targets.ownership import is_owned
from understudy.targets.suite_marks import is_suite

__all__ = ["services_of", "task_facts", "tasks_of"]


def services_of(aws: AwsSession, whose: Whose) -> list[Mapping[str, Any]]:
    """The environment's ECS services as ECS describes them, those that suites run in left out.

    Raises:
        ToolError: a listing failed.
    """
    with asking(f"Looked at the services of environment {whose.environment}"):
        arns = sorted(set(kind_named("ecs-service").candidates(aws, whose.environment)))
        return [row for row in described_services(aws, arns) if _serves(row, whose)]


def tasks_of(aws: AwsSession, whose: Whose) -> list[Mapping[str, Any]]:
    """The environment's tasks as ECS describes them, stopped ones too: ECS forgets those within the hour.

    Those that suites run in are left out.

    Raises:
        ToolError: a listing failed.
    """
    with asking(f"Listed the tasks of environment {whose.environment}"):
        arns = sorted(task_arns(aws, "RUNNING", "STOPPED"))
        return [row for row in described_tasks(aws, arns) if _serves(row, whose)]


def _serves(row: Mapping[str, Any], whose: Whose) -> bool:
    labels = labels_of(row.get("tags"))
    return is_owned(labels, whose) and not is_suite(labels)


def task_facts(task: Mapping[str, Any]) -> Iterator[ContainerFacts]:
    """The facts of each container of a task, without its environment; a container has the name of its service."""
    ident = task["taskArn"].rpartition("/")[2]
    for row in task.get("containers", ()):
        facts = {
            "id": row.get("containerArn", task["taskArn"]),
            "task": task["taskArn"],
            "state": str(row.get("lastStatus", "")).lower(),
            "exit_code": row.get("exitCode"),
            "error": row.get("reason", ""),
            "stopped_reason": task.get("stoppedReason", ""),
            "stop_code": task.get("stopCode", ""),
            "health": str(row.get("healthStatus", "")).lower(),
            "image": row.get("image", ""),
            "image_id": row.get("imageDigest", ""),
            "created": _moment(task.get("createdAt")),
            "started": _moment(task.get("startedAt")),
            "finished": _moment(task.get("stoppedAt")),
            "memory": task.get("memory"),
            "cpu": task.get("cpu"),
            "capacity": task.get("capacityProviderName", ""),
        }
        yield ContainerFacts(f"{ident}/{row['name']}", row["name"], facts)


def _moment(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else ""
