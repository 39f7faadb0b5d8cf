"""Programs in the shape of the real thing: a platform of 17 resources, and a thin environment of 23 on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["SECRET", "STALE", "Shop", "platform"]

STALE = ("arn:aws:ecs:", ":elasticache:")
"""In the ARNs of what may keep its tags after it is gone, in moto and on AWS (which shows what was tagged once)."""

SECRET = "of-a-test-4711"  # noqa: S105 - it opens nothing


def _provider(aws: Any, region: str, account: str, tags: dict[str, str]) -> Any:
    return aws.Provider("aws", region=region, allowed_account_ids=[account], default_tags={"tags": tags})


def platform(region: str, account: str) -> Callable[[], None]:
    """What is there once for a region: network, balancer, cluster, namespace, subnet groups, a shared database."""

    def program() -> None:
        import pulumi
        import pulumi_aws as aws

        mine = pulumi.ResourceOptions(provider=_provider(aws, region, account, {"dev.understudy.platform": region}))
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, opts=mine)
        way_out = aws.ec2.InternetGateway("way-out", vpc_id=vpc.id, opts=mine)
        routes = aws.ec2.RouteTable(
            "routes", vpc_id=vpc.id, routes=[{"cidr_block": "0.0.0.0/0", "gateway_id": way_out.id}], opts=mine
        )
        subnets = []
        for index, zone in enumerate("ab"):
            subnet = aws.ec2.Subnet(
                f"public-{zone}",
                vpc_id=vpc.id,
                cidr_block=f"10.0.{index}.0/24",
                availability_zone=f"{region}{zone}",
                map_public_ip_on_launch=True,
                opts=mine,
            )
            aws.ec2.RouteTableAssociation(f"public-{zone}", subnet_id=subnet.id, route_table_id=routes.id, opts=mine)
            subnets.append(subnet.id)
        aws.ec2.VpcEndpoint(
            "s3", vpc_id=vpc.id, service_name=f"com.amazonaws.{region}.s3", route_table_ids=[routes.id], opts=mine
        )
        doors = aws.ec2.SecurityGroup("doors", vpc_id=vpc.id, description="the balancer", opts=mine)
        aws.vpc.SecurityGroupIngressRule(
            "doors",
            security_group_id=doors.id,
            ip_protocol="tcp",
            from_port=80,
            to_port=80,
            cidr_ipv4="0.0.0.0/0",
            opts=mine,
        )
        balancer = aws.lb.LoadBalancer(
            "balancer", load_balancer_type="application", security_groups=[doors.id], subnets=subnets, opts=mine
        )
        listener = aws.lb.Listener(
            "listener",
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                {"type": "fixed-response", "fixed_response": {"status_code": "404", "content_type": "text/plain"}}
            ],
            opts=mine,
        )
        cluster = aws.ecs.Cluster("cluster", opts=mine)
        aws.ecs.ClusterCapacityProviders(
            "cluster", cluster_name=cluster.name, capacity_providers=["FARGATE", "FARGATE_SPOT"], opts=mine
        )
        space = aws.servicediscovery.HttpNamespace("space", opts=mine)
        databases = aws.rds.SubnetGroup("databases", subnet_ids=subnets, opts=mine)
        caches = aws.elasticache.SubnetGroup("caches", subnet_ids=subnets, opts=mine)
        for name, value in {
            "vpc": vpc.id,
            "subnets": subnets,
            "cluster": cluster.arn,
            "namespace": space.arn,
            "listener": listener.arn,
            "doors": doors.id,
            "databases": databases.name,
            "caches": caches.name,
        }.items():
            pulumi.export(name, value)

    return program


@dataclass(frozen=True)
class Shop:
    """An environment; `changed` gives one that differs.

    Attributes:
        platform: The outputs of the platform's stack.
        tags: The default tags.
    """

    platform: Mapping[str, Any]
    region: str
    account: str
    tags: dict[str, str]
    host: str = "shop.preview.internal"
    image: str = "shop:1"
    visibility: int = 30
    retention: int = 3
    queue: str | None = None

    def changed(self, **changes: Any) -> Shop:
        return replace(self, **changes)

    def __call__(self) -> None:
        import pulumi
        import pulumi_aws as aws

        there = self.platform
        provider = _provider(aws, self.region, self.account, self.tags)
        mine = pulumi.ResourceOptions(provider=provider)
        group = aws.ec2.SecurityGroup("app", vpc_id=there["vpc"], revoke_rules_on_delete=True, opts=mine)
        aws.vpc.SecurityGroupIngressRule(
            "web",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=80,
            to_port=80,
            referenced_security_group_id=there["doors"],
            opts=mine,
        )
        aws.vpc.SecurityGroupEgressRule(
            "out", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0", opts=mine
        )
        logs = aws.cloudwatch.LogGroup("logs", name="/understudy/shop", retention_in_days=self.retention, opts=mine)
        dead = aws.sqs.Queue("dead", opts=mine)
        queue = aws.sqs.Queue(
            "orders",
            name=self.queue,
            visibility_timeout_seconds=self.visibility,
            redrive_policy=dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})),
            opts=mine,
        )
        bucket = aws.s3.Bucket("files", force_destroy=True, opts=mine)
        aws.s3.BucketPublicAccessBlock("files", bucket=bucket.bucket, block_public_acls=True, opts=mine)
        aws.s3.BucketVersioning(
            "files", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=mine
        )
        aws.s3.BucketLifecycleConfiguration(
            "files",
            bucket=bucket.bucket,
            rules=[{"id": "old", "status": "Enabled", "expiration": {"days": 3}}],
            opts=mine,
        )
        secret = aws.secretsmanager.Secret("password", recovery_window_in_days=0, opts=mine)
        version = aws.secretsmanager.SecretVersion(
            "password", secret_id=secret.id, secret_string=pulumi.Output.secret(SECRET), opts=mine
        )
        aws.ssm.Parameter("mode", type="SecureString", value=pulumi.Output.secret(SECRET), opts=mine)
        database = aws.rds.Instance(
            "store",
            engine="postgres",
            instance_class="db.t4g.micro",
            allocated_storage=20,
            username="shop",
            password=pulumi.Output.secret(SECRET),
            db_subnet_group_name=there["databases"],
            vpc_security_group_ids=[group.id],
            skip_final_snapshot=True,
            opts=mine,
        )
        cache = aws.elasticache.Cluster(
            "cache",
            engine="redis",
            node_type="cache.t4g.micro",
            num_cache_nodes=1,
            subnet_group_name=there["caches"],
            security_group_ids=[group.id],
            opts=mine,
        )
        aws.elasticache.User(
            "shop",
            user_id="shop-e1",
            user_name="shop-e1",
            engine="redis",
            access_string="on ~shop:* +@all",
            passwords=[pulumi.Output.secret(SECRET + SECRET)],
            opts=mine,
        )
        role = aws.iam.Role(
            "task",
            assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [_assumed()]}),
            force_detach_policies=True,
            path="/understudy/",
            opts=mine,
        )
        policy = aws.iam.RolePolicy("task", role=role.name, policy=queue.arn.apply(_allowed), opts=mine)
        attached = aws.iam.RolePolicyAttachment(
            "task", role=role.name, policy_arn="arn:aws:iam::aws:policy/AmazonSQSFullAccess", opts=mine
        )
        targets = aws.lb.TargetGroup(
            "web",
            port=80,
            protocol="HTTP",
            vpc_id=there["vpc"],
            target_type="ip",
            deregistration_delay=5,
            health_check={"path": "/", "interval": 5, "timeout": 2},
            opts=mine,
        )
        rule = aws.lb.ListenerRule(
            "web",
            listener_arn=there["listener"],
            conditions=[{"host_header": {"values": [self.host]}}],
            actions=[{"type": "forward", "target_group_arn": targets.arn}],
            opts=mine,
        )
        containers = pulumi.Output.all(bucket.bucket, queue.url, cache.cache_nodes, database.address).apply(
            lambda found: json.dumps([_container(self.image, *found)])
        )
        task = aws.ecs.TaskDefinition(
            "web",
            family="understudy-shop-web",
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu="256",
            memory="512",
            execution_role_arn=role.arn,
            task_role_arn=role.arn,
            container_definitions=containers,
            opts=mine,
        )
        service = aws.ecs.Service(
            "web",
            cluster=there["cluster"],
            task_definition=task.arn,
            desired_count=1,
            launch_type="FARGATE",
            force_delete=True,
            network_configuration={
                "subnets": there["subnets"],
                "security_groups": [group.id],
                "assign_public_ip": True,
            },
            load_balancers=[{"target_group_arn": targets.arn, "container_name": "web", "container_port": 80}],
            service_connect_configuration={
                "enabled": True,
                "namespace": there["namespace"],
                "services": [{"port_name": "web", "client_alias": [{"port": 80, "dns_name": "web"}]}],
            },
            deployment_circuit_breaker={"enable": True, "rollback": False},
            opts=pulumi.ResourceOptions.merge(
                mine, pulumi.ResourceOptions(depends_on=[rule, policy, attached, version])
            ),
        )
        for name, value in {
            "bucket": bucket.bucket,
            "queue": queue.url,
            "logs": logs.name,
            "secret": version.secret_string,
            "service": service.name,
            "group": group.id,
            "targets": targets.arn,
        }.items():
            pulumi.export(name, value)


def _assumed() -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}


def _allowed(arn: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": arn}]})


def _container(image: str, bucket: str, queue: str, nodes: Any, database: str) -> dict[str, Any]:
    given = {"BUCKET": bucket, "QUEUE": queue, "CACHE": nodes[0]["address"], "DATABASE": database}
    return {
        "name": "web",
        "image": image,
        "memory": 512,  # moto's run_task needs it of each container, Fargate does not
        "portMappings": [{"name": "web", "containerPort": 80}],
        "environment": [{"name": name, "value": value} for name, value in given.items()],
    }
