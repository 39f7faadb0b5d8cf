"""What a load balancer holds of an environment: rules on a listener that others share, and target groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import Why, failure_of
from understudy.targets.aws.kinds import Kind, batches, each, labels_of, may_be_ours
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned

if TYPE_CHECKING:
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client

__all__ = ["GATEWAY", "described_rules"]

_TAGS = 20
"""The most that one DescribeTags takes (ELB API Reference)."""


def _tags(elb: ElasticLoadBalancingv2Client, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of those that are there: one that goes meanwhile, whoever's it is, would fail its whole batch."""
    from botocore.exceptions import ClientError

    found: dict[str, dict[str, str]] = {}
    for some in batches(arns, _TAGS):
        try:
            answers = [elb.describe_tags(ResourceArns=some)]
        except ClientError as error:
            if failure_of(error).why is not Why.GONE:
                raise
            answers = list(each(lambda arn: elb.describe_tags(ResourceArns=[arn]), some))
        rows = (row for answer in answers for row in answer["TagDescriptions"])
        found.update((row["ResourceArn"], labels_of(row["Tags"])) for row in rows)
    return found


def _rule_candidates(aws: AwsSession, _environment: str | None) -> Iterator[str]:
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    for page in elb.get_paginator("describe_load_balancers").paginate():
        for balancer in page["LoadBalancers"]:
            yield from _rules_on(elb, balancer["LoadBalancerArn"])


def _rules_on(elb: ElasticLoadBalancingv2Client, balancer: str) -> Iterator[str]:
    for page in elb.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer):
        for listener in page["Listeners"]:
            rules = elb.get_paginator("describe_rules").paginate(ListenerArn=listener["ListenerArn"])
            yield from (row["RuleArn"] for some in rules for row in some["Rules"] if not row.get("IsDefault"))


def described_rules(aws: AwsSession, arns: Sequence[str]) -> list[tuple[Mapping[str, Any], dict[str, str]]]:
    """Listener rules with their tags, those that are gone left out.

    Raises:
        botocore.exceptions.ClientError: the load balancer's API refused.
    """
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    rows = [row for answer in each(lambda arn: elb.describe_rules(RuleArns=[arn]), arns) for row in answer["Rules"]]
    tags = _tags(elb, [row["RuleArn"] for row in rows])
    return [(row, tags[row["RuleArn"]]) for row in rows if row["RuleArn"] in tags]


def _rules(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    for row, labels in described_rules(aws, ids):
        yield Owned("listener-rule", row["RuleArn"], f"rule {row.get('Priority', '')}", labels)


def _remove_rule(aws: AwsSession, item: Owned) -> None:
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    elb.delete_rule(RuleArn=item.id)


def _group_candidates(aws: AwsSession, environment: str | None) -> Iterator[str]:
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    for page in elb.get_paginator("describe_target_groups").paginate():
        for row in page["TargetGroups"]:
            if may_be_ours(row["TargetGroupName"], environment):
                yield row["TargetGroupArn"]


def _groups(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    answers = each(lambda arn: elb.describe_target_groups(TargetGroupArns=[arn]), ids)
    rows = [row for answer in answers for row in answer["TargetGroups"]]
    tags = _tags(elb, [row["TargetGroupArn"] for row in rows])
    for row in rows:
        arn = row["TargetGroupArn"]
        if arn in tags:
            yield Owned("target-group", arn, row["TargetGroupName"], tags[arn])


def _remove_group(aws: AwsSession, item: Owned) -> None:
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    elb.delete_target_group(TargetGroupArn=item.id)


GATEWAY = (
    Kind("listener-rule", "elasticloadbalancing", r"listener-rule/.+", _rule_candidates, _rules, _remove_rule),
    Kind("target-group", "elasticloadbalancing", r"targetgroup/.+", _group_candidates, _groups, _remove_group),
)
