"""Roles: what the containers of one task may do on AWS, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child, fixed
from understudy.stacks.aws.plan import Statement
from understudy.stacks.aws.platform import Platform
from understudy.stacks.aws_names import ROLE_PATH

__all__ = ["TaskRole", "TaskRoleArgs", "trust_policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRoleArgs:
    """What a role is given: its physical name, what it may do, and where its task runs."""

    role: str
    statements: Sequence[Statement]
    platform: Platform


class TaskRole(pulumi.ComponentResource):
    """A role and its one inline policy. A task depends on the policy too: without it, it may never drain.

    Example:
        >>> TaskRole("shop-web", TaskRoleArgs(role="e-web", **rest), ResourceOptions(parent=web))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: TaskRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:TaskRole", name, {}, opts)
        self.role = aws.iam.Role(
            f"{name}-role",
            name=args.role,
            path=ROLE_PATH,
            description="A task of an environment of Understudy",
            assume_role_policy=trust_policy(args.platform.account),
            force_detach_policies=True,
            permissions_boundary=args.platform.permissions_boundary or None,
            opts=fixed(self),
        )
        self.policy = aws.iam.RolePolicy(
            f"{name}-policy", name="understudy", role=self.role.id, policy=_policy(args.statements), opts=child(self)
        )
        self.register_outputs({"arn": self.role.arn})


def trust_policy(account: str) -> str:
    """Who may take a role: tasks of ECS in the account (AWS, Confused deputy)."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def _policy(statements: Sequence[Statement]) -> str:
    listed = [
        {"Effect": "Allow", "Action": list(each.actions), "Resource": list(each.resources)} for each in statements
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": listed}, sort_keys=True)
