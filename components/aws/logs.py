"""Logs: one group of an environment, in which every container of every task has a stream."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import fixed

__all__ = ["DAYS", "Logs"]

DAYS = 3
"""Days that lines are kept where an environment is not destroyed: evidence is exported before."""


class Logs(pulumi.ComponentResource):
    """The log group of this name, which goes with the environment.

    Example:
        >>> Logs("shop-logs", "/understudy/eabc", ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, group: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Logs", name, {}, opts)
        self.group = aws.cloudwatch.LogGroup(
            f"{name}-group", name=group, retention_in_days=DAYS, skip_destroy=False, opts=fixed(self)
        )
        self.register_outputs({"group": self.group.name})
