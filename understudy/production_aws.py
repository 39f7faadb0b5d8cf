"""What an account of AWS says of what runs in it, read only: every call is one of a table, and none asks a value."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from understudy.production_aws_calls import Asking, open_session
from understudy.stacks.identity import LABEL
from understudy.stacks.sources.aws_recording import AccountData

if TYPE_CHECKING:
    from boto3 import Session

__all__ = ["read_account"]

Json = Mapping[str, Any]
Wanted = Callable[[str], bool]

_DESCRIBED = 10
"""Services that one `ecs:DescribeServices` takes (Amazon ECS API Reference)."""

_IDS = 200
"""Values that one filter of EC2 takes (Amazon EC2 API Reference, Filter)."""

_FILTERED = 50
"""Values that one filter of `ssm:DescribeParameters`, and names that one `DescribeScalableTargets`, take."""


def read_account(label: str = "", session: Session | None = None) -> AccountData:
    """What the account of the usual variables of AWS says in the region that they name.

    Services, databases, caches, queues and buckets are read where they have the tag, and none of an environment of
    Understudy; what those name - task definitions, target groups, networks, roles, secrets - whichever tags it has.

    Args:
        label: only what has this tag, `KEY` or `KEY=VALUE`; empty: all.
        session: of boto3; None: that of the usual variables.

    Raises:
        UsageError: boto3 is missing, or there are no credentials or no region.
        ToolError: AWS refuses, is overtaxed or does not answer.
    """
    ask = Asking(session or open_session(os.environ))
    identity = ask.one("sts", "GetCallerIdentity")
    account = str(identity["Account"])
    owned = set(_tagged(ask, LABEL + "environment"))
    scope = tuple(_tagged(ask, *label.partition("=")[::2])) if label else ()

    def wanted(arn: str) -> bool:
        return arn not in owned and (not label or arn in scope)

    partition = str(identity["Arn"]).split(":")[1]
    services = _services(ask, wanted)
    tasks = _tasks(ask, services)
    found: dict[str, Iterable[Json]] = {
        "services": services,
        "task_definitions": tasks,
        **_balancers(ask, services),
        "instances": _kept(ask.all("rds", "DescribeDBInstances"), "DBInstanceArn", wanted),
        "clusters": _kept(ask.all("rds", "DescribeDBClusters"), "DBClusterArn", wanted),
        **_caches(ask, wanted),
        "queues": _queues(ask, f"arn:{partition}:sqs:{ask.region}:{account}:", wanted),
        "buckets": _buckets(ask, f"arn:{partition}:s3:::", wanted, everywhere=bool(label)),
        "registries": _registries(ask, services),
        "targets": _targets(ask, services),
        "roles": [_role(ask, role) for role in _named(task.get("taskRoleArn") for task in tasks)],
    }
    found |= _networks(ask, found)
    found |= _secrets(ask, found)
    answers = {kind: tuple(_plain(entry) for entry in entries) for kind, entries in found.items()}
    return AccountData(account, ask.region, label, scope, answers, tuple(ask.unanswered))


def _plain(entry: Json) -> Json:
    """An answer as JSON has it: moments as texts."""
    read: Json = json.loads(json.dumps(entry, default=str))
    return read


def _named(values: Iterable[object]) -> tuple[str, ...]:
    """The texts among the values, each once."""
    return tuple(dict.fromkeys(str(value) for value in values if value))


def _parts(values: tuple[str, ...], size: int) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def _tagged(ask: Asking, key: str, value: str = "") -> Iterator[str]:
    tag = {"Key": key, **({"Values": [value]} if value else {})}
    for entry in ask.all("resourcegroupstaggingapi", "GetResources", TagFilters=[tag]):
        yield str(entry["ResourceARN"])


def _kept(entries: Iterable[Json], key: str, wanted: Wanted) -> list[Json]:
    return [entry for entry in entries if wanted(str(entry.get(key)))]


def _services(ask: Asking, wanted: Wanted) -> list[Json]:
    found: list[Json] = []
    for cluster in ask.all("ecs", "ListClusters"):
        arns = tuple(arn for arn in ask.all("ecs", "ListServices", cluster=cluster) if wanted(arn))
        for part in _parts(arns, _DESCRIBED):
            described = ask.one("ecs", "DescribeServices", cluster=cluster, services=part).get("services")
            found += [service for service in described or () if service.get("status") != "INACTIVE"]
    return found


def _tasks(ask: Asking, services: list[Json]) -> list[Json]:
    names = _named(service.get("taskDefinition") for service in services)
    answers = [ask.one("ecs", "DescribeTaskDefinition", taskDefinition=name) for name in names]
    return [answer["taskDefinition"] for answer in answers if answer]


def _balancers(ask: Asking, services: list[Json]) -> dict[str, list[Json]]:
    """The target groups of the services, and the load balancers, listeners and rules that lead to them."""
    arns = _named(entry.get("targetGroupArn") for service in services for entry in service.get("loadBalancers") or ())
    groups = [group for arn in arns for group in ask.all("elbv2", "DescribeTargetGroups", TargetGroupArns=[arn])]
    balancers = _named(arn for group in groups for arn in group.get("LoadBalancerArns") or ())
    listeners = [entry for arn in balancers for entry in ask.all("elbv2", "DescribeListeners", LoadBalancerArn=arn)]
    rules = [
        {**rule, "ListenerArn": listener["ListenerArn"]}
        for listener in listeners
        for rule in ask.all("elbv2", "DescribeRules", ListenerArn=listener["ListenerArn"])
    ]
    described = [
        each for arn in balancers for each in ask.all("elbv2", "DescribeLoadBalancers", LoadBalancerArns=[arn])
    ]
    return {"target_groups": groups, "load_balancers": described, "listeners": listeners, "rules": rules}


def _caches(ask: Asking, wanted: Wanted) -> dict[str, list[Json]]:
    groups = _kept(ask.all("elasticache", "DescribeReplicationGroups"), "ARN", wanted)
    ids = {group["ReplicationGroupId"] for group in groups}
    clusters = [
        entry
        for entry in ask.all("elasticache", "DescribeCacheClusters", ShowCacheNodeInfo=True)
        if (entry.get("ReplicationGroupId") in ids if entry.get("ReplicationGroupId") else wanted(str(entry["ARN"])))
    ]
    used = _named(entry.get("CacheSubnetGroupName") for entry in clusters)
    subnets = ask.all("elasticache", "DescribeCacheSubnetGroups") if used else ()
    return {
        "replication_groups": groups,
        "cache_clusters": clusters,
        "serverless_caches": _kept(ask.all("elasticache", "DescribeServerlessCaches"), "ARN", wanted),
        "cache_subnet_groups": [entry for entry in subnets if entry["CacheSubnetGroupName"] in used],
    }


def _queues(ask: Asking, prefix: str, wanted: Wanted) -> Iterator[Json]:
    for url in ask.all("sqs", "ListQueues"):
        if wanted(prefix + str(url).rpartition("/")[2]):
            answer = ask.one("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
            if answer.get("Attributes"):
                yield {"QueueUrl": url, "Attributes": answer["Attributes"]}


def _buckets(ask: Asking, prefix: str, wanted: Wanted, *, everywhere: bool) -> Iterator[Json]:
    """The buckets of the region; that of a tag the tagging API, which answers for one region, has chosen already."""
    for bucket in ask.all("s3", "ListBuckets"):
        name = str(bucket["Name"])
        if not wanted(prefix + name):
            continue
        place = ask.one("s3", "GetBucketLocation", Bucket=name).get("LocationConstraint") or "us-east-1"
        if everywhere or {"EU": "eu-west-1"}.get(place, place) == ask.region:
            versioning = ask.one("s3", "GetBucketVersioning", Bucket=name)
            told = ask.one("s3", "GetBucketNotificationConfiguration", Bucket=name)
            yield {"Name": name, "Arn": prefix + name, "Versioning": versioning, "Notifications": told}


def _registries(ask: Asking, services: list[Json]) -> Iterator[Json]:
    arns = _named(entry.get("registryArn") for service in services for entry in service.get("serviceRegistries") or ())
    for arn in arns:
        registry = ask.one("servicediscovery", "GetService", Id=arn.rpartition("/")[2]).get("Service")
        if registry:
            answer = ask.one("servicediscovery", "GetNamespace", Id=registry["NamespaceId"])
            yield {**registry, "Arn": arn, "Namespace": answer.get("Namespace") or {}}


def _targets(ask: Asking, services: list[Json]) -> list[Json]:
    names = _named("service/" + str(service["serviceArn"]).partition(":service/")[2] for service in services)
    return [
        target
        for part in _parts(names, _FILTERED)
        for target in ask.all(
            "application-autoscaling",
            "DescribeScalableTargets",
            ServiceNamespace="ecs",
            ResourceIds=part,
            ScalableDimension="ecs:service:DesiredCount",
        )
    ]


def _role(ask: Asking, role: str) -> Json:
    """The policies of a role, its own and those attached to it, each with its document."""
    name = role.rpartition("/")[2]
    policies: list[Json] = []
    for policy in ask.all("iam", "ListRolePolicies", RoleName=name):
        answer = ask.one("iam", "GetRolePolicy", RoleName=name, PolicyName=policy)
        policies.append({"Name": policy, "Document": answer.get("PolicyDocument") or {}})
    for attached in ask.all("iam", "ListAttachedRolePolicies", RoleName=name):
        arn = attached["PolicyArn"]
        if policy := ask.one("iam", "GetPolicy", PolicyArn=arn).get("Policy"):
            answer = ask.one("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=policy["DefaultVersionId"])
            document = (answer.get("PolicyVersion") or {}).get("Document") or {}
            policies.append({"Name": attached["PolicyName"], "Document": document})
    return {"Arn": role, "Policies": policies}


def _networks(ask: Asking, found: Mapping[str, Iterable[Json]]) -> dict[str, list[Json]]:
    """The VPCs, subnets and security groups in which what was found is."""
    placed = [((s.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}) for s in found["services"]]
    subnets = _named(
        [
            *(subnet for place in placed for subnet in place.get("subnets") or ()),
            *(subnet for cache in found["serverless_caches"] for subnet in cache.get("SubnetIds") or ()),
        ]
    )
    groups = _named(
        [
            *(group for place in placed for group in place.get("securityGroups") or ()),
            *(
                group.get("VpcSecurityGroupId")
                for kind in ("instances", "clusters")
                for each in found[kind]
                for group in each.get("VpcSecurityGroups") or ()
            ),
            *(g.get("SecurityGroupId") for c in found["cache_clusters"] for g in c.get("SecurityGroups") or ()),
            *(group for cache in found["serverless_caches"] for group in cache.get("SecurityGroupIds") or ()),
        ]
    )
    described = _by_ids(ask, "DescribeSubnets", "subnet-id", subnets)
    vpcs = _named(
        [
            *(subnet.get("VpcId") for subnet in described),
            *((each.get("DBSubnetGroup") or {}).get("VpcId") for each in found["instances"]),
            *(group.get("VpcId") for group in found["cache_subnet_groups"]),
        ]
    )
    return {
        "subnets": described,
        "security_groups": _by_ids(ask, "DescribeSecurityGroups", "group-id", groups),
        "vpcs": _by_ids(ask, "DescribeVpcs", "vpc-id", vpcs),
    }


def _by_ids(ask: Asking, operation: str, key: str, ids: tuple[str, ...]) -> list[Json]:
    """Those that are there: a filter, other than a list of ids, does not fail where one is gone."""
    return [
        entry
        for part in _parts(ids, _IDS)
        for entry in ask.all("ec2", operation, Filters=[{"Name": key, "Values": part}])
    ]


def _secrets(ask: Asking, found: Mapping[str, Iterable[Json]]) -> dict[str, list[Json]]:
    """What secrets and parameters that containers are given are called, and of which type; never their values."""
    sources = _named(
        entry.get("valueFrom")
        for task in found["task_definitions"]
        for container in task.get("containerDefinitions") or ()
        for entry in container.get("secrets") or ()
    )
    arns = _named(":".join(source.split(":")[:7]) for source in sources if ":secretsmanager:" in source)
    names = _named(name for source in sources if ":secretsmanager:" not in source for name in _parameter_names(source))
    secrets = [ask.one("secretsmanager", "DescribeSecret", SecretId=arn) for arn in arns]
    return {
        "secrets": [{k: v for k, v in secret.items() if k in {"ARN", "Name", "Tags"}} for secret in secrets if secret],
        "parameters": [
            parameter
            for part in _parts(names, _FILTERED)
            for parameter in ask.all(
                "ssm", "DescribeParameters", ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": part}]
            )
        ],
    }


def _parameter_names(source: str) -> tuple[str, ...]:
    """The names that a parameter may have that `valueFrom` gives by name or ARN: an ARN hides whether a `/` is first.

    A name with a `/` within begins with one (Systems Manager User Guide, about parameter hierarchies).
    """
    name = source.partition(":parameter")[2] if source.startswith("arn:") else source
    inner = name.removeprefix("/")
    return (name,) if not source.startswith("arn:") or "/" in inner else (inner, name)
