"""The calls that reading an account makes: a table with the IAM action of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from understudy import __version__
from understudy.aws_failures import Why, aws_errors, failure_of, tool_error
from understudy.aws_sessions import made_session
from understudy.errors import UsageError

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.client import BaseClient

__all__ = ["ACTIONS", "Asking", "open_session"]

Json = Mapping[str, Any]

_ELB, _TAGS, _SCALING = "elasticloadbalancing", "tag", "application-autoscaling"

ACTIONS: Mapping[str, str] = {
    "sts:GetCallerIdentity": "sts:GetCallerIdentity",
    "resourcegroupstaggingapi:GetResources": f"{_TAGS}:GetResources",
    "ecs:ListClusters": "ecs:ListClusters",
    "ecs:ListServices": "ecs:ListServices",
    "ecs:DescribeServices": "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition": "ecs:DescribeTaskDefinition",
    "elbv2:DescribeTargetGroups": f"{_ELB}:DescribeTargetGroups",
    "elbv2:DescribeLoadBalancers": f"{_ELB}:DescribeLoadBalancers",
    "elbv2:DescribeListeners": f"{_ELB}:DescribeListeners",
    "elbv2:DescribeRules": f"{_ELB}:DescribeRules",
    "rds:DescribeDBInstances": "rds:DescribeDBInstances",
    "rds:DescribeDBClusters": "rds:DescribeDBClusters",
    "elasticache:DescribeReplicationGroups": "elasticache:DescribeReplicationGroups",
    "elasticache:DescribeCacheClusters": "elasticache:DescribeCacheClusters",
    "elasticache:DescribeCacheSubnetGroups": "elasticache:DescribeCacheSubnetGroups",
    "elasticache:DescribeServerlessCaches": "elasticache:DescribeServerlessCaches",
    "sqs:ListQueues": "sqs:ListQueues",
    "sqs:GetQueueAttributes": "sqs:GetQueueAttributes",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:GetBucketLocation": "s3:GetBucketLocation",
    "s3:GetBucketVersioning": "s3:GetBucketVersioning",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "servicediscovery:GetService": "servicediscovery:GetService",
    "servicediscovery:GetNamespace": "servicediscovery:GetNamespace",
    "application-autoscaling:DescribeScalableTargets": f"{_SCALING}:DescribeScalableTargets",
    "iam:ListRolePolicies": "iam:ListRolePolicies",
    "iam:GetRolePolicy": "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies": "iam:ListAttachedRolePolicies",
    "iam:GetPolicy": "iam:GetPolicy",
    "iam:GetPolicyVersion": "iam:GetPolicyVersion",
    "ec2:DescribeSubnets": "ec2:DescribeSubnets",
    "ec2:DescribeVpcs": "ec2:DescribeVpcs",
    "ec2:DescribeSecurityGroups": "ec2:DescribeSecurityGroups",
    "secretsmanager:DescribeSecret": "secretsmanager:DescribeSecret",
    "ssm:DescribeParameters": "ssm:DescribeParameters",
}
"""Call (service as boto3 names it, operation) -> its IAM action (Service Authorization Reference). No other is made."""

_LISTS: Mapping[str, str] = {
    "resourcegroupstaggingapi:GetResources": "ResourceTagMappingList",
    "ecs:ListClusters": "clusterArns",
    "ecs:ListServices": "serviceArns",
    "elbv2:DescribeTargetGroups": "TargetGroups",
    "elbv2:DescribeLoadBalancers": "LoadBalancers",
    "elbv2:DescribeListeners": "Listeners",
    "elbv2:DescribeRules": "Rules",
    "rds:DescribeDBInstances": "DBInstances",
    "rds:DescribeDBClusters": "DBClusters",
    "elasticache:DescribeReplicationGroups": "ReplicationGroups",
    "elasticache:DescribeCacheClusters": "CacheClusters",
    "elasticache:DescribeCacheSubnetGroups": "CacheSubnetGroups",
    "elasticache:DescribeServerlessCaches": "ServerlessCaches",
    "sqs:ListQueues": "QueueUrls",
    "s3:ListBuckets": "Buckets",
    "application-autoscaling:DescribeScalableTargets": "ScalableTargets",
    "iam:ListRolePolicies": "PolicyNames",
    "iam:ListAttachedRolePolicies": "AttachedPolicies",
    "ec2:DescribeSubnets": "Subnets",
    "ec2:DescribeVpcs": "Vpcs",
    "ec2:DescribeSecurityGroups": "SecurityGroups",
    "ssm:DescribeParameters": "Parameters",
}
"""Calls that answer in pages -> the key of their list."""

_ATTEMPTS = 8
"""Times that a call is made which AWS has no time for: with botocore's backoff about a minute."""

