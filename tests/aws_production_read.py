"""What is to be read of the small production on AWS: its topology, and the export of a Pulumi stack of the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_production import BESIDE, WAITS, Made

from understudy.stacks.clone import secret_token
from understudy.stacks.managed import MOTO
from understudy.stacks.topology import (
    Dependency,
    HealthCheck,
    Managed,
    Network,
    NetworkLink,
    Port,
    Resources,
    Service,
    Topology,
)

ENDED = "arn:aws:sqs:eu-west-1:123456789012:shop-"


def expected(made: Made) -> Topology:
    """What `aws_production` makes."""
    names = {"db": "shop-db", "cache": "shop-cache", "bucket": "shop-invoices"}
    environment = {
        "DATABASE_HOST": made["db"],
        "QUEUE_URL": made["orders"],
        "BUCKET": "shop-invoices",
        "WORKER_URL": "http://worker.shop.local:9000/jobs",
        "OLD_CACHE": "legacy.abc.0001.euw1.cache.amazonaws.com",
        **{key: secret_token(key) for key in ("PGPASSWORD", "API_TOKEN", "LEVEL")},
    }
    limits = Resources(cpus=0.25, memory=256 << 20)
    needs = tuple(map(Dependency, ("shop-db", "shop-orders", "shop-invoices", "shop-dead", "worker")))
    orders = {"url": made["orders"], "arn": ENDED + "orders", "visibility_timeout": "45"}
    heard = json.dumps([{"queue": "shop-orders", "events": ["s3:ObjectCreated:*"]}])
    invoices = {"versioning": "true", "arn": "arn:aws:s3:::shop-invoices", "notify": heard}
    main = (NetworkLink("main"),)
    services = [
        Service(
            "shop-cache",
            "cache",
            "redis:7.0",
            expose=(Port(6379),),
            networks=main,
            managed=Managed("elasticache", names["cache"], "redis", "7.1"),
        ),
        Service(
            "shop-db",
            "database",
            "postgres:15.4",
            expose=(Port(5432),),
            networks=(NetworkLink("main", (made["db"],)),),
            managed=Managed("rds", names["db"], "postgres", "15.4", "shop", "shop", "PGPASSWORD"),
        ),
        _aws(Managed("sqs", "shop-dead", options={"url": made["dead"], "arn": ENDED + "dead"})),
        _aws(Managed("s3", names["bucket"], options=invoices)),
        _aws(Managed("sqs", "shop-orders", options=orders | {"dead_letter": "shop-dead", "max_receive": "3"})),
        Service(
            "web",
            image="shop/web:1",
            environment=environment,
            ports=(Port(8000, "80"),),
            network_of="web-proxy",
            depends_on=(Dependency("web-migrate", "completed"), Dependency("web-proxy", "healthy"), *needs),
            replicas=2,
            resources=limits,
        ),
        Service(
            "web-migrate",
            "job",
            "shop/web:1",
            command=("migrate",),
            network_of="web-proxy",
            depends_on=needs,
            replicas=2,
            resources=Resources(cpus=0.25, memory=128 << 20),
        ),
        Service(
            "web-proxy",
            image="shop/envoy:1",
            networks=(NetworkLink("main", ("web",)),),
            healthcheck=HealthCheck(("CMD", "ready"), 10.0, 5.0, retries=3),
            depends_on=needs,
            replicas=2,
            resources=Resources(cpus=0.25, memory=64 << 20),
        ),
        Service(
            "worker",
            image="shop/worker:1",
            expose=(Port(9000),),
            networks=(NetworkLink("main", ("worker.shop.local",)),),
            resources=limits,
        ),
    ]
    found = {service.name: service for service in services}
    return Topology(
        "shop",
        found,
        {"main": Network("main")},
        secrets=("PGPASSWORD", "API_TOKEN", "LEVEL"),
        secret_stores={"LEVEL": "parameter"},
    )


def _aws(held: Managed) -> Service:
    kind: Any = {"sqs": "queue", "s3": "bucket"}[held.service]
    return Service(held.name, kind, MOTO, expose=(Port(5000),), networks=(NetworkLink("main"),), managed=held)


def export(made: Made) -> str:
    """What `pulumi stack export` writes of the same production."""
    resources: list[dict[str, Any]] = []

    def add(kind: str, name: str, inputs: Mapping[str, Any], *uses: str, **outputs: Any) -> str:
        urn = f"urn:pulumi:production::shop::aws:{kind}::{name}"
        depends = {"containerDefinitions" if kind.startswith("ecs/task") else "x": list(uses)}
        known = {"inputs": dict(inputs), "outputs": dict(outputs), "dependencies": list(uses)}
        resources.append({"urn": urn, "type": f"aws:{kind}", "custom": True, "id": urn, **known})
        resources[-1]["propertyDependencies"] = depends
        return urn

    vpc = add("ec2/vpc:Vpc", "main", {})
    subnet = add("ec2/subnet:Subnet", "a", {}, vpc)
    group = add("rds/subnetGroup:SubnetGroup", "dbs", {}, subnet)
    login = {"identifier": "shop-db", "engine": "postgres", "engineVersion": "15.4", "dbName": "shop"}
    kept = {"masterUserSecrets": [{"secretArn": made["db-secret"]}], "address": made["db"], "port": 5432}
    db = add("rds/instance:Instance", "shop-db", login | {"username": "shop"}, group, **kept)
    cache = {"clusterId": "shop-cache", "engine": "redis", "engineVersion": "7.1"}
    add("elasticache/cluster:Cluster", "shop-cache", cache, group, port=6379)
    dead = add("sqs/queue:Queue", "shop-dead", {"name": "shop-dead"}, url=made["dead"], arn=ENDED + "dead")
    policy = json.dumps({"deadLetterTargetArn": ENDED + "dead", "maxReceiveCount": 3})
    queue = {"name": "shop-orders", "visibilityTimeoutSeconds": 45, "redrivePolicy": policy}
    orders = add("sqs/queue:Queue", "shop-orders", queue, dead, url=made["orders"], arn=ENDED + "orders")
    versioned = {"bucket": "shop-invoices", "versioning": {"enabled": True}}
    bucket = add("s3/bucket:Bucket", "shop-invoices", versioned, arn="arn:aws:s3:::shop-invoices")
    told = {"queues": [{"queueArn": ENDED + "orders", "events": ["s3:ObjectCreated:*"]}]}
    resources[-1]["id"] = "shop-invoices"
    add("s3/bucketNotification:BucketNotification", "told", told | {"bucket": "shop-invoices"}, bucket)
    token = add("secretsmanager/secret:Secret", "token", {"name": "shop/token"}, arn=made["token"])
    level = {"name": "/shop/level", "type": "String", "value": "info"}
    parameter = add("ssm/parameter:Parameter", "level", level)
    target = add("lb/targetGroup:TargetGroup", "web", {"port": 8000}, arn=made["group"])
    listener = add("lb/listener:Listener", "front", {"port": 80, "protocol": "HTTP"}, arn="arn:listener")
    rule = {"listenerArn": "arn:listener", "actions": [{"type": "forward", "targetGroupArn": made["group"]}]}
    rule["conditions"] = [{"pathPattern": {"values": ["/shop/*"]}}]
    add("lb/listenerRule:ListenerRule", "80-10", rule, listener, target)
    space = add("servicediscovery/privateDnsNamespace:PrivateDnsNamespace", "local", {"name": "shop.local"})
    add("servicediscovery/service:Service", "worker", {"name": "worker"}, space, arn="arn:registry")
    want = expected(made).services
    secrets = {"PGPASSWORD": f"{made['db-secret']}:password::", "API_TOKEN": made["token"], "LEVEL": "/shop/level"}
    for name, port, uses in (("web", 8000, (db, orders, bucket, token, parameter)), ("worker", 9000, ())):
        given = {key: value for key, value in want[name].environment.items() if key not in secrets}
        container = {
            "name": name,
            "image": f"shop/{name}:1",
            "memory": 256,
            "environment": [{"name": key, "value": value} for key, value in given.items()],
            "secrets": [{"name": k, "valueFrom": v} for k, v in secrets.items()] if name == "web" else [],
            "portMappings": [{"containerPort": port}],
            "dependsOn": WAITS if name == "web" else [],
        }
        task = {
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": json.dumps([container, *(BESIDE if name == "web" else ())]),
        }
        arn = f"arn:task-{name}"
        definition = add("ecs/taskDefinition:TaskDefinition", f"{name}-task", task, *uses, arn=arn)
        more: dict[str, Any] = {"serviceRegistries": {"registryArn": "arn:registry"}}
        if name == "web":
            more = {"loadBalancers": [{"targetGroupArn": made["group"], "containerName": "web", "containerPort": port}]}
        service = {"name": name, "cluster": "arn:aws:ecs:x:1:cluster/shop", "taskDefinition": arn, **more}
        add("ecs/service:Service", name, service | {"desiredCount": 3 if name == "web" else 1}, subnet, definition)
    scaled = {"resourceId": "service/shop/web", "scalableDimension": "ecs:service:DesiredCount"}
    add("appautoscaling/target:Target", "web", scaled | {"minCapacity": 2, "maxCapacity": 6})
    return json.dumps({"version": 3, "deployment": {"resources": resources}})
