"""What carries a platform's tags: looked for after its stack is gone, and its data deleted where that is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.aws_failures import asking
from understudy.errors import InterruptedRunError, LeftoversError
from understudy.stacks.aws.platform import TAG
from understudy.targets.aws.kinds import each
from understudy.targets.aws.listers import kind_named, list_tagged
from understudy.targets.aws.session import AwsSession
from understudy.targets.aws.sweep import PATIENCE
from understudy.targets.interface import Owned

__all__ = ["delete_data", "standing"]

_LOOK = 5.0
"""Seconds between two looks at what is being deleted; a database takes minutes."""


def standing(aws: AwsSession, identity: str, roles: Iterable[str] = ()) -> tuple[Owned, ...]:
    """All that carries a platform's tag in an account and region, whosever it is, each described again.

    Args:
        aws: the session.
        identity: the target's, just asked.
        roles: names of roles that may be the platform's: no listing by tag has them.

    Raises:
        ToolError: a listing failed; nothing is known then.
    """
    found = [item for item in list_tagged(aws, TAG, identity).items if TAG in item.labels]
    with asking(f"Looked again for what the platform of {identity} had"):
        found += [item for item in kind_named("role").look(aws, sorted(roles)) if TAG in item.labels]
        return tuple(sorted(item for item in found if _is_there(aws, item)))


@dataclass(frozen=True, slots=True)
class _Look:
    """How AWS is asked whether one object is there: a service's operation, its parameter, the rows of its answer."""

    service: str
    operation: str
    parameter: str
    rows: str
    several: bool = True
    gone: Callable[[Mapping[str, Any]], bool] = lambda _row: False


_LOOKS: Mapping[str, _Look] = {
    "ecs cluster": _Look(
        *("ecs", "describe_clusters", "clusters", "clusters"), gone=lambda row: row.get("status") == "INACTIVE"
    ),
    "elasticloadbalancing loadbalancer": _Look("elbv2", "describe_load_balancers", "LoadBalancerArns", "LoadBalancers"),
    "elasticloadbalancing listener": _Look("elbv2", "describe_listeners", "ListenerArns", "Listeners"),
    "ecr repository": _Look("ecr", "describe_repositories", "repositoryNames", "repositories"),
    "rds subgrp": _Look("rds", "describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups", several=False),
    "elasticache subnetgroup": _Look(
        *("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroupName", "CacheSubnetGroups"), several=False
    ),
    "elasticache usergroup": _Look(
        *("elasticache", "describe_user_groups", "UserGroupId", "UserGroups"),
        several=False,
        gone=lambda row: row.get("Status") == "deleting",
    ),
    "ec2 natgateway": _Look(
        *("ec2", "describe_nat_gateways", "NatGatewayIds", "NatGateways"),
        gone=lambda row: row.get("State") == "deleted",
    ),
}
"""The kinds of a platform that no environment has, as a listing names them; EC2's are asked for by their tags."""

_BY_ARN = frozenset({"ecs cluster", "elasticloadbalancing loadbalancer", "elasticloadbalancing listener"})


def _is_there(aws: AwsSession, item: Owned) -> bool:
    """Whether an object is there still, and in the session's region: tags outlive what has them.

    What is described by nothing here counts as there.
    """
    look = _LOOKS.get(item.kind)
    name = item.id if item.kind in _BY_ARN else _name(item.id)
    if look is not None:
        client: Any = aws.client(look.service)
        asked = {look.parameter: [name] if look.several else name}
        answers = each(lambda _: getattr(client, look.operation)(**asked), [name])
        return any(not look.gone(row) for answer in answers for row in answer[look.rows])
    if item.kind == "bucket":  # its ARN has no region, and an account's buckets are in one list
        there = each(lambda bucket: aws.client("s3").head_bucket(Bucket=bucket), [item.id])
        return any(answer.get("BucketRegion", aws.region) == aws.region for answer in there)
    if item.kind.startswith("ec2 "):
        tags = aws.client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [name]}])
        return bool(tags["Tags"])
    return True


def _name(arn: str) -> str:
    """What AWS calls an object in its ARN: after the kind, which ends with `/` or `:`."""
    rest = arn.split(":", 5)[-1]
    cut = min((at for at in (rest.find("/"), rest.find(":")) if at >= 0), default=-1)
    return rest[cut + 1 :]


def delete_data(
    aws: AwsSession,
    kept: Sequence[tuple[str, str]],
    stop: threading.Event,
    tell: Callable[[str], None],
    *,
    own: Callable[[Owned], bool],
    patience: float = PATIENCE,
) -> None:
    """Delete what keeps a platform's data, with all that is in it, and wait until it is gone.

    Args:
        aws: the session.
        kept: kind and id of each.
        stop: once set, waiting ends.
        tell: hears what is deleted, in words.
        own: whether an object carries the platform's tag, by its labels as they are at that moment.
        patience: seconds for all of it.

    Raises:
        LeftoversError: one does not carry the platform's tags, or is not gone in time; the rest was not looked at.
        InterruptedRunError: `stop` was set.
        ToolError: AWS refuses, or does not answer.
    """
    limit = time.monotonic() + patience
    for kind, ident in kept:
        for item in _looked(aws, kind, ident):
            if not own(item):
                raise LeftoversError(
                    f"Looked at {kind} {ident} before its deletion, and it does not carry this platform's tag {TAG}: "
                    "it was kept.",
                    hint="Whose it is, its tags and the account's trail say. Take it out of the stack with `pulumi "
                    "state delete` if it is another's.",
                )
            tell(f"{kind} {ident}, with all that is in it")
            with asking(f"Deleted {kind} {ident}"):
                kind_named(kind).remove(aws, item)
        while any(True for _ in _looked(aws, kind, ident)):
            if time.monotonic() >= limit:
                raise LeftoversError(
                    f"Deleted {kind} {ident}, and it was still there {patience:g} s later.",
                    hint="AWS's console says what it waits for; the same command goes on then.",
                )
            if stop.wait(_LOOK):
                raise InterruptedRunError(f"Interrupted while {kind} {ident} was being deleted.")


def _looked(aws: AwsSession, kind: str, ident: str) -> Iterator[Owned]:
    with asking(f"Looked at {kind} {ident}"):
        yield from kind_named(kind).look(aws, [ident])
