"""Aurora: a cluster as the copy of another one, which is all that is declared, and its members."""

from __future__ import annotations

from typing import Any

from understudy.provider.schema import Rule

from .account import Aws, AwsError
from .declare import Given, Name, Resource, seen, sent
from .tagging import pairs, tags_of

__all__ = ["CLUSTERS"]

_COPY = {
    "sourceClusterIdentifier": "SourceDBClusterIdentifier",
    "restoreType": "RestoreType",
    "useLatestRestorableTime": "UseLatestRestorableTime",
}
_FIRST = {
    "clusterIdentifier": "DBClusterIdentifier",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "vpcSecurityGroupIds": "VpcSecurityGroupIds",
    "deletionProtection": "DeletionProtection",
    "port": "Port",
}
_SETTINGS = {
    "masterPassword": "MasterUserPassword",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "deletionProtection": "DeletionProtection",
}
_OWN = "applyImmediately skipFinalSnapshot finalSnapshotIdentifier deleteAutomatedBackups"


def _scaled(given: Given) -> dict[str, Any]:
    found = given.get("serverlessv2ScalingConfiguration")
    units = found and sent(found, {"minCapacity": "MinCapacity", "maxCapacity": "MaxCapacity"})
    return {"ServerlessV2ScalingConfiguration": units} if units else {}


def _tags(given: Given) -> list[dict[str, str]] | None:
    return pairs(given["tagsAll"]) or None


def _make(aws: Aws, given: Given) -> str:
    """It is told its password and backups once it is there, as the published provider does."""
    what = {**sent(given, _FIRST), **sent(given["restoreToPointInTime"], _COPY), **_scaled(given)}
    aws("rds", "restore_db_cluster_to_point_in_time", **what, Tags=_tags(given))
    _change(aws, given["clusterIdentifier"], {"deletionProtection": given.get("deletionProtection")}, given)
    return str(given["clusterIdentifier"])


def _change(aws: Aws, cluster: str, old: Given, new: Given) -> None:
    changed = {ours: new[ours] for ours in _SETTINGS if ours in new and new[ours] != old.get(ours)}
    if changed:
        now = bool(new.get("applyImmediately"))
        aws("rds", "modify_db_cluster", DBClusterIdentifier=cluster, ApplyImmediately=now, **sent(changed, _SETTINGS))


def _look(aws: Aws, cluster: str, _given: Given) -> dict[str, Any] | None:
    found = aws("rds", "describe_db_clusters", DBClusterIdentifier=cluster)["DBClusters"][0]
    names = {"engine": "Engine", "port": "Port", "deletionProtection": "DeletionProtection", "endpoint": "Endpoint"}
    return {**seen(found, names), "arn": found["DBClusterArn"]}


def _drop(aws: Aws, cluster: str, state: Given) -> None:
    skip, final = bool(state.get("skipFinalSnapshot")), state.get("finalSnapshotIdentifier")
    if not skip and not final:  # refused by the published provider; moto would delete it
        words = "finalSnapshotIdentifier is required when skipFinalSnapshot is false"
        raise AwsError("rds.delete_db_cluster", "InvalidParameterCombination", words)
    kept = None if skip else final
    aws("rds", "delete_db_cluster", DBClusterIdentifier=cluster, SkipFinalSnapshot=skip, FinalDBSnapshotIdentifier=kept)


_MEMBER = {
    "identifier": "DBInstanceIdentifier",
    "clusterIdentifier": "DBClusterIdentifier",
    "engine": "Engine",
    "instanceClass": "DBInstanceClass",
    "publiclyAccessible": "PubliclyAccessible",
}


def _make_member(aws: Aws, given: Given) -> str:
    aws("rds", "create_db_instance", **sent(given, _MEMBER), Tags=_tags(given))
    return str(given["identifier"])


def _look_member(aws: Aws, member: str, _given: Given) -> dict[str, Any] | None:
    found = aws("rds", "describe_db_instances", DBInstanceIdentifier=member)["DBInstances"][0]
    return {**seen(found, _MEMBER), "arn": found["DBInstanceArn"]}


_WORDS = Rule("1 to 63 small letters, digits and single `-`, a letter first", pattern=r"[a-z](?:-?[a-z0-9]){0,62}")

CLUSTERS = (
    Resource(
        token="aws:rds/cluster:Cluster",
        takes=f"{' '.join({**_FIRST, **_SETTINGS})} engine restoreToPointInTime "
        f"serverlessv2ScalingConfiguration {_OWN}",
        settles=f"{' '.join(_SETTINGS)} {_OWN}",
        make=_make,
        look=_look,
        change=_change,
        drop=_drop,
        name=Name("clusterIdentifier", _WORDS),
        tagging=tags_of("rds"),
        outputs="arn endpoint",
    ),
    Resource(
        token="aws:rds/clusterInstance:ClusterInstance",
        takes=f"{' '.join(_MEMBER)} applyImmediately performanceInsightsEnabled",
        settles="applyImmediately performanceInsightsEnabled",
        make=_make_member,
        look=_look_member,
        drop=lambda aws, member, _state: aws(
            "rds", "delete_db_instance", DBInstanceIdentifier=member, SkipFinalSnapshot=True
        ),
        name=Name("identifier", _WORDS),
        tagging=tags_of("rds"),
    ),
)
