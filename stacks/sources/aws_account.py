"""A live account of AWS as the source of a topology: its answers, already fetched, and how each edge is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.stacks.topology import Topology, TopologyError, Where

from .aws_edges import Edge, edges_of, strangers_of, tasks_of
from .aws_recording import AccountData
from .aws_resources import resources_of
from .found_secrets import declare_secrets
from .pulumi_found import Found
from .pulumi_resources import State
from .pulumi_state import take_in

__all__ = ["Discovered", "read"]

_READ = re.compile(
    r"arn:aws[a-z-]*:(?:ecs|elasticloadbalancing|rds|elasticache|sqs|s3|secretsmanager|ssm|servicediscovery|iam|logs"
    r"|cloudwatch|kms|acm|route53|ecr|application-autoscaling|resource-groups|cloudformation):.*"
    r"|arn:aws[a-z-]*:ec2:(?!.*:(?:instance|fleet|spot-instances-request)/).*"
)
"""ARNs of kinds that are read, or that are a platform's own workings."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """A topology, and in one line for each edge by what it is known."""

    topology: Topology
    evidence: tuple[str, ...]


def read(data: AccountData) -> Discovered:
    """The topology that the account's answers make up.

    Services of ECS with what they use, under the names that they have at AWS. What only a value would tell that is
    never asked for - which secret is a database's password, what a parameter says - is named in the warnings.

    Raises:
        TopologyError: there is no service that a clone could run, or what is said of them makes no topology.
    """
    plain = State(resources_of(data, {}))
    if not data.of("services"):
        tagged = f" with the tag {data.label}" if data.label else ""
        raise TopologyError(f"there is no service of ECS{tagged}", Where(data.name))
    edges = edges_of(data, plain)
    state = State(resources_of(data, _uses(data, edges)))
    found = Found(data.name)
    take_in(state, found)
    for edge in edges:
        service, target = found.of_urn.get(edge.service), found.of_urn.get(edge.target)
        if service and target:
            found.depend(service, target)
    for warning in _unknown(data, plain, found):
        found.warn(warning)
    topology = declare_secrets(found.topology(_name(data)))
    return Discovered(topology, tuple(_evidence(edges, found)))


def _name(data: AccountData) -> str:
    """The value of the tag by which it was scoped, as Compose takes a project's name."""
    value = data.label.partition("=")[2]
    return re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-_") or "production"


def _uses(data: AccountData, edges: tuple[Edge, ...]) -> dict[str, tuple[str, ...]]:
    """Task definition -> the stores that the services which run it use."""
    task = {str(service["serviceArn"]): str(service.get("taskDefinition")) for service in data.of("services")}
    found: dict[str, dict[str, None]] = {}
    for edge in edges:
        if edge.target not in task:
            found.setdefault(task[edge.service], {})[edge.target] = None
    return {arn: tuple(targets) for arn, targets in found.items()}


def _evidence(edges: tuple[Edge, ...], found: Found) -> Iterator[str]:
    lines: dict[tuple[str, str], dict[str, None]] = {}
    for edge in edges:
        service, target = found.of_urn.get(edge.service), found.of_urn.get(edge.target)
        if service and target:
            lines.setdefault((service, target), {})[edge.evidence] = None
    for (service, target), evidence in sorted(lines.items()):
        yield f"services.{service} uses {target}: {'; '.join(evidence)}"


def _unknown(data: AccountData, state: State, found: Found) -> Iterator[str]:
    """What the answers do not tell, or tell of what was not read."""
    for action in dict.fromkeys(data.unanswered):
        yield f"AWS knows no {action} there: what it would tell is not read"
    for stranger in strangers_of(data, state):
        name = found.of_urn.get(stranger.service, stranger.service)
        yield f"services.{name}: {stranger.place} names {stranger.name}, which is none of what was read"
    yield from _unknown_values(data)
    for store in found.services.values():
        held = store.managed
        if held is not None and held.service == "rds" and held.password is None:
            yield f"services.{store.name}: which secret is the password of {held.user or 'its user'} is not known"
    for arn in data.scope:
        if not _READ.fullmatch(arn):
            found.leave_out(f"resources.{arn.rpartition(':')[2]}", arn, "no reader knows its kind")
    if not data.label:
        yield "of other services of AWS than docs/aws.md names nothing is read; with a tag their resources are named"


def _unknown_values(data: AccountData) -> Iterator[str]:
    """Secrets that are not there, and parameters whose text a clone would take as it is."""
    there = {str(secret["ARN"]) for secret in data.of("secrets")}
    for service, task in tasks_of(data):
        for entry in (e for c in task.get("containerDefinitions") or () for e in c.get("secrets") or ()):
            arn = ":".join(str(entry.get("valueFrom")).split(":")[:7])
            if ":secretsmanager:" in arn and arn not in there:
                yield f"services.{service['serviceName']}: the secret of {entry.get('name')} is not there: {arn}"
    for parameter in data.of("parameters"):
        if parameter.get("Type") != "SecureString":
            what = f"the parameter {parameter.get('Name')} is plain text, which is not read"
            yield f"{what}: whoever gets it gets a declared secret"
