"""Stores: RDS and ElastiCache."""

from __future__ import annotations

from typing import Any

from understudy.provider.schema import Rule

from .account import Aws, AwsError
from .declare import Given, Name, Resource, seen, sent
from .tagging import pairs, tags_of

__all__ = ["STORES"]


def _tags(given: Given) -> list[dict[str, str]] | None:
    return pairs(given["tagsAll"]) or None


# RDS

_GROUP = {"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription", "subnetIds": "SubnetIds"}


def _make_group(aws: Aws, given: Given) -> str:
    described = {"description": "Managed by Pulumi", **given}
    aws("rds", "create_db_subnet_group", **sent(described, _GROUP), Tags=_tags(given))
    return str(given["name"])


def _look_group(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("rds", "describe_db_subnet_groups", DBSubnetGroupName=object_id)["DBSubnetGroups"][0]
    subnets = [each["SubnetIdentifier"] for each in found["Subnets"]]
    return {"name": object_id, "subnetIds": subnets, "vpcId": found["VpcId"], "arn": found["DBSubnetGroupArn"]}


def _drop_group(aws: Aws, object_id: str, _state: Given) -> None:
    there = aws("rds", "describe_db_instances")["DBInstances"]
    if any((each.get("DBSubnetGroup") or {}).get("DBSubnetGroupName") == object_id for each in there):
        # moto would delete it, AWS does not
        raise AwsError("rds.delete_db_subnet_group", "InvalidDBSubnetGroupStateFault", f"{object_id} is in use")
    aws("rds", "delete_db_subnet_group", DBSubnetGroupName=object_id)


_SETTINGS = {
    "instanceClass": "DBInstanceClass",
    "allocatedStorage": "AllocatedStorage",
    "password": "MasterUserPassword",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "deletionProtection": "DeletionProtection",
    "multiAz": "MultiAZ",
    "publiclyAccessible": "PubliclyAccessible",
    "vpcSecurityGroupIds": "VpcSecurityGroupIds",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "manageMasterUserPassword": "ManageMasterUserPassword",
}
_AT_FIRST = {
    "identifier": "DBInstanceIdentifier",
    "engine": "Engine",
    "engineVersion": "EngineVersion",
    "dbName": "DBName",
    "username": "MasterUsername",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "storageEncrypted": "StorageEncrypted",
    "storageType": "StorageType",
    "port": "Port",
    "availabilityZone": "AvailabilityZone",
}
_RESTORED = ("identifier", "instanceClass", "dbSubnetGroupName", "publiclyAccessible", "vpcSecurityGroupIds")


def _make_instance(aws: Aws, given: Given) -> str:
    names = {**_SETTINGS, **_AT_FIRST}
    snapshot = given.get("snapshotIdentifier")
    if snapshot is None:
        answer = aws("rds", "create_db_instance", **sent(given, names), Tags=_tags(given))
        return str(answer["DBInstance"]["DbiResourceId"])
    first = {name: given[name] for name in _RESTORED if name in given}
    restore = "restore_db_instance_from_db_snapshot"
    answer = aws("rds", restore, DBSnapshotIdentifier=snapshot, **sent(first, names), Tags=_tags(given))
    # moto hands the origin's deletion protection on, whatever is asked; AWS does not.
    then = {name: value for name, value in given.items() if name != "allocatedStorage"}
    _change_instance(aws, "", {}, {"deletionProtection": False, **then})
    return str(answer["DBInstance"]["DbiResourceId"])


def _change_instance(aws: Aws, _id: str, old: Given, new: Given) -> None:
    names = {**_SETTINGS, "engineVersion": "EngineVersion"}
    changed = {ours: new[ours] for ours in names if ours in new and new[ours] != old.get(ours)}
    if changed:
        now = bool(new.get("applyImmediately"))
        aws(
            "rds",
            "modify_db_instance",
            DBInstanceIdentifier=new["identifier"],
            ApplyImmediately=now,
            **sent(changed, names),
        )


def _look_instance(aws: Aws, _id: str, given: Given) -> dict[str, Any] | None:
    found = aws("rds", "describe_db_instances", DBInstanceIdentifier=given["identifier"])["DBInstances"][0]
    names = {
        **{ours: theirs for ours, theirs in _SETTINGS.items() if ours not in {"password", "vpcSecurityGroupIds"}},
        **_AT_FIRST,
        "arn": "DBInstanceArn",
        "resourceId": "DbiResourceId",
        "status": "DBInstanceStatus",
    }
    endpoint = found.get("Endpoint") or {}
    shown = seen(found, names)
    shown["vpcSecurityGroupIds"] = [each["VpcSecurityGroupId"] for each in found["VpcSecurityGroups"]]
    where = {"address": endpoint.get("Address"), "port": endpoint.get("Port")}
    return {**shown, **where, "endpoint": f"{where['address']}:{where['port']}"}


def _drop_instance(aws: Aws, _id: str, state: Given) -> None:
    skip, final = bool(state.get("skipFinalSnapshot")), state.get("finalSnapshotIdentifier")
    if not skip and not final:  # refused by the published provider; moto would delete it
        raise AwsError(
            "rds.delete_db_instance",
            "InvalidParameterCombination",
            "finalSnapshotIdentifier is required when skipFinalSnapshot is false",
        )
    aws(
        "rds",
        "delete_db_instance",
        DBInstanceIdentifier=state["identifier"],
        SkipFinalSnapshot=skip,
        FinalDBSnapshotIdentifier=None if skip else final,
        DeleteAutomatedBackups=state.get("deleteAutomatedBackups", True),
    )


# ElastiCache

_CACHE_GROUP = {"name": "CacheSubnetGroupName", "description": "CacheSubnetGroupDescription", "subnetIds": "SubnetIds"}


def _make_cache_group(aws: Aws, given: Given) -> str:
    described = {"description": "Managed by Pulumi", **given}
    aws("elasticache", "create_cache_subnet_group", **sent(described, _CACHE_GROUP), Tags=_tags(given))
    return str(given["name"])


def _look_cache_group(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    answer = aws("elasticache", "describe_cache_subnet_groups", CacheSubnetGroupName=object_id)
    found = answer["CacheSubnetGroups"][0]
    subnets = [each["SubnetIdentifier"] for each in found["Subnets"]]
    return {"name": object_id, "subnetIds": subnets, "vpcId": found.get("VpcId"), "arn": found["ARN"]}


_CACHE = {
    "clusterId": "CacheClusterId",
    "engine": "Engine",
    "engineVersion": "EngineVersion",
    "nodeType": "CacheNodeType",
    "numCacheNodes": "NumCacheNodes",
    "subnetGroupName": "CacheSubnetGroupName",
    "securityGroupIds": "SecurityGroupIds",
    "parameterGroupName": "CacheParameterGroupName",
    "port": "Port",
}


def _make_cache(aws: Aws, given: Given) -> str:
    return str(
        aws("elasticache", "create_cache_cluster", **sent(given, _CACHE), Tags=_tags(given))["CacheCluster"][
            "CacheClusterId"
        ]
    )


def _look_cache(aws: Aws, object_id: str, given: Given) -> dict[str, Any] | None:
    answer = aws("elasticache", "describe_cache_clusters", CacheClusterId=object_id, ShowCacheNodeInfo=True)
    found = answer["CacheClusters"][0]
    if found.get("CacheClusterStatus") == "deleting":
        return None
    # moto shows no nodes, so that there would be no endpoint: one is made up in the form of AWS's.
    port = given.get("port") or (11211 if found.get("Engine") == "memcached" else 6379)
    region = aws.region or aws.account.region
    node = {"id": "0001", "address": f"{object_id}.0001.{region}.cache.amazonaws.com", "port": port}
    return {
        **seen(found, {"clusterId": "CacheClusterId", "engine": "Engine", "nodeType": "CacheNodeType"}),
        "numCacheNodes": found.get("NumCacheNodes"),
        "arn": found["ARN"],
        "port": port,
        "cacheNodes": [node],
    }


def _drop_cache(aws: Aws, object_id: str, state: Given) -> None:
    aws(
        "elasticache",
        "delete_cache_cluster",
        CacheClusterId=object_id,
        FinalSnapshotIdentifier=state.get("finalSnapshotIdentifier"),
    )


_REPLICATED = {
    "replicationGroupId": "ReplicationGroupId",
    "description": "ReplicationGroupDescription",
    "engine": "Engine",
    "nodeType": "CacheNodeType",
    "numCacheClusters": "NumCacheClusters",
    "subnetGroupName": "CacheSubnetGroupName",
    "securityGroupIds": "SecurityGroupIds",
    "atRestEncryptionEnabled": "AtRestEncryptionEnabled",
    "transitEncryptionEnabled": "TransitEncryptionEnabled",
    "automaticFailoverEnabled": "AutomaticFailoverEnabled",
    "userGroupIds": "UserGroupIds",
}


def _make_replicated(aws: Aws, given: Given) -> str:
    answer = aws("elasticache", "create_replication_group", **sent(given, _REPLICATED), Tags=_tags(given))
    return str(answer["ReplicationGroup"]["ReplicationGroupId"])


def _look_replicated(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("elasticache", "describe_replication_groups", ReplicationGroupId=object_id)["ReplicationGroups"][0]
    if found.get("Status") == "deleting":
        return None
    region = aws.region or aws.account.region
    address = f"{object_id}.ng.0001.{region}.cache.amazonaws.com"  # moto shows none
    return {"arn": found["ARN"], "primaryEndpointAddress": address}


_USER = {
    "userId": "UserId",
    "userName": "UserName",
    "engine": "Engine",
    "accessString": "AccessString",
    "passwords": "Passwords",
    "noPasswordRequired": "NoPasswordRequired",
}


def _make_user(aws: Aws, given: Given) -> str:
    return str(aws("elasticache", "create_user", **sent(given, _USER), Tags=_tags(given))["UserId"])


def _look_user(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("elasticache", "describe_users", UserId=object_id)["Users"][0]
    if found.get("Status") == "deleting":
        return None
    return seen(found, {"userName": "UserName", "accessString": "AccessString", "arn": "ARN"})


def _name(words: str, pattern: str, named: str = "name") -> Name:
    return Name(named, Rule(words, pattern=pattern))


STORES = (
    Resource(
        token="aws:rds/subnetGroup:SubnetGroup",
        takes="name description subnetIds",
        settles="subnetIds description",
        make=_make_group,
        look=_look_group,
        change=lambda aws, name, _old, new: aws("rds", "modify_db_subnet_group", **sent({**new, "name": name}, _GROUP)),
        drop=_drop_group,
        name=_name("1 to 255 small letters, digits, `.`, `_`, `-` and spaces", r"[a-z0-9._ -]{1,255}"),
        tagging=tags_of("rds"),
        outputs="arn vpcId",
    ),
    Resource(
        token="aws:rds/instance:Instance",
        takes=f"{' '.join(_SETTINGS)} {' '.join(_AT_FIRST)} snapshotIdentifier applyImmediately skipFinalSnapshot "
        "finalSnapshotIdentifier deleteAutomatedBackups performanceInsightsEnabled",
        settles=f"{' '.join(_SETTINGS)} engineVersion applyImmediately skipFinalSnapshot finalSnapshotIdentifier "
        "deleteAutomatedBackups performanceInsightsEnabled",
        make=_make_instance,
        look=_look_instance,
        change=_change_instance,
        drop=_drop_instance,
        name=_name(
            "1 to 63 small letters, digits and single `-`, a letter first", r"[a-z](?:-?[a-z0-9]){0,62}", "identifier"
        ),
        tagging=tags_of("rds"),
        outputs="arn address endpoint resourceId status",
    ),
    Resource(
        token="aws:elasticache/subnetGroup:SubnetGroup",
        takes="name description subnetIds",
        settles="subnetIds description",
        make=_make_cache_group,
        look=_look_cache_group,
        change=lambda aws, name, _old, new: aws(
            "elasticache", "modify_cache_subnet_group", **sent({**new, "name": name}, _CACHE_GROUP)
        ),
        drop=lambda aws, name, _state: aws("elasticache", "delete_cache_subnet_group", CacheSubnetGroupName=name),
        name=_name("1 to 255 small letters, digits and `-`", r"[a-z0-9-]{1,255}"),
        tagging=tags_of("elasticache"),
        outputs="arn vpcId",
    ),
    Resource(
        token="aws:elasticache/cluster:Cluster",
        takes=f"{' '.join(_CACHE)} applyImmediately finalSnapshotIdentifier",
        settles="applyImmediately finalSnapshotIdentifier",
        make=_make_cache,
        look=_look_cache,
        drop=_drop_cache,
        name=_name(
            "1 to 50 small letters, digits and single `-`, a letter first", r"[a-z](?:-?[a-z0-9]){0,49}", "clusterId"
        ),
        tagging=tags_of("elasticache"),
        outputs="arn cacheNodes",
    ),
    Resource(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        takes=" ".join(_REPLICATED),
        make=_make_replicated,
        look=_look_replicated,
        drop=lambda aws, name, _state: aws("elasticache", "delete_replication_group", ReplicationGroupId=name),
        name=_name(
            "1 to 40 small letters, digits and single `-`, a letter first",
            r"[a-z](?:-?[a-z0-9]){0,39}",
            "replicationGroupId",
        ),
        tagging=tags_of("elasticache"),
        outputs="arn primaryEndpointAddress",
    ),
    Resource(
        token="aws:elasticache/user:User",
        takes=" ".join(_USER),
        make=_make_user,
        look=_look_user,
        drop=lambda aws, user, _state: aws("elasticache", "delete_user", UserId=user),
        tagging=tags_of("elasticache"),
    ),
)
