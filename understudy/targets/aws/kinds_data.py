"""Databases and caches: instances, clusters and snapshots of RDS; clusters, groups and users of ElastiCache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from understudy.targets.aws.kinds import Kind, each, labels_of, may_be_ours
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned

if TYPE_CHECKING:
    from types_boto3_elasticache import ElastiCacheClient
    from types_boto3_rds import RDSClient

__all__ = ["DATA"]


def _candidates(
    service: str, operation: str, rows: str, ident: str, **asked: str
) -> Callable[[AwsSession, str | None], Iterator[str]]:
    """A lister by the name's shape, for what one paged operation lists whole."""

    def listed(aws: AwsSession, environment: str | None) -> Iterator[str]:
        pages = aws.client(service).get_paginator(operation).paginate(**asked)
        return (row[ident] for page in pages for row in page[rows] if may_be_ours(row[ident], environment))

    return listed


def _instances(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    rds: RDSClient = aws.client("rds")
    for answer in each(lambda ident: rds.describe_db_instances(DBInstanceIdentifier=ident), ids):
        for row in answer["DBInstances"]:
            name = row["DBInstanceIdentifier"]
            yield Owned("rds-instance", name, name, labels_of(row.get("TagList")))


def _remove_instance(aws: AwsSession, item: Owned) -> None:
    """A member of a cluster has no backups of its own; one that is being deleted is left to it."""
    rds: RDSClient = aws.client("rds")
    row = rds.describe_db_instances(DBInstanceIdentifier=item.id)["DBInstances"][0]
    if row.get("DBInstanceStatus") == "deleting":
        return
    if row.get("DeletionProtection"):
        rds.modify_db_instance(DBInstanceIdentifier=item.id, DeletionProtection=False, ApplyImmediately=True)
    if row.get("DBClusterIdentifier"):
        rds.delete_db_instance(DBInstanceIdentifier=item.id, SkipFinalSnapshot=True)
    else:
        rds.delete_db_instance(DBInstanceIdentifier=item.id, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)


def _clusters(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    rds: RDSClient = aws.client("rds")
    for answer in each(lambda ident: rds.describe_db_clusters(DBClusterIdentifier=ident), ids):
        for row in answer["DBClusters"]:
            name = row["DBClusterIdentifier"]
            yield Owned("rds-cluster", name, name, labels_of(row.get("TagList")))


def _remove_cluster(aws: AwsSession, item: Owned) -> None:
    rds: RDSClient = aws.client("rds")
    row = rds.describe_db_clusters(DBClusterIdentifier=item.id)["DBClusters"][0]
    if row.get("Status") == "deleting":
        return
    if row.get("DeletionProtection"):
        rds.modify_db_cluster(DBClusterIdentifier=item.id, DeletionProtection=False, ApplyImmediately=True)
    rds.delete_db_cluster(DBClusterIdentifier=item.id, SkipFinalSnapshot=True)


def _snapshots(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    """Automated ones cannot be removed: they go with the backups of their instance."""
    rds: RDSClient = aws.client("rds")
    for answer in each(lambda ident: rds.describe_db_snapshots(DBSnapshotIdentifier=ident), ids):
        for row in answer["DBSnapshots"]:
            if row.get("SnapshotType") != "automated":
                name = row["DBSnapshotIdentifier"]
                yield Owned("rds-snapshot", name, name, labels_of(row.get("TagList")))


def _remove_snapshot(aws: AwsSession, item: Owned) -> None:
    rds: RDSClient = aws.client("rds")
    rds.delete_db_snapshot(DBSnapshotIdentifier=item.id)


def _cache_rows(aws: AwsSession, kind: str, rows: Iterator[Mapping[str, Any]], ident: str) -> Iterator[Owned]:
    cache: ElastiCacheClient = aws.client("elasticache")
    for row in rows:
        for answer in each(lambda arn: cache.list_tags_for_resource(ResourceName=arn), [row["ARN"]]):
            yield Owned(kind, row[ident], row[ident], labels_of(answer["TagList"]))


def _caches(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    cache: ElastiCacheClient = aws.client("elasticache")
    answers = each(lambda ident: cache.describe_cache_clusters(CacheClusterId=ident), ids)
    rows = (row for answer in answers for row in answer["CacheClusters"])
    return _cache_rows(aws, "cache-cluster", rows, "CacheClusterId")


def _remove_cache(aws: AwsSession, item: Owned) -> None:
    """The members of a replication group go with it."""
    cache: ElastiCacheClient = aws.client("elasticache")
    row = cache.describe_cache_clusters(CacheClusterId=item.id)["CacheClusters"][0]
    if row.get("CacheClusterStatus") != "deleting" and not row.get("ReplicationGroupId"):
        cache.delete_cache_cluster(CacheClusterId=item.id)


def _groups(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    cache: ElastiCacheClient = aws.client("elasticache")
    answers = each(lambda ident: cache.describe_replication_groups(ReplicationGroupId=ident), ids)
    rows = (row for answer in answers for row in answer["ReplicationGroups"])
    return _cache_rows(aws, "cache-group", rows, "ReplicationGroupId")


def _remove_group(aws: AwsSession, item: Owned) -> None:
    cache: ElastiCacheClient = aws.client("elasticache")
    row = cache.describe_replication_groups(ReplicationGroupId=item.id)["ReplicationGroups"][0]
    if row.get("Status") != "deleting":
        cache.delete_replication_group(ReplicationGroupId=item.id, RetainPrimaryCluster=False)


def _users(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    cache: ElastiCacheClient = aws.client("elasticache")
    answers = each(lambda ident: cache.describe_users(UserId=ident), ids)
    rows = (row for answer in answers for row in answer["Users"] if row.get("Status") != "deleting")
    return _cache_rows(aws, "cache-user", rows, "UserId")


def _remove_user(aws: AwsSession, item: Owned) -> None:
    cache: ElastiCacheClient = aws.client("elasticache")
    cache.delete_user(UserId=item.id)


_LISTED = {
    "rds-instance": ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    "rds-cluster": ("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    "rds-snapshot": ("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    "cache-cluster": ("elasticache", "describe_cache_clusters", "CacheClusters", "CacheClusterId"),
    "cache-group": ("elasticache", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
    "cache-user": ("elasticache", "describe_users", "Users", "UserId"),
}
"""Kind -> service, paged operation, the answer's rows, and the row's id."""


def _kind(
    name: str,
    arn: str,
    look: Callable[[AwsSession, Sequence[str]], Iterator[Owned]],
    remove: Callable[[AwsSession, Owned], None],
) -> Kind:
    return Kind(name, _LISTED[name][0], arn, _candidates(*_LISTED[name]), look, remove)


DATA = (
    _kind("rds-instance", r"db:(.+)", _instances, _remove_instance),
    _kind("rds-cluster", r"cluster:(.+)", _clusters, _remove_cluster),
    _kind("rds-snapshot", r"snapshot:([^:]+)", _snapshots, _remove_snapshot),
    _kind("cache-cluster", r"cluster:(.+)", _caches, _remove_cache),
    _kind("cache-group", r"replicationgroup:(.+)", _groups, _remove_group),
    _kind("cache-user", r"user:(.+)", _users, _remove_user),
)
