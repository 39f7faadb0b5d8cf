"""Databases, caches, queues and buckets of an account's answers, in the words of Pulumi's AWS provider."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from .aws_recording import AccountData, Json
from .pulumi_resources import Resource, name_of

__all__ = ["EMPTY", "entry_of", "stores_of"]

EMPTY: Json = MappingProxyType({})

_QUEUE_DEFAULTS = {"VisibilityTimeout": "30", "DelaySeconds": "0"}
"""What a queue has that was made without saying (Amazon SQS API Reference, CreateQueue)."""


def entry_of(
    kind: str,
    urn: str,
    name: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any] = EMPTY,
    *,
    id: str = "",  # noqa: A002 - the word of Pulumi's resources
    depends: Mapping[str, Iterable[str]] = EMPTY,
) -> Resource:
    """A resource of the type `aws:KIND`; what is None is not said, and `id` is the URN where none is given."""
    by_property = {key: tuple(urns) for key, urns in depends.items()}
    return Resource(
        urn=urn,
        type=f"aws:{kind}",
        name=name_of(name),
        id=id or urn,
        custom=True,
        inputs={key: value for key, value in inputs.items() if value is not None},
        outputs={"arn": urn, **{key: value for key, value in outputs.items() if value is not None}},
        dependencies=tuple(dict.fromkeys(urn for urns in by_property.values() for urn in urns)),
        property_dependencies=by_property,
    )


def stores_of(data: AccountData) -> Iterator[Resource]:
    """What AWS runs by itself; what has to be read first comes first."""
    for cluster in data.of("clusters"):
        yield _cluster(cluster, data)
    for instance in data.of("instances"):
        yield _instance(instance)
    yield from _caches(data)
    for queue in data.of("queues"):
        yield _queue(queue)
    for bucket in data.of("buckets"):
        yield from _bucket(bucket)


def _vpc(instance: Json) -> list[str]:
    vpc = (instance.get("DBSubnetGroup") or EMPTY).get("VpcId")
    return [str(vpc)] if vpc else []


def _kept_secret(database: Json) -> list[Json] | None:
    """The secret that RDS keeps of the user."""
    secret = database.get("MasterUserSecret")
    return [{"secretArn": secret.get("SecretArn")}] if secret else None


def _cluster(cluster: Json, data: AccountData) -> Resource:
    name = str(cluster["DBClusterIdentifier"])
    inputs = {
        "clusterIdentifier": name,
        "engine": cluster.get("Engine"),
        "engineVersion": cluster.get("EngineVersion"),
        "databaseName": cluster.get("DatabaseName"),
        "masterUsername": cluster.get("MasterUsername"),
        "port": cluster.get("Port"),
    }
    outputs = {
        "endpoint": cluster.get("Endpoint"),
        "readerEndpoint": cluster.get("ReaderEndpoint"),
        "masterUserSecrets": _kept_secret(cluster),
    }
    vpcs = [vpc for each in data.of("instances") if each.get("DBClusterIdentifier") == name for vpc in _vpc(each)]
    depends = {"dbSubnetGroupName": vpcs}
    return entry_of(
        "rds/cluster:Cluster", str(cluster["DBClusterArn"]), name, inputs, outputs, id=name, depends=depends
    )


def _instance(instance: Json) -> Resource:
    arn, name = str(instance["DBInstanceArn"]), str(instance["DBInstanceIdentifier"])
    endpoint = instance.get("Endpoint") or EMPTY
    if cluster := instance.get("DBClusterIdentifier"):
        inputs = {"clusterIdentifier": cluster, "identifier": name}
        outputs = {"endpoint": endpoint.get("Address")}
        return entry_of("rds/clusterInstance:ClusterInstance", arn, name, inputs, outputs, id=name)
    inputs = {
        "identifier": name,
        "engine": instance.get("Engine"),
        "engineVersion": instance.get("EngineVersion"),
        "dbName": instance.get("DBName"),
        "username": instance.get("MasterUsername"),
        "replicateSourceDb": instance.get("ReadReplicaSourceDBInstanceIdentifier"),
    }
    outputs = {
        "address": endpoint.get("Address"),
        "port": endpoint.get("Port"),
        "masterUserSecrets": _kept_secret(instance),
    }
    depends = {"dbSubnetGroupName": _vpc(instance)}
    return entry_of("rds/instance:Instance", arn, name, inputs, outputs, id=name, depends=depends)


def _caches(data: AccountData) -> Iterator[Resource]:
    subnets = {str(group["CacheSubnetGroupName"]): group.get("VpcId") for group in data.of("cache_subnet_groups")}

    def vpc(cluster: Json) -> dict[str, list[str]]:
        found = subnets.get(str(cluster.get("CacheSubnetGroupName")))
        return {"subnetGroupName": [str(found)]} if found else {}

    for group in data.of("replication_groups"):
        name = str(group["ReplicationGroupId"])
        member = next((c for c in data.of("cache_clusters") if c.get("ReplicationGroupId") == name), EMPTY)
        nodes = next(iter(group.get("NodeGroups") or ()), EMPTY)
        primary, reader = nodes.get("PrimaryEndpoint") or EMPTY, nodes.get("ReaderEndpoint") or EMPTY
        whole = group.get("ConfigurationEndpoint") or EMPTY
        inputs = {
            "replicationGroupId": name,
            "engine": group.get("Engine") or member.get("Engine"),
            "engineVersion": member.get("EngineVersion"),
            "transitEncryptionEnabled": group.get("TransitEncryptionEnabled"),
            "authToken": "asked for" if group.get("AuthTokenEnabled") else None,
        }
        outputs = {
            "primaryEndpointAddress": primary.get("Address"),
            "readerEndpointAddress": reader.get("Address"),
            "configurationEndpointAddress": whole.get("Address"),
            "port": primary.get("Port") or whole.get("Port"),
        }
        kind = "elasticache/replicationGroup:ReplicationGroup"
        yield entry_of(kind, str(group["ARN"]), name, inputs, outputs, id=name, depends=vpc(member))
    for cluster in data.of("cache_clusters"):
        yield _cache(cluster, vpc(cluster))
    for cache in data.of("serverless_caches"):
        name = str(cache["ServerlessCacheName"])
        inputs = {"engine": cache.get("Engine"), "majorEngineVersion": cache.get("MajorEngineVersion"), "name": name}
        ends = {"endpoints": cache.get("Endpoint"), "readerEndpoints": cache.get("ReaderEndpoint")}
        outputs = {k: [{"address": e.get("Address"), "port": e.get("Port")}] for k, e in ends.items() if e}
        first = next((e for e in ends.values() if e), EMPTY)
        depends = {"subnetIds": [str(subnet) for subnet in cache.get("SubnetIds") or ()]}
        kind = "elasticache/serverlessCache:ServerlessCache"
        outputs |= {"port": first.get("Port")}
        yield entry_of(kind, str(cache["ARN"]), name, inputs, outputs, depends=depends)


def _cache(cluster: Json, depends: Mapping[str, list[str]]) -> Resource:
    name = str(cluster["CacheClusterId"])
    ends = [node.get("Endpoint") or EMPTY for node in cluster.get("CacheNodes") or ()]
    whole = cluster.get("ConfigurationEndpoint") or EMPTY
    inputs = {
        "clusterId": name,
        "engine": cluster.get("Engine"),
        "engineVersion": cluster.get("EngineVersion"),
        "replicationGroupId": cluster.get("ReplicationGroupId"),
        "transitEncryptionEnabled": cluster.get("TransitEncryptionEnabled"),
    }
    outputs = {
        "cacheNodes": [{"address": end.get("Address")} for end in ends],
        "configurationEndpoint": whole.get("Address"),
        "port": next((end.get("Port") for end in (*ends, whole) if end.get("Port")), None),
    }
    return entry_of("elasticache/cluster:Cluster", str(cluster["ARN"]), name, inputs, outputs, id=name, depends=depends)


def _queue(queue: Json) -> Resource:
    given = queue["Attributes"]
    arn, url = str(given["QueueArn"]), str(queue["QueueUrl"])
    name = arn.rpartition(":")[2]
    own = {key: given[key] for key, usual in _QUEUE_DEFAULTS.items() if given.get(key, usual) != usual}
    inputs = {
        "name": name,
        "fifoQueue": True if given.get("FifoQueue") == "true" else None,
        "visibilityTimeoutSeconds": own.get("VisibilityTimeout"),
        "delaySeconds": own.get("DelaySeconds"),
        "redrivePolicy": given.get("RedrivePolicy"),
    }
    depends = {"redrivePolicy": _dead_letter(given.get("RedrivePolicy"))}
    return entry_of("sqs/queue:Queue", arn, name, inputs, {"url": url}, id=url, depends=depends)


def _dead_letter(policy: object) -> list[str]:
    found = json.loads(policy) if isinstance(policy, str) else {}
    target = found.get("deadLetterTargetArn") if isinstance(found, dict) else None
    return [str(target)] if target else []


def _bucket(bucket: Json) -> Iterator[Resource]:
    name, arn, told = str(bucket["Name"]), str(bucket["Arn"]), bucket.get("Notifications") or EMPTY
    versioned = (bucket.get("Versioning") or EMPTY).get("Status") == "Enabled"
    inputs = {"bucket": name, "versioning": {"enabled": True} if versioned else None}
    yield entry_of("s3/bucket:Bucket", arn, name, inputs, id=name)
    if told:
        given = {
            "bucket": name,
            "queues": [_heard(entry) for entry in told.get("QueueConfigurations") or ()],
            "topics": told.get("TopicConfigurations"),
            "lambdaFunctions": told.get("LambdaFunctionConfigurations"),
            "eventbridge": True if told.get("EventBridgeConfiguration") is not None else None,
        }
        yield entry_of("s3/bucketNotification:BucketNotification", arn + "#", name, given)


def _heard(entry: Json) -> Json:
    rules = ((entry.get("Filter") or EMPTY).get("Key") or EMPTY).get("FilterRules") or ()
    filters = {"filter" + str(rule["Name"]).capitalize(): rule.get("Value") for rule in rules}
    return {"queueArn": entry.get("QueueArn"), "events": entry.get("Events"), **filters}
