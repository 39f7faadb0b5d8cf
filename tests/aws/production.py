"""A production as a Pulumi program: two services behind a load balancer, with all that they use, in one stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["LABEL", "production"]

LABEL = "app=shop"
"""The tag that all of it has."""

PASSWORD = "of-production-4711"  # noqa: S105 - it opens nothing


def production(region: str, account: str) -> None:
    """Declare it; each resource has the name that it has at AWS."""
    import pulumi
    import pulumi_aws as aws

    provider = aws.Provider(
        "aws", region=region, allowed_account_ids=[account], default_tags={"tags": dict([LABEL.split("=")])}
    )
    mine = pulumi.ResourceOptions(provider=provider)
    vpc = aws.ec2.Vpc("main", cidr_block="10.0.0.0/16", tags={"Name": "main"}, opts=mine)
    subnets = [
        aws.ec2.Subnet(
            f"public-{zone}",
            vpc_id=vpc.id,
            cidr_block=f"10.0.{index}.0/24",
            availability_zone=region + zone,
            opts=mine,
        ).id
        for index, zone in enumerate("ab")
    ]
    groups = {
        name: aws.ec2.SecurityGroup(f"shop-{name}", name=f"shop-{name}", vpc_id=vpc.id, description=name, opts=mine)
        for name in ("web", "worker", "db", "cache")
    }
    for store, port, user in (("db", 5432, "web"), ("cache", 6379, "worker")):
        aws.vpc.SecurityGroupIngressRule(
            store,
            security_group_id=groups[store].id,
            referenced_security_group_id=groups[user].id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=mine,
        )
    used = {
        **_stores(aws, mine, subnets, groups["db"].id, groups["cache"].id),
        **_secrets(aws, pulumi, mine),
        "targets": _way_in(aws, mine, vpc.id, subnets),
    }
    _services(aws, pulumi, mine, used, {"subnets": subnets, "web": groups["web"].id, "worker": groups["worker"].id})


def _stores(aws: Any, mine: Any, subnets: list[Any], db_group: Any, cache_group: Any) -> dict[str, Any]:
    databases = aws.rds.SubnetGroup("shop-dbs", name="shop-dbs", subnet_ids=subnets, opts=mine)
    caches = aws.elasticache.SubnetGroup("shop-caches", name="shop-caches", subnet_ids=subnets, opts=mine)
    database = aws.rds.Instance(
        "shop-db",
        identifier="shop-db",
        engine="postgres",
        engine_version="15.4",
        instance_class="db.t4g.micro",
        allocated_storage=20,
        db_name="shop",
        username="shop",
        password=PASSWORD,
        db_subnet_group_name=databases.name,
        vpc_security_group_ids=[db_group],
        skip_final_snapshot=True,
        opts=mine,
    )
    cache = aws.elasticache.Cluster(
        "shop-cache",
        cluster_id="shop-cache",
        engine="redis",
        engine_version="7.1",
        node_type="cache.t4g.micro",
        num_cache_nodes=1,
        subnet_group_name=caches.name,
        security_group_ids=[cache_group],
        opts=mine,
    )
    dead = aws.sqs.Queue("shop-dead", name="shop-dead", opts=mine)
    orders = aws.sqs.Queue(
        "shop-orders",
        name="shop-orders",
        visibility_timeout_seconds=45,
        redrive_policy=dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})),
        opts=mine,
    )
    bucket = aws.s3.Bucket("shop-invoices", bucket="shop-invoices", opts=mine)
    aws.s3.BucketVersioning(
        "shop-invoices", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=mine
    )
    return {"database": database, "cache": cache, "orders": orders, "bucket": bucket}


def _secrets(aws: Any, pulumi: Any, mine: Any) -> dict[str, Any]:
    token = aws.secretsmanager.Secret("shop-token", name="shop/token", opts=mine)
    aws.secretsmanager.SecretVersion(
        "shop-token", secret_id=token.id, secret_string=pulumi.Output.secret(PASSWORD), opts=mine
    )
    key = aws.ssm.Parameter(
        "shop-key", name="/shop/key", type="SecureString", value=pulumi.Output.secret(PASSWORD), opts=mine
    )
    level = aws.ssm.Parameter("shop-level", name="/shop/level", type="String", value="info", opts=mine)
    return {"token": token, "key": key, "level": level}


def _way_in(aws: Any, mine: Any, vpc: Any, subnets: list[Any]) -> Any:
    balancer = aws.lb.LoadBalancer(
        "shop-front", name="shop-front", load_balancer_type="application", subnets=subnets, opts=mine
    )
    nobody = {"type": "fixed-response", "fixed_response": {"status_code": "404", "content_type": "text/plain"}}
    listener = aws.lb.Listener(
        "front", load_balancer_arn=balancer.arn, port=80, protocol="HTTP", default_actions=[nobody], opts=mine
    )
    targets = aws.lb.TargetGroup(
        "shop-web", name="shop-web", port=8000, protocol="HTTP", vpc_id=vpc, target_type="ip", opts=mine
    )
    aws.lb.ListenerRule(
        "80-10",
        listener_arn=listener.arn,
        priority=10,
        conditions=[{"path_pattern": {"values": ["/shop/*"]}}],
        actions=[{"type": "forward", "target_group_arn": targets.arn}],
        opts=mine,
    )
    return targets


def _services(aws: Any, pulumi: Any, mine: Any, used: Mapping[str, Any], place: Mapping[str, Any]) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = aws.iam.Role("shop-task", name="shop-task", assume_role_policy=_policy(trust), opts=mine)
    sends = used["orders"].arn.apply(
        lambda arn: _policy({"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": arn})
    )
    aws.iam.RolePolicy("orders", name="orders", role=role.name, policy=sends, opts=mine)
    cluster = aws.ecs.Cluster("shop", name="shop", opts=mine)
    space = aws.servicediscovery.HttpNamespace("shop", name="shop", opts=mine)
    web = {
        "DATABASE_HOST": used["database"].address,
        "QUEUE_URL": used["orders"].url,
        "BUCKET": used["bucket"].bucket,
        "WORKER_URL": "http://worker:9000/jobs",
    }
    secrets = {"API_TOKEN": used["token"].arn, "KEY": used["key"].arn, "LEVEL": used["level"].arn}
    worker = {"CACHE_HOST": used["cache"].cache_nodes.apply(lambda nodes: nodes[0]["address"])}
    balanced = [{"target_group_arn": used["targets"].arn, "container_name": "web", "container_port": 8000}]
    for name, port, given, kept, more in (
        ("web", 8000, web, secrets, {"load_balancers": balanced, "desired_count": 2}),
        ("worker", 9000, worker, {}, {"desired_count": 1}),
    ):
        containers = pulumi.Output.all(environment=given, secrets=kept).apply(
            lambda found, name=name, port=port: json.dumps(_containers(name, port, **found))
        )
        task = aws.ecs.TaskDefinition(
            f"shop-{name}",
            family=f"shop-{name}",
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu="256",
            memory="512",
            task_role_arn=role.arn if name == "web" else None,
            container_definitions=containers,
            opts=mine,
        )
        aws.ecs.Service(
            name,
            name=name,
            cluster=cluster.arn,
            task_definition=task.arn,
            launch_type="FARGATE",
            network_configuration={"subnets": place["subnets"], "security_groups": [place[name]]},
            service_connect_configuration={
                "enabled": True,
                "namespace": space.arn,
                "services": [{"port_name": name, "client_alias": [{"port": port, "dns_name": name}]}],
            },
            opts=mine,
            **more,
        )


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _containers(
    name: str, port: int, environment: Mapping[str, str], secrets: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The containers of a service's task; that of `web` waits for one that ends before."""
    main = {
        "name": name,
        "image": f"shop/{name}:1",
        "memory": 256,
        "environment": [{"name": key, "value": value} for key, value in environment.items()],
        "secrets": [{"name": key, "valueFrom": value} for key, value in secrets.items()],
        "portMappings": [{"name": name, "containerPort": port}],
    }
    if name != "web":
        return [main]
    migrate = {"name": "migrate", "image": "shop/web:1", "command": ["migrate"], "essential": False, "memory": 128}
    return [{**main, "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}]}, migrate]
