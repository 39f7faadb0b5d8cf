"""What the platform's load balancer has by now: target groups, rules, their priorities, and the hosts they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from understudy.aws_failures import asking, failure_of
from understudy.targets.aws.session import AwsSession

if TYPE_CHECKING:
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client

__all__ = ["Room", "room_of"]


@dataclass(frozen=True, slots=True)
class Room:
    """How many target groups the load balancer has; of its listener, host name -> the priority of its rule.

    `rules` and `priorities` are of the listener's rules but the default one, those without a host too.
    """

    target_groups: int
    rules: int
    priorities: frozenset[int]
    hosts: Mapping[str, int]


def room_of(aws: AwsSession, load_balancer: str, listener: str) -> Room:
    """Count what there is on a load balancer and its listener, both given by ARN.

    Raises:
        ToolError: a listing failed.
    """
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    with asking("Looked for room on the platform's load balancer"):
        groups = _target_groups(elb, load_balancer)
        rules = [
            rule
            for page in elb.get_paginator("describe_rules").paginate(ListenerArn=listener)
            for rule in page["Rules"]
            if rule["Priority"] != "default"
        ]
    hosts = {
        host: int(rule["Priority"])
        for rule in rules
        for condition in rule.get("Conditions", ())
        for host in condition.get("HostHeaderConfig", {}).get("Values", ())
    }
    return Room(groups, len(rules), frozenset(int(rule["Priority"]) for rule in rules), hosts)


def _target_groups(elb: ElasticLoadBalancingv2Client, load_balancer: str) -> int:
    """How many there are; of a load balancer that has none, moto says that they are not found."""
    from botocore.exceptions import ClientError

    pages = elb.get_paginator("describe_target_groups").paginate(LoadBalancerArn=load_balancer)
    try:
        return sum(len(page["TargetGroups"]) for page in pages)
    except ClientError as error:
        if failure_of(error).code == "TargetGroupNotFound":
            return 0
        raise
