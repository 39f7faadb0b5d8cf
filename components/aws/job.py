"""A job: a task whose service is steady once the job has ended well; and a task that a command runs when it is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from understudy.components.aws.service import SERVICES, Service, task_definition
from understudy.stacks.aws.plan import TaskPlan
from understudy.stacks.aws.platform import Platform

__all__ = ["Job", "OneShot", "OneShotArgs"]


@SERVICES.register("job")
class Job(Service):
    """The ECS service of one job. Only tasks of services know the environment's names, so a job's task is one too.

    Example:
        >>> Job("shop-migrate", ServiceArgs(plan=migrate, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:Job"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShotArgs:
    """What a task that a command runs is given."""

    task: TaskPlan
    platform: Platform
    secrets: Mapping[str, pulumi.Output[str]]


class OneShot(pulumi.ComponentResource):
    """A task definition alone, such as the one that drops a database before its environment is destroyed.

    Example:
        >>> OneShot("shop-db-drop", OneShotArgs(task=drop, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: OneShotArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:OneShot", name, {}, opts)
        self.task, _ = task_definition(name, args.task, args.platform, args.secrets, self)
        self.register_outputs({"task": self.task.arn})
