"""The network of an environment: one security group, and one namespace in which its names are unique."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child, fixed
from understudy.stacks.aws.plan import AwsPlan

__all__ = ["Network", "NetworkArgs"]

_ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """What a network is given."""

    plan: AwsPlan


class Network(pulumi.ComponentResource):
    """A security group whose members reach each other, and out as far as the plan says, and a namespace.

    Example:
        >>> Network("shop-network", NetworkArgs(plan=plan), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Network", name, {}, opts)
        plan = args.plan
        self._name = name
        self.group = aws.ec2.SecurityGroup(
            f"{name}-group",
            name=plan.security_group,
            description=f"Tasks of the environment {plan.environment.id}",
            vpc_id=plan.platform.vpc_id,
            revoke_rules_on_delete=True,  # its rules refer to itself
            opts=fixed(self),
        )
        self.rules = [self._between("in", aws.vpc.SecurityGroupIngressRule), *self._outward(plan)]
        if plan.gateway is not None:
            self.rules.append(
                aws.vpc.SecurityGroupIngressRule(
                    f"{name}-from-gateway",
                    security_group_id=self.group.id,
                    description="The load balancer",
                    ip_protocol="tcp",
                    from_port=plan.gateway.port,
                    to_port=plan.gateway.port,
                    referenced_security_group_id=plan.platform.alb_security_group_id,
                    opts=child(self),
                )
            )
        self.namespace = aws.servicediscovery.HttpNamespace(
            f"{name}-namespace",
            name=plan.namespace,
            description=f"Names in the environment {plan.environment.id}",
            opts=fixed(self),
        )
        self.register_outputs({"group": self.group.id, "namespace": self.namespace.arn})

    def _between(self, way: str, kind: Callable[..., pulumi.Resource]) -> pulumi.Resource:
        """The rule that lets the members of the group reach each other."""
        return kind(
            f"{self._name}-between-{way}",
            security_group_id=self.group.id,
            description="Tasks of the same environment",
            ip_protocol="-1",
            referenced_security_group_id=self.group.id,
            opts=child(self),
        )

    def _outward(self, plan: AwsPlan) -> list[pulumi.Resource]:
        if plan.egress is None:
            return [self._out("out", {"ip_protocol": "-1"})]
        ports = [
            self._out(f"out-{port}", {"ip_protocol": "tcp", "from_port": port, "to_port": port}) for port in plan.egress
        ]
        return [self._between("out", aws.vpc.SecurityGroupEgressRule), *ports]

    def _out(self, name: str, what: dict[str, str | int]) -> pulumi.Resource:
        made: pulumi.Resource = aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{name}",
            security_group_id=self.group.id,
            description="Out of the environment",
            cidr_ipv4=_ANYWHERE,
            opts=child(self),
            **what,
        )
        return made
