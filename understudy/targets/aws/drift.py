"""What AWS shows of an environment beside its provider: tasks, their definitions, and what nobody declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import asking
from understudy.engine.interface import Seen
from understudy.stacks.identity import Whose
from understudy.targets.aws.evidence import task_facts
from understudy.targets.aws.kinds import each
from understudy.targets.aws.kinds_compute import cluster_of, described_definition, described_services, described_tasks
from understudy.targets.aws.kinds_network import BY_ECS
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Noted, Observed, Owned, Stray
from understudy.targets.suite_marks import is_suite

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ecs import ECSClient
    from types_boto3_iam import IAMClient

__all__ = ["known", "observe", "short_of", "tagged"]

_SERVICE, _GROUP, _ROLE, _ATTACHED = (
    "aws:ecs/service:Service",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:iam/role:Role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
)

_NAMES = (
    *("arn", "bucket", "clusterId", "clusterIdentifier", "identifier", "name", "replicationGroupId"),
    *("securityGroupRuleId", "userId"),
)
"""Properties by which an object that the state has is found among those that AWS lists."""

_BY_THE_WAY = frozenset(("ecs-task", "network-interface"))
"""Kinds that ECS makes, with the environment's tags, of what is declared; no state has them."""

_DEFINED = (
    *("containerDefinitions", "cpu", "memory", "networkMode", "executionRoleArn", "taskRoleArn", "runtimePlatform"),
    *("ephemeralStorage", "requiresCompatibilities", "volumes"),
)
"""What of a task definition says what runs (ECS API Reference, TaskDefinition)."""

_TAGGED = "it has the environment's tags"


def observe(
    aws: AwsSession, whose: Whose, seen: Sequence[Seen], owned: Iterable[Owned], *, serving: bool = True
) -> Observed:
    """See Target.observe.

    Args:
        aws: the session.
        whose: the environment.
        seen: its resources.
        owned: what carries its tags.
        serving: whether tasks run at all, which they do not at every emulator.

    Raises:
        ToolError: a listing failed.
    """
    there = [one for one in seen if one.now is not None]
    with asking(f"Looked at what environment {whose.environment} has come to"):
        noted = dict(_services(aws, there, serving=serving))
        found = {**dict(tagged(seen, owned)), **dict(_rules(aws, there)), **dict(_policies(aws, there))}
    ours = known(seen)
    return Observed(noted, tuple(stray for ident, stray in sorted(found.items()) if ident not in ours))


def known(seen: Iterable[Seen]) -> frozenset[str]:
    """What the objects that a state has are called by AWS."""
    found: set[str] = set()
    for one in seen:
        found.add(one.id)
        found.update(str(values[name]) for values in (one.inputs, one.outputs) for name in _NAMES if values.get(name))
        if one.type == _ATTACHED:
            found.add(_attached(str(one.inputs.get("role")), str(one.inputs.get("policyArn"))))
    return frozenset(found)


def tagged(seen: Sequence[Seen], owned: Iterable[Owned]) -> Iterator[tuple[str, Stray]]:
    """What carries the tags and is not in the state, by its id: without what ECS, a suite or an update left. Pure."""
    ours = known(seen)
    for item in owned:
        made = item.kind in _BY_THE_WAY or item.deregistered or BY_ECS in item.labels or is_suite(item.labels)
        if not made and item.id not in ours:
            yield item.id, Stray(item.kind, item.name, _TAGGED)


def _services(aws: AwsSession, there: Sequence[Seen], *, serving: bool) -> Iterator[tuple[str, Noted]]:
    services = {one.id: one for one in there if one.type == _SERVICE}
    for row in described_services(aws, sorted(services)):
        one = services[row["serviceArn"]]
        short = serving and row["runningCount"] < row["desiredCount"]
        detail = short_of(row, _ended(aws, row)) if short else ""
        changed = tuple(_redefined(aws, str(one.outputs.get("taskDefinition")), row["taskDefinition"]))
        yield one.urn, Noted("stopped" if short else "", detail, changed)


