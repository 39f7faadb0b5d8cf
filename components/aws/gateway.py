"""A gateway: the one service that the load balancer forwards to, by the environment's host name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import fixed
from understudy.components.aws.service import SERVICES, Service
from understudy.stacks.aws.plan import GatewayPlan
from understudy.stacks.aws.platform import Platform

__all__ = ["Gateway", "WayIn", "WayInArgs"]


@SERVICES.register("gateway")
class Gateway(Service):
    """The ECS service of a gateway.

    Example:
        >>> Gateway("shop-web", ServiceArgs(plan=web, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:Gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayInArgs:
    """What the way in is given."""

    plan: GatewayPlan
    platform: Platform


class WayIn(pulumi.ComponentResource):
    """A target group, and the rule on the platform's listener that forwards to it.

    Example:
        >>> WayIn("shop-in", WayInArgs(plan=gateway, platform=platform), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: WayInArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:WayIn", name, {}, opts)
        plan, platform = args.plan, args.platform
        self.target_group = aws.lb.TargetGroup(
            f"{name}-targets",
            name=plan.target_group,
            port=plan.port,
            protocol="HTTP",
            target_type="ip",
            vpc_id=platform.vpc_id,
            deregistration_delay=5,  # seconds; 300 if nothing is said, and so long a destroy would last
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                path="/",
                interval=5,
                timeout=2,
                healthy_threshold=2,
                unhealthy_threshold=5,
                matcher="200-499",  # it answers; what it says is the tests' business
            ),
            opts=fixed(self),
        )
        self.rule = aws.lb.ListenerRule(
            f"{name}-rule",
            listener_arn=platform.listener_arn,
            priority=plan.priority,
            conditions=[
                aws.lb.ListenerRuleConditionArgs(
                    host_header=aws.lb.ListenerRuleConditionHostHeaderArgs(values=[plan.host])
                )
            ],
            actions=[aws.lb.ListenerRuleActionArgs(type="forward", target_group_arn=self.target_group.arn)],
            opts=fixed(self),
        )
        self.register_outputs({"host": plan.host})
