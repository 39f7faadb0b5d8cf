"""A service: a Fargate task and an ECS service that answers under production's name; the ground for other kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import pulumi
import pulumi_aws as aws

from understudy.components.aws.addresses import Addresses, placed
from understudy.components.aws.options import child, steady
from understudy.components.aws.roles import TaskRole, TaskRoleArgs
from understudy.components.kinds import of_any_kind
from understudy.components.registry import Registry
from understudy.stacks.aws.plan import Container, GatewayPlan, ServicePlan, TaskPlan
from understudy.stacks.aws.platform import Platform
from understudy.stacks.aws_names import discovery, port_name

__all__ = ["SERVICES", "Behind", "Service", "ServiceArgs", "task_definition"]

SERVICES: Registry[type[Service]] = Registry("kind of service on AWS")
"""Every kind of service (topology.Kind, and mock) that runs as a task, and the component class that builds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What a service behind the load balancer needs: its target group, and the rule that makes it count."""

    plan: GatewayPlan
    target_group: pulumi.Input[str]
    rule: pulumi.Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceArgs:
    """What the component of a service of any kind is given.

    Attributes:
        plan: the service.
        platform: where it runs.
        group: the id of the environment's security group.
        namespace: the ARN of its namespace.
        secrets: secret -> its ARN.
        addresses: what stands for an address in the plan -> the address.
        wait_for: what has to be there before.
        behind: only of the gateway.
    """

    plan: ServicePlan
    platform: Platform
    group: pulumi.Input[str]
    namespace: pulumi.Input[str]
    secrets: Mapping[str, pulumi.Output[str]]
    addresses: Addresses = field(default_factory=dict)
    wait_for: Sequence[pulumi.Resource] = ()
    behind: Behind | None = None


@SERVICES.register("service")
class Service(pulumi.ComponentResource):
    """One ECS service. Its creation ends when as many tasks as it should have are healthy.

    Example:
        >>> Service("shop-web", ServiceArgs(plan=web, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type: ClassVar[str] = "understudy:aws:Service"

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        kinds = of_any_kind(self.pulumi_type, (SERVICES.get(kind).pulumi_type for kind in SERVICES.names()))
        super().__init__(self.pulumi_type, name, {}, pulumi.ResourceOptions.merge(opts, kinds))
        plan, platform = args.plan, args.platform
        self.task, role = task_definition(name, plan.task, platform, args.secrets, self, addresses=args.addresses)
        behind = [] if args.behind is None else [args.behind.rule]
        self.service = aws.ecs.Service(
            f"{name}-service",
            name=plan.name,
            cluster=platform.cluster_arn,
            task_definition=self.task.arn,
            desired_count=plan.replicas,
            capacity_provider_strategies=[
                aws.ecs.ServiceCapacityProviderStrategyArgs(
                    capacity_provider="FARGATE_SPOT" if plan.spot else "FARGATE", weight=1
                )
            ],
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=list(platform.subnet_ids), security_groups=[args.group], assign_public_ip=not platform.private
            ),
            service_connect_configuration=_connected(plan, args.namespace),
            load_balancers=None if args.behind is None else [_balanced(args.behind)],
            health_check_grace_period_seconds=None if args.behind is None else _GRACE,
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=False),
            deployment_minimum_healthy_percent=0,
            deployment_maximum_percent=200,
            propagate_tags="SERVICE",  # default tags do not reach tasks
            enable_ecs_managed_tags=True,
            force_delete=True,
            wait_for_steady_state=True,
            opts=steady(self, [*role, *behind, *args.wait_for]),
        )
        self.register_outputs({"service": self.service.name})


_GRACE = 60
"""Seconds that a task behind the load balancer has before a failing check ends it."""


def task_definition(
    name: str,
    task: TaskPlan,
    platform: Platform,
    secrets: Mapping[str, pulumi.Output[str]],
    parent: pulumi.Resource,
    *,
    addresses: Addresses = MappingProxyType({}),
    wait_for: Sequence[pulumi.Resource] = (),
) -> tuple[aws.ecs.TaskDefinition, list[pulumi.Resource]]:
    """A task definition with its role, made after `wait_for`, and what a task that runs it has to wait for."""
    role = None
    if task.role:
        given = TaskRoleArgs(role=task.role, statements=task.statements, platform=platform)
        role = TaskRole(f"{name}-task", given, child(parent))
    made = aws.ecs.TaskDefinition(
        f"{name}-definition",
        family=task.family,
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=str(task.cpu),
        memory=str(task.memory),
        runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
            operating_system_family="LINUX", cpu_architecture=task.architecture
        ),
        execution_role_arn=platform.execution_role_arn,
        task_role_arn=None if role is None else role.role.arn,
        volumes=[aws.ecs.TaskDefinitionVolumeArgs(name=volume) for volume in task.volumes] or None,
        container_definitions=_definitions(task.containers, secrets, addresses),
        skip_destroy=False,
        opts=child(parent, wait_for),
    )
    return made, [] if role is None else [role.policy]


def _definitions(
    containers: Sequence[Container], secrets: Mapping[str, pulumi.Output[str]], addresses: Addresses
) -> pulumi.Input[str]:
    """The containers as ECS's JSON, with the ARNs of their secrets and the addresses that they name."""
    used = {logical for container in containers for logical in container.secrets.values()}
    arns = pulumi.Output.all(**{logical: secrets[logical] for logical in sorted(used)})
    text = arns.apply(lambda known: json.dumps([_one(each, known) for each in containers], sort_keys=True))
    return placed(text, json.dumps([dict(each.definition) for each in containers]), addresses)


def _one(container: Container, arns: Mapping[str, str]) -> dict[str, Any]:
    found = {key: arns[logical] for key, logical in container.secrets.items()} | dict(container.platform_secrets)
    listed = [{"name": key, "valueFrom": arn} for key, arn in sorted(found.items())]
    return {**container.definition, **({"secrets": listed} if listed else {})}


def _connected(plan: ServicePlan, namespace: pulumi.Input[str]) -> aws.ecs.ServiceServiceConnectConfigurationArgs:
    """Every service is a client of the environment's names; one that is called is a server too."""
    return aws.ecs.ServiceServiceConnectConfigurationArgs(
        enabled=True,
        namespace=namespace,
        services=[
            aws.ecs.ServiceServiceConnectConfigurationServiceArgs(
                port_name=port_name(alias.port),
                discovery_name=discovery(plan.logical, alias.port),
                client_alias=[
                    aws.ecs.ServiceServiceConnectConfigurationServiceClientAliasArgs(
                        port=alias.port, dns_name=alias.host
                    )
                ],
            )
            for alias in plan.aliases
        ]
        or None,
    )


def _balanced(behind: Behind) -> aws.ecs.ServiceLoadBalancerArgs:
    return aws.ecs.ServiceLoadBalancerArgs(
        target_group_arn=behind.target_group, container_name=behind.plan.container, container_port=behind.plan.port
    )
