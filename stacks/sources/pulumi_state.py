"""The deployment of a Pulumi stack, as `pulumi stack export` writes it, as the source of a topology."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from understudy.stacks.topology import Topology, TopologyError, Where

from . import pulumi_buckets, pulumi_containers, pulumi_ecs, pulumi_managed, pulumi_routes, pulumi_shared
from .found_secrets import declare_secrets
from .pulumi_found import Found
from .pulumi_resources import Resource, State, resources_of

__all__ = ["MAPPERS", "WORKINGS", "read", "take_in"]

Mapper = Callable[[Resource, State, Found], None]

MAPPERS: Mapping[str, Mapper] = {
    **pulumi_shared.MAPPERS,
    **pulumi_managed.MAPPERS,
    **pulumi_buckets.MAPPERS,
    **pulumi_containers.MAPPERS,
    **pulumi_ecs.MAPPERS,
    **pulumi_routes.MAPPERS,
}
"""Resource type -> what takes resources of that type into the topology."""

WORKINGS = re.compile(
    r"pulumi:pulumi:StackReference|pulumi-nodejs:.*|random:.*|tls:.*|time:.*|null:.*"
    r"|aws:(?:iam|cloudwatch|route53|acm|kms|autoscaling|appautoscaling|backup|cloudtrail|budgets)/.*"
    r"|aws:(?:index|get).*|aws:ecr/.*|aws:ec2/(?!instance:|launchTemplate:|spot|fleet:).*|aws:vpc/.*"
    r"|aws:(?:rds|elasticache)/(?:subnetGroup|parameterGroup|clusterParameterGroup|optionGroup):.*"
    r"|aws:s3/bucket(?:Acl|PublicAccessBlock|OwnershipControls|Policy|ServerSideEncryption|Lifecycle|Logging|Cors).*"
    r"|aws:sqs/(?:queuePolicy|redriveAllowPolicy):.*|aws:secretsmanager/secret(?:Policy|Rotation):.*"
    r"|aws:ecs/(?:clusterCapacityProviders|capacityProvider|accountSettingDefault):.*"
    r"|aws:(?:lb|alb)/(?:targetGroupAttachment|listenerCertificate|trustStore):.*"
)
"""Types that say who may, how it is billed, watched, named or wired inside a cloud: a clone needs none of them."""

_ORDER = tuple(MAPPERS)


def read(text: str, source: str, *, folder: str = "") -> Topology:
    """The topology of an export, or of a state file of a `file://` backend.

    A value that is a secret of the stack is never decrypted: it becomes a declared secret where a service gets it by
    name, and is on the record where the stack hides more than a value. What no mapper knows is named in the warnings
    and on the record.

    Args:
        text: the JSON.
        source: its name, for messages.
        folder: the absolute folder below which a bind's path on the host is the project's; "": none is.

    Raises:
        TopologyError: the text is no deployment, or what is in it makes no topology.
    """
    where = Where(source)
    state = State(resources_of(_deployment(text, where), where), folder)
    found = Found(source)
    take_in(state, found)
    return declare_secrets(found.topology(_project(state.project)))


def take_in(state: State, found: Found) -> None:
    """Hand each resource to the mapper of its type, and put on the record what none knows.

    Raises:
        TopologyError: no service is among them.
    """
    for resource in sorted(state.resources, key=lambda r: _ORDER.index(r.type) if r.type in MAPPERS else len(_ORDER)):
        if resource.type in MAPPERS:
            _map(resource, state, found)
        elif WORKINGS.fullmatch(resource.type):
            found.warn(f"{resource.urn}: its type is of the platform's own workings, and a clone needs none")
        elif resource.custom and not resource.type.startswith("pulumi:providers:"):
            found.leave_out(f"resources.{resource.name}", resource.type, f"no mapper knows its type ({resource.urn})")
    pulumi_managed.finish(state, found)
    if not found.services:
        reason = f"none of its {len(state.resources)} resources is a service that a clone could run"
        raise TopologyError(reason, Where(found.source))


def _map(resource: Resource, state: State, found: Found) -> None:
    """Hand a resource to its mapper; one whose properties have other forms than its type's is left out."""
    try:
        MAPPERS[resource.type](resource, state, found)
    except TopologyError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"its properties are not those of its type ({type(error).__name__}; {resource.urn})"
        found.leave_out(f"resources.{resource.name}", resource.type, reason)


def _project(name: str) -> str:
    """A Pulumi project's name as Compose takes one."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "production"


def _deployment(text: str, where: Where) -> Mapping[str, Any]:
    """The deployment in an export (`deployment`) or in a state file (`checkpoint.latest`)."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TopologyError(f"it is no JSON: {error}", where) from error
    if not isinstance(data, dict):
        raise TopologyError("it is no export of a stack: a mapping is expected at its top", where)
    checkpoint = data.get("checkpoint")
    found = data.get("deployment") or (checkpoint.get("latest") if isinstance(checkpoint, dict) else None)
    if not isinstance(found, dict):
        raise TopologyError(
            "it is no export of a stack: neither 'deployment' nor 'checkpoint.latest' is in it; "
            "`pulumi stack export` writes one",
            where,
        )
    return found
