"""Errands: what a task has to do before an environment is destroyed, and where, told by a label of its definition.

The definition carries the environment's tags, so whoever removes an environment finds the errand by them, with neither
the engine's state nor the platform's stack.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from understudy.stacks import aws_names
from understudy.stacks.identity import LABEL

from .plan import AwsPlan, TaskPlan
from .platform import Platform

__all__ = ["ERRAND", "FAMILY", "Errand", "errand_of", "errands_of", "logical", "marked"]

ERRAND = LABEL + "errand"
"""The label of a container that says what its task does; none of production's begins so (identity.RESERVED_LABELS)."""

FAMILY = "understudy-errand"
"""What follows the environment's id in the family of an errand's definition. No service of a clone is called so with a
dot, and one whose definition has no label is no errand."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a task takes away, in words, and where it runs. `private`: the subnets have no public addresses."""

    what: str
    cluster: str
    subnets: tuple[str, ...]
    security_group: str
    private: bool = False


def logical(service: str) -> str:
    """The logical name of the errand of a service."""
    return f"{FAMILY}.{service}"


def marked(task: TaskPlan, what: str, platform: Platform, environment: str) -> TaskPlan:
    """The task with the label that says its errand."""
    group = aws_names.security_group(environment, "tasks")
    errand = Errand(what, platform.cluster_arn, tuple(platform.subnet_ids), group, platform.private)
    text = json.dumps(asdict(errand), sort_keys=True)
    return replace(
        task,
        containers=tuple(
            replace(each, definition=_labelled(each.definition, text)) if each.definition["essential"] else each
            for each in task.containers
        ),
    )


def _labelled(definition: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {**definition, "dockerLabels": {**definition.get("dockerLabels", {}), ERRAND: text}}


def errand_of(containers: Iterable[Mapping[str, Any]]) -> tuple[Errand, str] | None:
    """The errand of a task's container definitions, and the container that runs it; None: it has none.

    Raises:
        ValueError, KeyError, TypeError: the label is not as `marked` writes it.
    """
    for container in containers:
        text = container.get("dockerLabels", {}).get(ERRAND)
        if text is not None:
            given = json.loads(text)
            return Errand(**{**given, "subnets": tuple(given["subnets"])}), container["name"]
    return None


def errands_of(plan: AwsPlan) -> dict[str, str]:
    """The errands of a plan: the family of the task's definition -> what it takes away, in words."""
    made = {task.family: errand_of(each.definition for each in task.containers) for task in plan.errands.values()}
    return {family: found[0].what for family, found in made.items() if found is not None}
