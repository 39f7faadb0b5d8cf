"""What an account holds, by AWS's own listings and nothing of Understudy's, to compare before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import boto3

__all__ = ["holdings"]


def holdings() -> Mapping[str, frozenset[str]]:
    """Kind -> the ids or names of all that is there and alive."""
    return {kind: frozenset(listed()) for kind, listed in _LISTS.items()}


def _rows(service: str, operation: str, key: str, field: str) -> Callable[[], list[str]]:
    def listed() -> list[str]:
        client: Any = boto3.client(service)
        if not client.can_paginate(operation):
            return [str(row[field]) for row in getattr(client, operation)()[key]]
        return [str(row[field]) for page in client.get_paginator(operation).paginate() for row in page[key]]

    return listed


def _of_clusters(operation: str, key: str) -> Callable[[], list[str]]:
    def listed() -> list[str]:
        ecs: Any = boto3.client("ecs")
        clusters = ecs.list_clusters()["clusterArns"]
        return [arn for cluster in clusters for arn in getattr(ecs, operation)(cluster=cluster)[key]]

    return listed


def _rules() -> list[str]:
    elb: Any = boto3.client("elbv2")
    balancers = [row["LoadBalancerArn"] for row in elb.describe_load_balancers()["LoadBalancers"]]
    listeners = [
        row["ListenerArn"] for arn in balancers for row in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    ]
    return [row["RuleArn"] for arn in listeners for row in elb.describe_rules(ListenerArn=arn)["Rules"]]


def _definitions() -> list[str]:
    return list(boto3.client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"])


_LISTS: Mapping[str, Callable[[], list[str]]] = {
    "service": _of_clusters("list_services", "serviceArns"),
    "task": _of_clusters("list_tasks", "taskArns"),
    "task definition": _definitions,
    "rule": _rules,
    "target group": _rows("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    "load balancer": _rows("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    "security group": _rows("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    "role": _rows("iam", "list_roles", "Roles", "Arn"),
    "secret": _rows("secretsmanager", "list_secrets", "SecretList", "ARN"),
    "parameter": _rows("ssm", "describe_parameters", "Parameters", "Name"),
    "log group": _rows("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "namespace": _rows("servicediscovery", "list_namespaces", "Namespaces", "Id"),
    "bucket": _rows("s3", "list_buckets", "Buckets", "Name"),
}
