"""Which service uses what, with the evidence: names in its configuration, security groups, policies of its role."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .aws_recording import AccountData, Json
from .aws_stores import EMPTY
from .pulumi_ecs import host_names
from .pulumi_resources import State

__all__ = ["Edge", "Stranger", "edges_of", "strangers_of", "tasks_of"]

_HOSTS = (
    "address endpoint readerEndpoint primaryEndpointAddress readerEndpointAddress configurationEndpointAddress "
    "configurationEndpoint"
)
_NODES = ("cacheNodes", "endpoints", "readerEndpoints")
_OF_AWS = re.compile(
    r"https://sqs\.[a-z0-9.-]+/\d{12}/[\w-]+(?:\.fifo)?|(?<![a-z0-9.-])(?:[a-z0-9-]+\.){2,}amazonaws\.com(?:\.cn)?"
    r"|arn:aws[a-z-]*:(?!iam|kms)[^\s\"',]+",
    re.IGNORECASE,
)
"""URLs of queues, host names at AWS and ARNs; the names of whole services are no name of one thing."""

_SERVICES_OWN = re.compile(r"[a-z0-9-]+(?:\.[a-z]{2}-[a-z-]+-\d)?\.amazonaws\.com(?:\.cn)?", re.IGNORECASE)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Edge:
    """That a service (its ARN) uses a resource (its URN), and by what that is known."""

    service: str
    target: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """A name of AWS in a service's configuration that stands for nothing that was read."""

    service: str
    place: str
    name: str


def edges_of(data: AccountData, state: State) -> tuple[Edge, ...]:
    """The edges from each service of ECS, those with the nearest evidence first.

    Args:
        data: the answers.
        state: the resources made of them.
    """
    return tuple(dict.fromkeys((*_by_name(data, state), *_by_secret(data), *_by_group(data), *_by_role(data))))


def strangers_of(data: AccountData, state: State) -> tuple[Stranger, ...]:
    """What the configuration of services names at AWS and the answers have not."""
    known = [needle for needle, _ in _needles(data, state)]
    return tuple(
        dict.fromkeys(
            Stranger(str(service["serviceArn"]), place, name)
            for service, place, text in _texts(data)
            for name in _OF_AWS.findall(text)
            if not _SERVICES_OWN.fullmatch(name) and not any(_names(text, needle) for needle in known)
        )
    )


def tasks_of(data: AccountData) -> Iterator[tuple[Json, Json]]:
    """Each service with its task definition."""
    tasks = {str(task["taskDefinitionArn"]): task for task in data.of("task_definitions")}
    for service in data.of("services"):
        yield service, tasks.get(str(service.get("taskDefinition")), EMPTY)


def _texts(data: AccountData) -> Iterator[tuple[Json, str, str]]:
    """Service, place and text of all that its containers are told in plain."""
    for service, task in tasks_of(data):
        for container in task.get("containerDefinitions") or ():
            for entry in container.get("environment") or ():
                yield service, f"variable {entry.get('name')}", str(entry.get("value") or "")
            for key in ("command", "entryPoint"):
                for word in container.get(key) or ():
                    yield service, f"{key} of {container.get('name')}", str(word)


def _needles(data: AccountData, state: State) -> Iterator[tuple[str, str]]:
    """Text by which something is called -> its URN."""
    for resource in state.resources:
        if resource.type.startswith(("aws:rds/", "aws:elasticache/")):
            nodes = [node for key in _NODES for node in resource.outputs.get(key) or ()]
            hosts = [resource.outputs.get(key) for key in _HOSTS.split()] + [node.get("address") for node in nodes]
            yield from ((str(host), resource.urn) for host in hosts if host)
        elif resource.type.startswith(("aws:sqs/queue:", "aws:s3/bucket:")):
            names = (resource.text("url"), resource.text("arn"), resource.text("bucket") or resource.text("name"))
            yield from ((name, resource.urn) for name in names if name)
        elif resource.type == "aws:ecs/service:Service":
            yield from ((name, resource.urn) for name in host_names(resource, state))
    groups = {str(group["TargetGroupArn"]): group.get("LoadBalancerArns") or () for group in data.of("target_groups")}
    for balancer in data.of("load_balancers"):
        for service in data.of("services"):
            own = [groups.get(str(each.get("targetGroupArn")), ()) for each in service.get("loadBalancers") or ()]
            if any(balancer["LoadBalancerArn"] in arns for arns in own) and balancer.get("DNSName"):
                yield str(balancer["DNSName"]), str(service["serviceArn"])


def _names(text: str, needle: str) -> bool:
    """Whether a text has a name: one with dots or slashes as a word, another as all of it or as the host of a URL."""
    word = re.escape(needle)
    if "." in needle or "/" in needle or ":" in needle:
        found = re.search(rf"(?<![A-Za-z0-9_.-]){word}(?![A-Za-z0-9_-]|\.[A-Za-z0-9])", text, re.IGNORECASE)
        bucket = re.search(rf"(?<![A-Za-z0-9_.-]){word}\.s3[.-]", text)
        return bool(found or bucket)
    host = rf"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?{word}(?:\.s3[.-][^/]*)?(?::\d+)?(?:[/?#].*)?"
    return bool(re.fullmatch(host, text, re.IGNORECASE))


