"""All kinds, and one look at an account: what the tagging API and each kind's own lister know, described again."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from understudy.aws_failures import asking
from understudy.stacks.identity import LABEL, Whose
from understudy.targets.aws.kinds import Kind, labels_of
from understudy.targets.aws.kinds_compute import COMPUTE
from understudy.targets.aws.kinds_data import DATA
from understudy.targets.aws.kinds_gateway import GATEWAY
from understudy.targets.aws.kinds_network import NETWORK
from understudy.targets.aws.kinds_settings import SETTINGS
from understudy.targets.aws.kinds_storage import STORAGE
from understudy.targets.aws.order import in_another_region
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned
from understudy.targets.ownership import ENVIRONMENT

if TYPE_CHECKING:
    from types_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient

__all__ = ["ASKED", "KINDS", "Listing", "kind_named", "list_claimed", "list_owned", "list_tagged"]

KINDS: tuple[Kind, ...] = (*COMPUTE, *GATEWAY, *DATA, *STORAGE, *SETTINGS, *NETWORK)

ASKED = (
    *("resourcegroupstaggingapi", "ecs", "elbv2", "rds", "elasticache", "s3"),
    *("sqs", "secretsmanager", "ssm", "logs", "iam", "ec2", "servicediscovery"),
)
"""The services that a look asks, as boto3 names them, in about that order."""

_BY_NAME = {kind.name: kind for kind in KINDS}
_PARALLEL = 8
_PAGE = 100
"""The most that GetResources gives at a time (Resource Groups Tagging API Reference)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was described, with whatever tags it has, sorted; and how many objects of each kind were looked at."""

    items: tuple[Owned, ...]
    looked: Mapping[str, int]


def kind_named(name: str) -> Kind:
    """The kind of that name.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[name]


def list_owned(aws: AwsSession, whose: Whose | None, identity: str) -> Listing:
    """Everything that may be of an environment, or of any; also what another backend has under the same id.

    Args:
        aws: the session.
        whose: whose the objects are; None: anybody's.
        identity: the target's, just asked.

    Raises:
        ToolError: a listing failed; nothing is known then.
    """
    return _listing(aws, whose.environment if whose else None, identity, (ENVIRONMENT,))


def list_claimed(aws: AwsSession, identity: str) -> Listing:
    """Everything that may have a tag in our namespace, however it is spelt.

    Raises:
        ToolError: a listing failed; nothing is known then.
    """
    tagging: ResourceGroupsTaggingAPIClient = aws.client("resourcegroupstaggingapi")
    with asking(f"Listed the tag keys of {identity}"):
        pages = tagging.get_paginator("get_tag_keys").paginate()
        keys = {key for page in pages for key in page["TagKeys"] if key.lower().startswith(LABEL)}
    return _listing(aws, None, identity, tuple(sorted(keys)))


def list_tagged(aws: AwsSession, key: str, identity: str) -> Listing:
    """Everything that may have a tag of this key; what is of no kind of an environment's is not described again.

    Raises:
        ToolError: a listing failed; nothing is known then.
    """
    return _listing(aws, None, identity, (key,))


def _listing(aws: AwsSession, environment: str | None, identity: str, keys: tuple[str, ...]) -> Listing:
    with (
        asking(f"Listed the tagged resources of {identity}"),
        ThreadPoolExecutor(_PARALLEL, thread_name_prefix="listing") as pool,
    ):
        tagged = dict(chain.from_iterable(pool.map(lambda key: _tagged(aws, key, environment), keys)))
    known: dict[str, set[str]] = {kind.name: set() for kind in KINDS}
    strange: list[Owned] = []
    for arn, labels in tagged.items():
        kind, ident = _of_arn(arn)
        if kind:
            known[kind.name].add(ident)
        else:
            strange.append(Owned(ident, arn, arn.rpartition(":")[2], labels))
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="listing") as pool:
        looks = list(pool.map(lambda kind: _look(aws, kind, environment, identity, known[kind.name]), KINDS))
    looked = {kind.name: count for kind, (count, _) in zip(KINDS, looks, strict=True)}
    for item in strange:
        looked[item.kind] = looked.get(item.kind, 0) + 1
    return Listing(tuple(sorted([*strange, *(item for _, found in looks for item in found)])), looked)


def _look(
    aws: AwsSession, kind: Kind, environment: str | None, identity: str, known: set[str]
) -> tuple[int, list[Owned]]:
    with asking(f"Listed each {kind.name} of {identity}"):
        ids = sorted(known.union(kind.candidates(aws, environment)))
        found = list(kind.look(aws, ids))
    return len(ids), [i for i in found if not (kind.everywhere and in_another_region(i.labels, identity))]


def _tagged(aws: AwsSession, key: str, environment: str | None) -> list[tuple[str, dict[str, str]]]:
    """ARNs with their tags; those of what is gone already are among them ("tagged or previously tagged")."""
    tagging: ResourceGroupsTaggingAPIClient = aws.client("resourcegroupstaggingapi")
    values = [environment] if environment else []
    pages = tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": key, "Values": values}], PaginationConfig={"PageSize": _PAGE}
    )
    return [(row["ResourceARN"], labels_of(row["Tags"])) for page in pages for row in page["ResourceTagMappingList"]]


def _of_arn(arn: str) -> tuple[Kind | None, str]:
    """The kind of an ARN and the id by it; of a kind that we do not know its own words for it."""
    for kind in KINDS:
        ident = kind.id_of(arn)
        if ident is not None:
            return kind, ident
    parts = arn.split(":")
    return None, f"{parts[2]} {parts[5].partition('/')[0]}" if len(parts) > 5 else arn  # noqa: PLR2004 - as in id_of
