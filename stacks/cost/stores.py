"""Databases, caches and secrets: instances by class and engine, disks by the month."""

from __future__ import annotations

from .charges import Charge, Charges, Declared, How, Remark, World, choice, number, text

__all__ = ["cache_cluster", "database", "database_in_cluster", "replication_group", "secret"]


def database(declared: Declared, _world: World) -> Charges:
    """An RDS instance and its disk. What a snapshot says of either is not known here."""
    inputs = declared.inputs
    zones = choice(inputs.get("multiAz"), default=False)
    deployment = "multi" if zones else "single"
    engine, size = text(inputs.get("engine")), text(inputs.get("instanceClass"))
    if not engine or not size or zones is None:
        missing = "engine" if not engine else "instance class" if not size else "number of zones"
        yield Remark(How.UNKNOWN, "database instance", f"the {missing} is not known from the inputs")
    else:
        yield Charge(f"{engine} {size}", f"rds/{engine}/{size}/{deployment}", 1)
    disk = number(inputs.get("allocatedStorage"))
    kind = text(inputs.get("storageType")) or ("io1" if inputs.get("iops") else "gp2")  # as the provider documents it
    if disk is None or zones is None:
        yield Remark(How.UNKNOWN, "database storage", "how much is allocated is not known from the inputs")
    else:
        yield Charge(f"storage {kind}", f"rds/storage/{kind}/{deployment}", disk)
    if inputs.get("iops") or inputs.get("storageThroughput"):
        yield Remark(How.UNKNOWN, "provisioned IOPS", "operations and throughput beyond what a disk has are not priced")


def database_in_cluster(declared: Declared, _world: World) -> Charges:
    """An instance of an Aurora cluster, whose storage is charged by use."""
    engine, size = text(declared.inputs.get("engine")), text(declared.inputs.get("instanceClass"))
    if size == "db.serverless":
        yield Remark(How.USAGE, "Aurora capacity units", "Aurora Serverless is charged by the capacity that it takes")
    elif not engine or not size:
        yield Remark(How.UNKNOWN, "database instance", "the engine or class is not known from the inputs")
    else:
        yield Charge(f"{engine} {size}", f"rds/{engine}/{size}/single", 1)


def cache_cluster(declared: Declared, _world: World) -> Charges:
    """A cache cluster of its own; one in a replication group is priced with that group."""
    if declared.inputs.get("replicationGroupId"):
        yield Remark(How.FREE, "cache node", "it is priced with its replication group")
    else:
        yield from _nodes(declared, text(declared.inputs.get("engine")), number(declared.inputs.get("numCacheNodes")))


def replication_group(declared: Declared, _world: World) -> Charges:
    """The nodes of a replication group: so many clusters, or for each shard a primary and its replicas."""
    inputs = declared.inputs
    count = number(inputs.get("numCacheClusters"))
    shards, replicas = number(inputs.get("numNodeGroups")), number(inputs.get("replicasPerNodeGroup"))
    if count is None and shards is not None and replicas is not None:
        count = shards * (1 + replicas)
    engine = text(inputs.get("engine")) if "engine" in inputs else "redis"  # as the provider documents it
    yield from _nodes(declared, engine, count)


def _nodes(declared: Declared, engine: str, count: float | None) -> Charges:
    size = text(declared.inputs.get("nodeType"))
    if not engine or not size or count is None:
        missing = "engine" if not engine else "node type" if not size else "number of nodes"
        yield Remark(How.UNKNOWN, "cache nodes", f"the {missing} is not known from the inputs")
    else:
        yield Charge(f"{engine} {size}", f"elasticache/{engine}/{size}", count)


def secret(_declared: Declared, _world: World) -> Charges:
    """A secret is charged by the month, and by each 10,000 calls."""
    yield Charge("secret", "secret", 1)
    yield Remark(How.USAGE, "calls", "calls for a secret are charged by the ten thousand")