def _by_name(data: AccountData, state: State) -> Iterator[Edge]:
    needles = tuple(_needles(data, state))
    for service, place, text in _texts(data):
        for needle, urn in needles:
            if urn != service["serviceArn"] and _names(text, needle):
                yield Edge(str(service["serviceArn"]), urn, f"{place} names {needle}")


def _by_secret(data: AccountData) -> Iterator[Edge]:
    """Secrets that RDS keeps of its databases, in the hands of whoever is given them."""
    made: dict[str, str] = {}
    for kind, key in (("instances", "DBInstanceArn"), ("clusters", "DBClusterArn")):
        for each in data.of(kind):
            if arn := (each.get("MasterUserSecret") or EMPTY).get("SecretArn"):
                made[str(arn)] = str(each[key])
    for service, task in tasks_of(data):
        for container in task.get("containerDefinitions") or ():
            for entry in container.get("secrets") or ():
                source = str(entry.get("valueFrom"))
                for arn, database in made.items():
                    if source == arn or source.startswith(arn + ":"):
                        text = f"secret {entry.get('name')} is the one that RDS keeps of it"
                        yield Edge(str(service["serviceArn"]), database, text)


def _by_group(data: AccountData) -> Iterator[Edge]:
    """Security groups of stores that let those of a service in, on the store's port."""
    rules = {str(group["GroupId"]): group.get("IpPermissions") or () for group in data.of("security_groups")}
    for service in data.of("services"):
        place = (service.get("networkConfiguration") or EMPTY).get("awsvpcConfiguration") or EMPTY
        own = set(place.get("securityGroups") or ())
        for urn, port, groups in _guarded(data):
            for group in groups:
                for rule in rules.get(group, ()):
                    named = {str(pair.get("GroupId")) for pair in rule.get("UserIdGroupPairs") or ()} & own
                    first, last = rule.get("FromPort"), rule.get("ToPort")
                    if named and (first is None or last is None or int(first) <= port <= int(last)):
                        text = f"security group {group} lets {', '.join(sorted(named))} in on port {port}"
                        yield Edge(str(service["serviceArn"]), urn, text)


def _guarded(data: AccountData) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """URN, port and security groups of each database and cache."""
    for kind, key in (("instances", "DBInstanceArn"), ("clusters", "DBClusterArn")):
        for each in data.of(kind):
            port = (each.get("Endpoint") or EMPTY).get("Port") if kind == "instances" else each.get("Port")
            groups = tuple(str(g.get("VpcSecurityGroupId")) for g in each.get("VpcSecurityGroups") or ())
            yield str(each[key]), int(port or 5432), groups
    for each in data.of("cache_clusters"):
        nodes = each.get("CacheNodes") or (EMPTY,)
        whole = each.get("ConfigurationEndpoint") or EMPTY
        port = (nodes[0].get("Endpoint") or whole).get("Port")
        usual = 11211 if each.get("Engine") == "memcached" else 6379
        groups = tuple(str(g.get("SecurityGroupId")) for g in each.get("SecurityGroups") or ())
        yield str(each["ARN"]), int(port or usual), groups
    for each in data.of("serverless_caches"):
        port = (each.get("Endpoint") or EMPTY).get("Port")
        yield str(each["ARN"]), int(port or 6379), tuple(map(str, each.get("SecurityGroupIds") or ()))


def _by_role(data: AccountData) -> Iterator[Edge]:
    """Queues and buckets that a policy of the service's role names."""
    roles = {str(role["Arn"]): role.get("Policies") or () for role in data.of("roles")}
    arns = [str(queue["Attributes"]["QueueArn"]) for queue in data.of("queues")]
    arns += [str(bucket["Arn"]) for bucket in data.of("buckets")]
    for service, task in tasks_of(data):
        role = str(task.get("taskRoleArn"))
        for policy in roles.get(role, ()):
            for statement in _listed((policy.get("Document") or EMPTY).get("Statement")):
                if isinstance(statement, Mapping) and statement.get("Effect") == "Allow":
                    actions = ", ".join(map(str, _listed(statement.get("Action"))[:_SHOWN])) or "all but some"
                    for arn in arns:
                        if any(_means(str(pattern), arn) for pattern in _listed(statement.get("Resource"))):
                            text = f"policy {policy.get('Name')} of role {role.rpartition('/')[2]} allows {actions}"
                            yield Edge(str(service["serviceArn"]), arn, text)


def _means(pattern: str, arn: str) -> bool:
    """Whether a policy's resource stands for this one: `*` for all of a kind says nothing of one."""
    own = pattern.rpartition(":")[2].partition("/")[0]
    return own.strip("*?") != "" and fnmatchcase(arn, pattern.partition("/")[0])


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value] if value else []