_QUEUES = 1000
"""Queues of one page; without a size SQS gives one page and does not say that there are more (ListQueues)."""

_CONNECT, _READ = 10, 60
"""Seconds: for a connection, and for the next bytes on one."""


_HINTS = {
    Why.DENIED: "docs/aws.md has the policy that reading an account needs.",
    Why.THROTTLED: "Try again later; AWS_MAX_ATTEMPTS says how often a call is made.",
}


def open_session(variables: Mapping[str, str]) -> Session:
    """The session of the usual variables; its region is AWS_REGION's, else what boto3 finds.

    Raises:
        UsageError: boto3 is missing, or there are no credentials or no region.
    """
    try:
        import boto3  # noqa: F401 - made_session needs it
        from botocore.exceptions import NoCredentialsError, NoRegionError
    except ImportError as error:
        raise UsageError(
            "Looked for boto3, which reads an account of AWS, and it is not installed.",
            hint="Install it with `pip install 'understudy[aws]'`.",
        ) from error
    try:
        session = made_session(region=variables.get("AWS_REGION", ""))
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if not session.region_name:
            raise NoRegionError
    except aws_errors() as error:
        failure = failure_of(error)
        raise UsageError(failure.said("Looked for credentials and region of AWS"), hint=failure.hint) from error
    return session


class Asking:
    """Makes the calls of the table on one account and region; `unanswered` are actions that AWS does not know there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._clients: dict[str, BaseClient] = {}
        self.region = str(session.region_name)
        self.unanswered: list[str] = []

    def all(self, service: str, operation: str, **given: object) -> Iterator[Any]:
        """The entries of every page, as far as what was asked for is there.

        Raises:
            ToolError: AWS refuses, is overtaxed or does not answer.
        """
        from botocore import xform_name

        method, key = xform_name(operation), _LISTS[f"{service}:{operation}"]
        client = self._client(service)
        try:
            if client.can_paginate(method):
                pages = {"PaginationConfig": {"PageSize": _QUEUES}} if service == "sqs" else {}
                for page in client.get_paginator(method).paginate(**given, **pages):
                    yield from page.get(key) or ()
            else:
                yield from getattr(client, method)(**given).get(key) or ()
        except aws_errors() as error:
            self._judge(f"{service}:{operation}", given, error)

    def one(self, service: str, operation: str, **given: object) -> Json:
        """The answer; empty where what was asked for is gone.

        Raises:
            ToolError: AWS refuses, is overtaxed or does not answer.
        """
        from botocore import xform_name

        client = self._client(service)
        try:
            answer: Json = getattr(client, xform_name(operation))(**given)
        except aws_errors() as error:
            self._judge(f"{service}:{operation}", given, error)
            return {}
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def _client(self, service: str) -> BaseClient:
        if service not in self._clients:
            import os

            from botocore.config import Config

            retries: Any = {"mode": "standard"}
            if "AWS_MAX_ATTEMPTS" not in os.environ:
                retries["total_max_attempts"] = _ATTEMPTS
            config = Config(
                connect_timeout=_CONNECT,
                read_timeout=_READ,
                retries=retries,
                user_agent_extra=f"understudy/{__version__}",
            )
            name: Any = service
            self._clients[service] = self._session.client(name, region_name=self.region, config=config)
        return self._clients[service]

    def _judge(self, call: str, given: Mapping[str, object], error: Exception) -> None:
        """Raise what a failure means; return where it means that there is nothing."""
        why = failure_of(error).why
        if why is Why.GONE:
            return
        if why is Why.UNKNOWN:
            self.unanswered.append(ACTIONS[call])
            return
        of = next((f" of {value}" for value in given.values() if isinstance(value, str)), "")
        raise tool_error(f"Asked AWS for {ACTIONS[call]}{of} in {self.region}", error, _HINTS) from error