def _ended(aws: AwsSession, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tasks of a service that have stopped, of which ECS knows for an hour."""
    ecs: ECSClient = aws.client("ecs")
    arn = row["serviceArn"]
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster=cluster_of(arn), serviceName=row["serviceName"], desiredStatus="STOPPED"
    )
    return list(described_tasks(aws, [task for page in pages for task in page["taskArns"]]))


def short_of(row: Mapping[str, Any], ended: Sequence[Mapping[str, Any]]) -> str:
    """How many tasks of a service run, and why the one that stopped last did, else ECS's last event. Pure."""
    said = f"{row['runningCount']} of {row['desiredCount']} tasks run"
    if not ended:
        events = row.get("events") or ()
        return f"{said}; {events[0]['message']}" if events else said
    last = max(ended, key=lambda task: str(task.get("stoppedAt") or ""))
    codes = [
        f"{fact.service} with exit code {fact.facts['exit_code']}"
        for fact in task_facts(last)
        if fact.facts["exit_code"] is not None
    ]
    why = "; ".join(filter(None, [str(last.get("stoppedReason") or ""), *codes]))
    return f"{said}; the last one ended: {why or 'ECS says no reason'}"


def _redefined(aws: AwsSession, before: str, now: str) -> Iterator[tuple[str, object, object]]:
    """In what two task definitions differ, as ECS has both: the state's has not the defaults that ECS fills in."""
    if before == now:
        return
    old, new = described_definition(aws, before), described_definition(aws, now)
    if old and new:
        was, runs = old["taskDefinition"], new["taskDefinition"]
        yield from ((key, was.get(key), runs.get(key)) for key in _DEFINED if was.get(key) != runs.get(key))


def _rules(aws: AwsSession, there: Sequence[Seen]) -> Iterator[tuple[str, Stray]]:
    """The rules of the environment's security groups, whatever tags they have; not where a group declares its own."""
    ec2: EC2Client = aws.client("ec2")
    groups = {
        one.id: str(one.outputs.get("name") or one.id)
        for one in there
        if one.type == _GROUP and not one.inputs.get("ingress") and not one.inputs.get("egress")
    }
    if not groups:
        return
    filters: Any = [{"Name": "group-id", "Values": sorted(groups)}]
    for page in ec2.get_paginator("describe_security_group_rules").paginate(Filters=filters):
        for row in page["SecurityGroupRules"]:
            name = f"{row['SecurityGroupRuleId']} of {groups[row['GroupId']]}"
            yield row["SecurityGroupRuleId"], Stray("security-group-rule", name, _opens(row))


def _opens(row: Mapping[str, Any]) -> str:
    """What a rule lets through, in words."""
    first, last = row.get("FromPort"), row.get("ToPort")
    protocol = "everything" if row["IpProtocol"] == "-1" else row["IpProtocol"]
    ports = "" if protocol == "everything" or first in {None, -1} else f" {first}" + f"-{last}" * (first != last)
    referred = row.get("ReferencedGroupInfo") or {}
    peers = (row.get("CidrIpv4"), row.get("CidrIpv6"), row.get("PrefixListId"), referred.get("GroupId"))
    way = "out to" if row["IsEgress"] else "in from"
    return f"it lets {protocol}{ports} {way} {next(filter(None, peers), 'nobody')}"


def _policies(aws: AwsSession, there: Sequence[Seen]) -> Iterator[tuple[str, Stray]]:
    """The policies of the environment's roles; not where a role declares its own."""
    iam: IAMClient = aws.client("iam")

    def of(role: str) -> Iterator[tuple[str, Stray]]:
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
            for name in page["PolicyNames"]:
                yield f"{role}:{name}", Stray("role-policy", f"{name} of {role}", "an inline policy of the role")
        for listed in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
            for row in listed["AttachedPolicies"]:
                name, arn = row["PolicyName"], row["PolicyArn"]
                stray = Stray("role-policy", f"{name} of {role}", f"{arn} is attached to the role")
                yield _attached(role, arn), stray

    roles = [one.id for one in there if one.type == _ROLE and not _declares_policies(one)]
    for found in each(lambda role: list(of(role)), roles):
        yield from found


def _declares_policies(one: Seen) -> bool:
    return bool(one.inputs.get("inlinePolicies") or one.inputs.get("managedPolicyArns"))


def _attached(role: str, policy: str) -> str:
    return f"{role}/{policy}"
