"""A job: a task whose service is steady once the job has ended well; and one that is run before all is destroyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from understudy.components.aws.service import SERVICES, Service, task_definition
from understudy.stacks.aws.plan import TaskPlan
from understudy.stacks.aws.platform import Platform

__all__ = ["Errand", "ErrandArgs", "Job"]


@SERVICES.register("job")
class Job(Service):
    """The ECS service of one job. Only tasks of services know the environment's names, so a job's task is one too.

    Example:
        >>> Job("shop-migrate", ServiceArgs(plan=migrate, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:Job"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandArgs:
    """What an errand is given. `wait_for` is what its task needs: while the definition is there, so is that."""

    task: TaskPlan
    platform: Platform
    secrets: Mapping[str, pulumi.Output[str]]
    wait_for: Sequence[pulumi.Resource]


class Errand(pulumi.ComponentResource):
    """A task definition alone, such as the one that drops a database before its environment is destroyed.

    Example:
        >>> Errand("shop-db-drop", ErrandArgs(task=drop, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: ErrandArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Errand", name, {}, opts)
        self.task, _ = task_definition(name, args.task, args.platform, args.secrets, self, wait_for=args.wait_for)
        self.register_outputs({"task": self.task.arn})
