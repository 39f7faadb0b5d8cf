"""Managed services of AWS in the export of a Pulumi stack: databases, caches, queues and buckets."""

from __future__ import annotations

import json

from pulumi_shop import aws

from understudy.stacks.sources import compose
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.topology import Managed, NetworkLink, Port


def test_managed_services_remember_engine_version_and_names() -> None:
    stack, _ = aws()
    topology = stack.read()
    db = topology.services["db"]
    assert db.managed == Managed("rds", "shop-db", "postgres", "15.4", "shop", "shop", password="PGPASSWORD")
    assert (db.kind, db.image, db.expose) == ("database", "postgres:15.4", (Port(5433),))
    hosts = ("shop-db.abc.us-east-1.rds.amazonaws.com", "reader.rds.amazonaws.com")
    assert db.networks == (NetworkLink("main", hosts),)
    cache = topology.services["cache"]
    assert cache.managed == Managed("elasticache", "cache", "redis", "7.1")
    assert (cache.kind, cache.image) == ("cache", "redis:7.0")
    orders = topology.services["orders"]
    assert orders.kind == "queue"
    assert orders.managed == Managed(
        "sqs",
        "orders.fifo",
        options={
            "fifo": "true",
            "visibility_timeout": "45",
            "url": "https://sqs/1/orders.fifo",
            "arn": "arn:aws:orders",
            "dead_letter": "dead.fifo",
            "max_receive": "3",
        },
    )
    bucket = topology.services["invoices"]
    assert bucket.kind == "bucket"
    assert bucket.managed == Managed("s3", "shop-invoices", options={"versioning": "true", "arn": "arn:aws:invoices"})
    assert "legacy" not in topology.services
    changes = {change.path: change for change in topology.changes}
    assert changes["services.legacy"].production == "rds oracle-se2 19"
    assert changes["services.reader"].clone == "db"
    assert changes["services.cache.tls"].production == "true"


def test_what_stands_in_a_resource_of_its_own_is_read_with_its_queue_or_bucket() -> None:
    stack, urn = aws()
    policy = {"queueUrl": "https://sqs/1/dead.fifo", "redrivePolicy": json.dumps({"deadLetterTargetArn": "arn:x:last"})}
    stack.add("aws:sqs/redrivePolicy:RedrivePolicy", "p", policy, depends={"queueUrl": [urn["dead"]]})
    told = {
        "bucket": "shop-invoices",
        "queues": [{"queueArn": "arn:aws:orders", "events": ["s3:ObjectCreated:*"], "filterSuffix": ".pdf"}],
        "lambdaFunctions": [{"lambdaFunctionArn": "arn:aws:resize"}],
    }
    stack.add("aws:s3/bucketNotification:BucketNotification", "n", told, depends={"bucket": [urn["invoices"]]})
    topology = stack.read()
    dead, bucket = topology.services["dead"].managed, topology.services["invoices"].managed
    assert dead
    assert bucket
    assert dead.options["dead_letter"] == "last"
    heard = [{"queue": "orders.fifo", "events": ["s3:ObjectCreated:*"], "suffix": ".pdf"}]
    assert json.loads(bucket.options["notify"]) == heard
    (change,) = (change for change in topology.changes if change.path == "services.invoices.notify")
    assert "arn:aws:resize" in str(change.production)


def test_clusters_and_serverless_caches_are_managed_services_too() -> None:
    stack, _ = aws()
    member = {"clusterIdentifier": "id-ledger"}
    cluster = {"clusterIdentifier": "ledger", "engine": "aurora-postgresql", "engineVersion": "15.4"}
    stack.add("aws:rds/cluster:Cluster", "ledger", cluster, outputs={"endpoint": "ledger.cluster-x.rds", "port": 5432})
    stack.add("aws:rds/clusterInstance:ClusterInstance", "ledger-1", member, outputs={"endpoint": "ledger-1.rds"})
    serverless = {"engine": "valkey", "majorEngineVersion": "8", "name": "sessions"}
    endpoints = {"endpoints": [{"address": "sessions.serverless.cache", "port": 6379}]}
    stack.add("aws:elasticache/serverlessCache:ServerlessCache", "sessions", serverless, outputs=endpoints)
    services = stack.read().services
    assert services["ledger"].networks == (NetworkLink("default", ("ledger.cluster-x.rds", "ledger-1.rds")),)
    assert services["ledger"].image == "postgres:15.4"
    assert services["sessions"].managed == Managed("elasticache", "sessions", "valkey", "8")
    assert services["sessions"].networks == (NetworkLink("default", ("sessions.serverless.cache",)),)


def test_a_topology_with_managed_services_reads_back_from_its_compose_file() -> None:
    stack, _ = aws()
    topology = stack.read()
    back = compose.read(write(topology), "topology.yaml", variables={}, read_file=lambda _: None)
    assert back.services == topology.services
    assert back.secrets == topology.secrets
