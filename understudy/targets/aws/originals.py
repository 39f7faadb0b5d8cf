"""What databases of an environment's own are made from: snapshots, clusters and instances of production. Only read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import asking
from understudy.errors import UsageError
from understudy.stacks.aws.databases import Original
from understudy.stacks.topology import OnAws, Service
from understudy.targets.aws.kinds import each
from understudy.targets.aws.session import AwsSession

if TYPE_CHECKING:
    from types_boto3_rds import RDSClient

__all__ = ["originals"]


def originals(aws: AwsSession, services: Iterable[Service]) -> dict[str, Original]:
    """Service -> what its database is made from, of those with an instance of their own; an empty one may have none.

    Args:
        aws: the account and region of the environment, where a snapshot or cluster has to be.
        services: of the clone.

    Raises:
        UsageError: a snapshot or cluster is not there.
        ToolError: AWS does not answer, or refuses.
    """
    found: dict[str, Original] = {}
    for service in services:
        asked = service.on_aws
        if asked is None or asked.shared:
            continue
        name = service.managed.name if service.managed and service.managed.service == "rds" else ""
        with asking(f"Looked for what the database {service.name!r} is made from"):
            made = _FORMS[asked.form](aws.client("rds"), service, asked, name)
        if made is not None:
            found[service.name] = made
    return found


def _empty(rds: RDSClient, _service: Service, _asked: OnAws, name: str) -> Original | None:
    row = _row(rds, name)
    if row is None:
        return None
    return Original(name, instance_class=row.get("DBInstanceClass"), storage=row.get("AllocatedStorage"))


def _snapshot(rds: RDSClient, service: Service, asked: OnAws, name: str) -> Original:
    """The one that is named, else the newest automated one of production's instance."""
    rows: list[Mapping[str, Any]] = []
    if asked.source:
        said = asked.source
        answers = each(lambda ident: rds.describe_db_snapshots(DBSnapshotIdentifier=ident), [said])
        rows += [row for answer in answers for row in answer["DBSnapshots"]]
    elif name:
        said = f"the automated snapshots of {name}"
        pages = rds.get_paginator("describe_db_snapshots")
        taken = pages.paginate(DBInstanceIdentifier=name, SnapshotType="automated")
        rows += [row for page in taken for row in page["DBSnapshots"]]
    else:
        said = "no instance: production's is not said under `managed`"
    whole = [row for row in rows if row.get("Status") == "available" and row.get("SnapshotCreateTime")]
    if not whole:
        raise _missing(service, "snapshot", said)
    row = max(whole, key=lambda taken: taken["SnapshotCreateTime"])
    return Original(
        source=row["DBSnapshotIdentifier"],
        engine=row.get("Engine"),
        version=row.get("EngineVersion"),
        instance_class=_class(rds, str(row.get("DBInstanceIdentifier") or name)),
        storage=row.get("AllocatedStorage"),
        disk=row.get("StorageType"),
    )


def _cluster(rds: RDSClient, service: Service, asked: OnAws, name: str) -> Original:
    """The cluster, with the class of its writer."""
    said = asked.source or name
    answers = each(lambda ident: rds.describe_db_clusters(DBClusterIdentifier=ident), [said] if said else [])
    row: Mapping[str, Any] | None = next((row for answer in answers for row in answer["DBClusters"]), None)
    if row is None:
        raise _missing(service, "Aurora cluster", said or "none: production's is not said under `managed`")
    members = sorted(row.get("DBClusterMembers", ()), key=lambda member: not member.get("IsClusterWriter"))
    return Original(
        source=row["DBClusterIdentifier"],
        engine=row.get("Engine"),
        version=row.get("EngineVersion"),
        instance_class=_class(rds, members[0]["DBInstanceIdentifier"]) if members else None,
    )


def _class(rds: RDSClient, name: str) -> str | None:
    row = _row(rds, name)
    return None if row is None else str(row["DBInstanceClass"])


def _row(rds: RDSClient, name: str) -> Mapping[str, Any] | None:
    """An instance as RDS describes it; None: there is none of that name."""
    answers = each(lambda ident: rds.describe_db_instances(DBInstanceIdentifier=ident), [name] if name else [])
    return next((row for answer in answers for row in answer["DBInstances"]), None)


def _missing(service: Service, what: str, said: str) -> UsageError:
    return UsageError(
        f"Looked for the {what} that the database {service.name!r} is to be made from ({said}), and there is none in "
        "the environment's account and region: nothing was made.",
        hint="Name one with `source` under its x-understudy, on_aws; one of another account has to be shared or copied "
        "first.",
    )


_FORMS: Mapping[str, Callable[[RDSClient, Service, OnAws, str], Original | None]] = {
    "instance": _empty,
    "snapshot": _snapshot,
    "aurora-clone": _cluster,
}
