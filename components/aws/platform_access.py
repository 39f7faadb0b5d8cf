"""The platform's way in and what tasks run on: load balancer, listener, cluster, namespace and execution role."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child, fixed
from understudy.components.aws.roles import trust_policy
from understudy.stacks import aws_names
from understudy.stacks.aws.platform import PLATFORM, execution_role, partition_of

__all__ = ["Access", "AccessArgs"]

_EXECUTION = "service-role/AmazonECSTaskExecutionRolePolicy"
_TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessArgs:
    """What it is given: the network, who may call, and the certificate, if there is one.

    `rules`: the callers' CIDR and port -> the logical name that their rule has in the stack so far.
    """

    vpc: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    internal: bool
    certificate_arn: str
    callers: Sequence[str]
    account: str
    region: str
    rules: Mapping[tuple[str, int], str]


class Access(pulumi.ComponentResource):
    """A load balancer that answers 404 to whatever no environment's rule matches, and a cluster on Fargate.

    Example:
        >>> Access("access", AccessArgs(vpc=vpc.id, **rest), ResourceOptions(parent=platform))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Access", name, {}, opts)
        self._name = name
        self.group = self._group(args)
        self.balancer = aws.lb.LoadBalancer(
            f"{name}-balancer",
            name=aws_names.load_balancer(PLATFORM, "gateways"),
            load_balancer_type="application",
            internal=args.internal,
            security_groups=[self.group.id],
            subnets=list(args.subnets),
            enable_deletion_protection=False,
            opts=fixed(self),
        )
        self.listener = self._listener(args)
        self.cluster = self._cluster()
        self.namespace = aws.servicediscovery.HttpNamespace(
            f"{name}-namespace", name=aws_names.namespace(PLATFORM), description="Shared names", opts=fixed(self)
        )
        self.execution = self._execution(args)
        self.register_outputs({"listener": self.listener.arn, "cluster": self.cluster.arn})

    def _group(self, args: AccessArgs) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-group",
            name=aws_names.security_group(PLATFORM, "gateways"),
            description="The load balancer of previews",
            vpc_id=args.vpc,
            opts=fixed(self),
        )
        port = 443 if args.certificate_arn else 80
        for callers in args.callers:
            self._let_in(group, callers, port, args.rules.get((callers, port)))
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-out", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0", opts=child(self)
        )
        return group

    def _let_in(self, group: aws.ec2.SecurityGroup, callers: str, port: int, former: str | None) -> None:
        """A rule that is named by whom it lets in: AWS takes no second one of them, under whichever name it came."""
        aliases: list[str | pulumi.Alias] = [pulumi.Alias(name=former)] if former else []
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-in-{port}-{re.sub('[./]', '-', callers)}",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=callers,
            opts=pulumi.ResourceOptions.merge(child(self), pulumi.ResourceOptions(aliases=aliases)),
        )

    def _listener(self, args: AccessArgs) -> aws.lb.Listener:
        tls = bool(args.certificate_arn)
        return aws.lb.Listener(
            f"{self._name}-listener",
            load_balancer_arn=self.balancer.arn,
            port=443 if tls else 80,
            protocol="HTTPS" if tls else "HTTP",
            certificate_arn=args.certificate_arn or None,
            ssl_policy=_TLS if tls else None,
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(
                    type="fixed-response",
                    fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(
                        content_type="text/plain", status_code="404", message_body="There is no such environment."
                    ),
                )
            ],
            opts=child(self),
        )

    def _cluster(self) -> aws.ecs.Cluster:
        cluster = aws.ecs.Cluster(
            f"{self._name}-cluster",
            name=aws_names.service(PLATFORM, "previews"),
            settings=[aws.ecs.ClusterSettingArgs(name="containerInsights", value="disabled")],
            opts=fixed(self),
        )
        aws.ecs.ClusterCapacityProviders(
            f"{self._name}-capacity",
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            opts=child(self),
        )
        return cluster

    def _execution(self, args: AccessArgs) -> aws.iam.Role:
        """What pulls images, writes logs, and reads what keeps secrets of environments and of the shared database."""
        partition = partition_of(args.region)
        role = aws.iam.Role(
            f"{self._name}-execution",
            name=execution_role(args.region),
            assume_role_policy=trust_policy(args.account),
            force_detach_policies=True,
            opts=fixed(self),
        )
        aws.iam.RolePolicyAttachment(
            f"{self._name}-execution-own",
            role=role.name,
            policy_arn=f"arn:{partition}:iam::aws:policy/{_EXECUTION}",
            opts=child(self),
        )
        place = f"{args.region}:{args.account}"
        reads = {
            "secretsmanager:GetSecretValue": f"secretsmanager:{place}:secret:{aws_names.SECRET_PREFIX}*",
            "ssm:GetParameters": f"ssm:{place}:parameter{aws_names.PARAMETER_PREFIX}*",
        }
        statements = [
            {"Effect": "Allow", "Action": [action], "Resource": [f"arn:{partition}:{what}"]}
            for action, what in reads.items()
        ]
        aws.iam.RolePolicy(
            f"{self._name}-execution-secrets",
            name="secrets",
            role=role.id,
            policy=json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True),
            opts=child(self),
        )
        return role
