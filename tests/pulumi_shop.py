"""A shop on AWS as the export of its Pulumi stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pulumi_stack import SECRET, Stack


def aws() -> tuple[Stack, dict[str, str]]:
    """A shop on AWS: two services on ECS, RDS, ElastiCache, two queues, a bucket, secrets, a load balancer."""
    stack = Stack()
    urn: dict[str, str] = {}

    def add(kind: str, name: str, inputs: Mapping[str, Any], **more: Any) -> None:
        outputs = {"arn": f"arn:aws:{name}", **more.pop("outputs", {})}
        urn[name] = stack.add(f"aws:{kind}", name, inputs, outputs=outputs, **more)

    add("ec2/vpc:Vpc", "main", {"cidrBlock": "10.0.0.0/16"})
    add("ec2/subnet:Subnet", "private", {"vpcId": "id-main"}, depends={"vpcId": [urn["main"]]})
    add("ec2/securityGroup:SecurityGroup", "db-access", {"vpcId": "id-main"}, depends={"vpcId": [urn["main"]]})
    urn["password"] = stack.add("random:index/randomPassword:RandomPassword", "password", {"length": 20})
    add("rds/subnetGroup:SubnetGroup", "dbs", {}, depends={"subnetIds": [urn["private"]]})
    add(
        "rds/instance:Instance",
        "db",
        {
            "identifier": "shop-db",
            "engine": "postgres",
            "engineVersion": "15.4",
            "dbName": "shop",
            "username": "shop",
            "password": SECRET,
        },
        outputs={"address": "shop-db.abc.us-east-1.rds.amazonaws.com", "port": 5433.0},
        depends={"password": [urn["password"]], "dbSubnetGroupName": [urn["dbs"]]},
    )
    add(
        "rds/instance:Instance",
        "reader",
        {"replicateSourceDb": "id-db"},
        outputs={"address": "reader.rds.amazonaws.com"},
        depends={"replicateSourceDb": [urn["db"]]},
    )
    add("rds/instance:Instance", "legacy", {"engine": "oracle-se2", "engineVersion": "19"})
    add(
        "elasticache/replicationGroup:ReplicationGroup",
        "cache",
        {"engine": "redis", "engineVersion": "7.1", "transitEncryptionEnabled": True},
        outputs={"primaryEndpointAddress": "cache.amazonaws.com", "port": 6379},
        depends={"subnetGroupName": [urn["dbs"]]},
    )
    add("sqs/queue:Queue", "dead", {"name": "dead.fifo", "fifoQueue": True}, outputs={"url": "https://sqs/1/dead.fifo"})
    add(
        "sqs/queue:Queue",
        "orders",
        {
            "name": "orders.fifo",
            "fifoQueue": True,
            "visibilityTimeoutSeconds": 45,
            "redrivePolicy": json.dumps({"deadLetterTargetArn": "arn:aws:dead", "maxReceiveCount": 3}),
        },
        outputs={"url": "https://sqs/1/orders.fifo"},
        depends={"redrivePolicy": [urn["dead"]]},
    )
    add("s3/bucketV2:BucketV2", "invoices", {"bucket": "shop-invoices"})
    add(
        "s3/bucketVersioningV2:BucketVersioningV2",
        "v",
        {"bucket": "shop-invoices", "versioningConfiguration": {"status": "Enabled"}},
        depends={"bucket": [urn["invoices"]]},
    )
    add(
        "secretsmanager/secret:Secret",
        "dsn",
        {"name": "shop/db"},
        outputs={"arn": "arn:aws:secretsmanager:us-east-1:1:secret:shop/db-x1"},
    )
    add(
        "secretsmanager/secretVersion:SecretVersion",
        "dsn-1",
        {"secretId": "id-dsn", "secretString": SECRET},
        depends={"secretId": [urn["dsn"]], "secretString": [urn["password"], urn["db"]]},
    )
    add("ssm/parameter:Parameter", "region", {"name": "/shop/region", "type": "String", "value": "eu"})
    add("ssm/parameter:Parameter", "token", {"name": "/shop/token", "type": "SecureString", "value": SECRET})
    add("lb/loadBalancer:LoadBalancer", "front", {})
    add("lb/targetGroup:TargetGroup", "web", {"port": 8000})
    add(
        "lb/listener:Listener",
        "https",
        {"port": 443, "protocol": "HTTPS", "defaultActions": [{"type": "forward", "targetGroupArn": "arn:aws:web"}]},
        depends={"defaultActions": [urn["web"]]},
    )
    dsn = "arn:aws:secretsmanager:us-east-1:1:secret:shop/db-x1"
    definitions = [
        {
            "name": "log",
            "image": "fluent-bit:2",
            "essential": False,
            "dependsOn": [{"containerName": "app", "condition": "HEALTHY"}],
        },
        {
            "name": "app",
            "image": "shop/web:1",
            "command": ["serve"],
            "environment": [
                {"name": "DB_HOST", "value": "shop-db.abc.us-east-1.rds.amazonaws.com"},
                {"name": "BUCKET", "value": "shop-invoices"},
            ],
            "secrets": [
                {"name": "PGPASSWORD", "valueFrom": f"{dsn}:password::"},
                {"name": "REGION", "valueFrom": "/shop/region"},
                {"name": "API_TOKEN", "valueFrom": "arn:aws:token"},
            ],
            "portMappings": [{"containerPort": 8000}, {"containerPort": 9000}],
            "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 10, "retries": 2},
            "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch"}],
            "logConfiguration": {"logDriver": "awslogs"},
            "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
            "memory": 256,
            "firelensConfiguration": {"type": "fluentbit"},
        },
    ]
    add(
        "ecs/taskDefinition:TaskDefinition",
        "web-task",
        {
            "family": "web",
            "cpu": "512",
            "memory": "1024",
            "containerDefinitions": json.dumps(definitions),
            "volumes": [{"name": "scratch"}],
        },
        depends={"containerDefinitions": [urn["db"], urn["invoices"], urn["dsn"], urn["token"]]},
    )
    add(
        "ecs/service:Service",
        "web",
        {
            "taskDefinition": "arn:aws:web-task",
            "desiredCount": 3,
            "loadBalancers": [{"targetGroupArn": "arn:aws:web", "containerName": "app", "containerPort": 8000}],
            "networkConfiguration": {"subnets": ["id-private"]},
            "serviceConnectConfiguration": {
                "services": [{"portName": "http", "clientAlias": [{"dnsName": "web.shop", "port": 8000}]}]
            },
        },
        depends={"taskDefinition": [urn["web-task"]], "networkConfiguration": [urn["private"]], "": [urn["https"]]},
    )
    worker = [
        {
            "name": "worker",
            "image": "shop/worker:1",
            "secrets": [{"name": "DB_PASSWORD", "valueFrom": f"{dsn}:password::"}],
        }
    ]
    add(
        "ecs/taskDefinition:TaskDefinition",
        "worker-task",
        {"containerDefinitions": json.dumps(worker)},
        depends={"containerDefinitions": [urn["dsn"], urn["orders"], urn["cache"]]},
    )
    add(
        "ecs/service:Service",
        "worker",
        {"taskDefinition": "arn:aws:worker-task", "networkConfiguration": {"subnets": ["id-private"]}},
        depends={"taskDefinition": [urn["worker-task"]], "networkConfiguration": [urn["private"]]},
    )
    return stack, urn
