"""The export of a Pulumi stack, read as a topology."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.stacks.clone import secret_token
from understudy.stacks.sources import compose
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.sources.pulumi_state import MAPPERS, read
from understudy.stacks.topology import (
    Dependency,
    FileMount,
    HealthCheck,
    Logging,
    Managed,
    Mount,
    Network,
    NetworkLink,
    Port,
    Resources,
    Restart,
    Service,
    Topology,
    TopologyError,
    Ulimit,
    Volume,
)

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:c1pher:text"}
SHOWN = {**SECRET, "plaintext": '"in-plain-text"'}
DIGEST = "sha256:" + "d" * 64


class Stack:
    """A deployment that grows resource by resource."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []

    def add(
        self,
        kind: str,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        outputs: Mapping[str, Any] | None = None,
        depends: Mapping[str, list[str]] | None = None,
        **more: Any,
    ) -> str:
        """A resource; `depends` are URNs by property, "" for those that only `dependencies` has. Returns its URN."""
        urn = f"urn:pulumi:prod::shop::{kind}::{name}"
        depends = depends or {}
        entry = {
            "urn": urn,
            "type": kind,
            "id": f"id-{name}",
            "custom": True,
            "inputs": dict(inputs or {}),
            "outputs": {**(inputs or {}), **(outputs or {})},
            "dependencies": [other for urns in depends.values() for other in urns],
            "propertyDependencies": {key: urns for key, urns in depends.items() if key},
            **more,
        }
        self.resources.append(entry if inputs is not None else {k: v for k, v in entry.items() if k != "inputs"})
        return urn

    def container(self, name: str, depends: Mapping[str, list[str]] | None = None, **inputs: Any) -> str:
        given = {"image": "busybox:1", "name": f"shop-{name}", **inputs}
        return self.add("docker:index/container:Container", name, given, depends=depends)

    def text(self) -> str:
        return json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": self.resources}})

    def read(self, folder: str = "") -> Topology:
        return read(self.text(), "export.json", folder=folder)


def test_a_container_is_a_service_with_all_that_its_properties_say() -> None:
    stack = Stack()
    stack.container(
        "web",
        command=["serve"],
        entrypoints=[""],
        envs=["MODE=fast", "EMPTY="],
        ports=[{"internal": 80, "external": 8080}, {"internal": 53, "protocol": "udp", "ip": "127.0.0.1"}],
        hostname="web.internal",
        domainname="example",
        healthcheck={"tests": ["CMD", "true"], "interval": "1m30s", "timeout": "0s", "retries": 3},
        restart="on-failure",
        maxRetryCount=5,
        memory=64,
        memorySwap=-1,
        cpus="0.5",
        cpuShares=512,
        cpuSet="0",
        shmSize=64,
        labels=[{"label": "team", "value": "a"}, {"label": "dev.understudy.environment", "value": "e1"}],
        user="app",
        workingDir="/srv",
        init=True,
        stopSignal="SIGINT",
        stopTimeout=5,
        readOnly=True,
        tty=True,
        stdinOpen=True,
        capabilities={"adds": ["CAP_NET_ADMIN"], "drops": ["ALL"]},
        securityOpts=["no-new-privileges"],
        sysctls={"net.core.somaxconn": "1024"},
        ulimits=[{"name": "nofile", "soft": 1, "hard": 2}],
        groupAdds=["audio"],
        hosts=[{"host": "legacy", "ip": "10.0.0.1"}],
        dns=["10.0.0.2"],
        dnsSearches=["internal"],
        dnsOpts=["ndots:2"],
        logDriver="syslog",
        logOpts={"tag": "web"},
        runtime="runsc",
        uploads=[{"file": "/etc/app.conf", "content": "a=1", "permissions": "0600"}],
        tmpfs={"/run": "ro"},
        removeVolumes=True,
        waitTimeout=30,
    )
    topology = stack.read()
    assert (topology.name, topology.changes, topology.warnings) == ("shop", (), ())
    assert topology.services["web"] == Service(
        "web",
        image="busybox:1",
        command=("serve",),
        entrypoint=(),
        environment={"MODE": "fast", "EMPTY": ""},
        ports=(Port(80, "8080"), Port(53, protocol="udp", host_ip="127.0.0.1")),
        networks=(NetworkLink("default"),),
        hostname="web.internal",
        domainname="example",
        healthcheck=HealthCheck(("CMD", "true"), 90.0, None, None, 3),
        restart=Restart("on-failure", 5),
        resources=Resources(cpus=0.5, memory=64 << 20, memory_swap=-1, cpu_shares=512, cpuset="0"),
        labels={"team": "a"},
        user="app",
        working_dir="/srv",
        init=True,
        stop_signal="SIGINT",
        stop_grace_period=5.0,
        read_only=True,
        tty=True,
        stdin_open=True,
        cap_add=("NET_ADMIN",),
        cap_drop=("ALL",),
        security_opt=("no-new-privileges",),
        sysctls={"net.core.somaxconn": "1024"},
        ulimits=(Ulimit("nofile", 1, 2),),
        group_add=("audio",),
        extra_hosts=(("legacy", "10.0.0.1"),),
        dns=("10.0.0.2",),
        dns_search=("internal",),
        dns_opt=("ndots:2",),
        logging=Logging("syslog", {"tag": "web"}),
        runtime="runsc",
        files=(FileMount("config", "web-0", "/etc/app.conf", content="a=1", mode=0o600),),
        mounts=(Mount("tmpfs", "/run", read_only=True),),
    )


def test_networks_volumes_and_binds_have_their_logical_names() -> None:
    stack = Stack()
    back = stack.add("docker:index/network:Network", "back", {"name": "shop-back", "internal": True})
    data = stack.add("docker:index/volume:Volume", "data", {"name": "shop-data", "driverOpts": {"type": "nfs"}})
    stack.container(
        "db",
        {"networksAdvanced": [back], "volumes": [data]},
        networksAdvanced=[{"name": "shop-back", "aliases": ["db", "db.internal", "shop-db"]}, {"name": "shared"}],
        volumes=[
            {"volumeName": "shop-data", "containerPath": "/data"},
            {"containerPath": "/anonymous"},
            {"hostPath": "/srv/shop/init.sql", "containerPath": "/init.sql", "readOnly": True},
            {"hostPath": "/srv/shop/../etc", "containerPath": "/etc"},
        ],
        mounts=[{"type": "tmpfs", "target": "/run", "tmpfsOptions": {"sizeBytes": 1024}}],
    )
    topology = stack.read("/srv/shop")
    assert topology.networks == {"back": Network("back", internal=True), "shared": Network("shared", external=True)}
    assert topology.volumes == {"data": Volume("data", options={"type": "nfs"})}
    service = topology.services["db"]
    assert service.networks == (NetworkLink("back", ("db.internal",)), NetworkLink("shared"))
    assert service.mounts == (
        Mount("volume", "/data", "data"),
        Mount("volume", "/anonymous"),
        Mount("bind", "/init.sql", "init.sql", read_only=True),
        Mount("tmpfs", "/run", options=(("size", "1024"),)),
    )
    (change,) = topology.changes
    assert (change.path, change.production) == ("services.db.volumes", "/srv/shop/../etc:/etc")


def test_dependencies_wait_for_what_the_program_waits_for_and_numbered_equals_are_replicas() -> None:
    stack = Stack()
    db = stack.container("db", wait=True)
    job = stack.container("migrate", {"": [db]}, attach=True, mustRun=False)
    one = stack.container("web-1", {"": [db, job]}, envs=SECRET)
    two = stack.container("web-2", {"": [db, job]}, envs={**SECRET, "ciphertext": "v1:another"})
    stack.container("proxy", {"": [one, two]})
    services = stack.read().services
    assert list(services) == ["db", "migrate", "proxy", "web"]
    assert (services["migrate"].kind, services["web"].replicas) == ("job", 2)
    assert services["web"].depends_on == (Dependency("db", "healthy"), Dependency("migrate", "completed"))
    assert services["proxy"].depends_on == (Dependency("web"),)


def test_an_image_is_named_with_the_digest_that_the_stack_knows() -> None:
    stack = Stack()
    image = stack.add(
        "docker:index/remoteImage:RemoteImage",
        "postgres",
        {"name": "postgres:15"},
        outputs={"imageId": "sha256:abc", "repoDigest": f"postgres@{DIGEST}"},
    )
    stack.container("db", {"image": [image]}, image="sha256:abc")
    service = stack.read().services["db"]
    assert (service.image, service.kind) == (f"postgres:15@{DIGEST}", "database")


def test_a_secret_of_the_stack_is_never_text() -> None:
    stack = Stack()
    stack.container("web", envs=SECRET, command=["serve", SHOWN], healthcheck=SECRET)
    stack.container("api", envs=["A=1", SHOWN], uploads=[{"file": "/key", "content": SECRET}])
    stack.container("sealed", image=SECRET)
    topology = stack.read()
    assert topology.services["web"].environment == {}
    assert topology.services["api"].environment == {"A": "1"}
    assert [(change.path, change.production) for change in topology.changes] == [
        ("services.web.command", "(secret)"),
        ("services.web.environment", "(secret)"),
        ("services.web.healthcheck", "(secret)"),
        ("services.api.environment[1]", "(secret)"),
        ("services.api.configs", "/key"),
        ("services.sealed", "a container"),
    ]
    assert "c1pher" not in repr(topology)
    assert "in-plain-text" not in repr(topology)


def test_plain_text_that_looks_like_a_secret_is_declared_one() -> None:
    stack = Stack()
    stack.container("db", envs=["POSTGRES_PASSWORD=open-sesame"])
    topology = stack.read()
    assert topology.secrets == ("POSTGRES_PASSWORD",)
    assert topology.services["db"].environment == {"POSTGRES_PASSWORD": secret_token("POSTGRES_PASSWORD")}


def test_types_that_no_mapper_knows_are_named_with_their_urn() -> None:
    stack = Stack()
    stack.add("pulumi:pulumi:Stack", "shop-prod", custom=False)
    stack.add("pulumi:providers:docker", "default")
    urn = stack.add("kubernetes:apps/v1:Deployment", "api", {})
    role = stack.add("aws:iam/role:Role", "task", {})
    stack.add("my:own:Component", "group", custom=False)
    stack.add("kubernetes:apps/v1:Deployment", "old", {}, delete=True)
    stack.container("web", privileged=True, gpus="all")
    topology = stack.read()
    assert [(c.path, c.production) for c in topology.changes] == [
        ("services.web.privileged", "True"),
        ("services.web.gpus", "all"),
        ("resources.api", "kubernetes:apps/v1:Deployment"),
    ]
    assert urn in topology.changes[-1].reason
    assert [warning for warning in topology.warnings if role in warning]


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


def test_services_of_ecs_have_their_containers_secrets_ports_and_names() -> None:
    stack, _ = aws()
    topology = stack.read()
    web = topology.services["web"]
    assert web == Service(
        "web",
        image="shop/web:1",
        command=("serve",),
        environment={
            "DB_HOST": "shop-db.abc.us-east-1.rds.amazonaws.com",
            "BUCKET": "shop-invoices",
            "PGPASSWORD": secret_token("PGPASSWORD"),
            "REGION": "eu",
            "API_TOKEN": secret_token("API_TOKEN"),
        },
        ports=(Port(8000, "443"),),
        expose=(Port(9000),),
        networks=(NetworkLink("main", ("web.shop",)),),
        healthcheck=HealthCheck(("CMD-SHELL", "true"), 10.0, retries=2),
        replicas=3,
        resources=Resources(cpus=0.5, memory=256 << 20),
        mounts=(Mount("volume", "/scratch", "scratch"),),
        ulimits=(Ulimit("nofile", 1, 2),),
        depends_on=(Dependency("db"), Dependency("invoices")),
    )
    log = topology.services["web-log"]
    assert (log.network_of, log.networks, log.depends_on) == ("web", (), (Dependency("web", "healthy"),))
    worker = topology.services["worker"]
    assert worker.environment == {"DB_PASSWORD": secret_token("PGPASSWORD")}
    assert {dependency.service for dependency in worker.depends_on} == {"db", "orders", "cache", "dead"}
    assert topology.secrets == ("PGPASSWORD", "API_TOKEN")
    assert topology.networks == {"main": Network("main")}
    changes = {change.path for change in topology.changes}
    assert {
        "services.web.ports",
        "services.web.tls",
        "services.web.firelensConfiguration",
        "networks.db-access",
    } <= changes


def test_rules_of_a_load_balancer_publish_the_service_that_they_lead_to_and_are_on_the_record() -> None:
    stack, _ = aws()
    task = [{"name": "api", "image": "shop/api:1", "portMappings": [{"containerPort": 8080}]}]
    group = stack.add("aws:lb/targetGroup:TargetGroup", "api", {}, outputs={"arn": "arn:aws:group-api"})
    behind = {"listenerArn": "arn:aws:https", "actions": [{"type": "forward", "targetGroupArn": "arn:aws:group-api"}]}
    conditions = [{"hostHeader": {"values": ["shop.example"]}}, {"pathPattern": {"values": ["/api/*", "/v1/*"]}}]
    rule = "aws:lb/listenerRule:ListenerRule"
    stack.add(rule, "to-api", {**behind, "conditions": conditions}, depends={"actions": [group]})
    lost = stack.add(rule, "to-nobody", {"listenerArn": "arn:aws:https", "actions": [{"type": "fixed-response"}]})
    given = {"containerDefinitions": json.dumps(task)}
    stack.add("aws:ecs/taskDefinition:TaskDefinition", "api-task", given, outputs={"arn": "arn:aws:api-task"})
    balanced = [{"targetGroupArn": "arn:aws:group-api", "containerName": "api", "containerPort": 8080}]
    stack.add("aws:ecs/service:Service", "api", {"taskDefinition": "arn:aws:api-task", "loadBalancers": balanced})
    topology = stack.read()
    changes = {change.path: change for change in topology.changes}
    assert topology.services["api"].ports == (Port(8080, "443"),)
    route = changes["services.api.routes.to-api"]
    assert (route.production, route.clone) == ("port 443, host shop.example, path /api/* or /v1/*", "api:8080")
    assert changes["resources.to-nobody"].clone is None
    assert lost in changes["resources.to-nobody"].reason
    assert "resources.to-api" not in changes


def test_a_service_that_is_scaled_by_load_has_the_least_that_production_has() -> None:
    stack, urn = aws()
    target = {"scalableDimension": "ecs:service:DesiredCount", "minCapacity": 2, "maxCapacity": 9}
    kind = "aws:appautoscaling/target:Target"
    stack.add(kind, "web", {**target, "resourceId": "service/main/x"}, depends={"resourceId": [urn["web"]]})
    stack.add(kind, "worker", {**target, "resourceId": "service/default/worker", "minCapacity": 0})
    stray = stack.add(kind, "stray", {**target, "resourceId": "service/other/worker"})
    topology = stack.read()
    assert [topology.services[name].replicas for name in ("web", "worker")] == [2, 1]
    changes = {change.path: (change.production, change.clone) for change in topology.changes}
    assert changes["services.web.replicas"] == ("2 to 9", "2")
    assert changes["services.worker.replicas"] == ("0 to 9", "1")
    assert [warning for warning in topology.warnings if stray in warning]


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


def test_container_definitions_that_are_a_secret_are_on_the_record() -> None:
    stack = Stack()
    stack.container("other")
    task = stack.add("aws:ecs/taskDefinition:TaskDefinition", "task", {"containerDefinitions": SECRET})
    stack.add("aws:ecs/service:Service", "web", {"taskDefinition": "x"}, depends={"taskDefinition": [task]})
    (change,) = stack.read().changes
    assert (change.path, change.production) == ("services.web", "(secret)")


def test_a_state_file_is_read_like_an_export() -> None:
    stack = Stack()
    stack.container("web")
    state = {"version": 3, "checkpoint": {"stack": "prod", "latest": json.loads(stack.text())["deployment"]}}
    assert read(json.dumps(state), "prod.json") == stack.read()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no json", "it is no JSON"),
        ("[]", "a mapping is expected"),
        ("{}", "it is no export of a stack"),
        ('{"deployment": {"resources": []}}', "the stack is empty"),
        ('{"deployment": {"resources": [{"type": "x"}]}}', r"resources\[0\]: it is no resource"),
        ('{"deployment": {"resources": [{"urn": "urn:a::b::c::d", "type": "c"}]}}', "none of its 1 resources"),
        ("[" * 100_000, "it is no JSON"),
    ],
)
def test_what_is_no_export_is_refused(text: str, reason: str) -> None:
    with pytest.raises(TopologyError, match=reason):
        read(text, "export.json")


def test_a_topology_with_managed_services_reads_back_from_its_compose_file() -> None:
    stack, _ = aws()
    topology = stack.read()
    back = compose.read(write(topology), "topology.yaml", variables={}, read_file=lambda _: None)
    assert back.services == topology.services
    assert back.secrets == topology.secrets


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.sampled_from(
    [
        "image",
        "envs",
        "ports",
        "volumes",
        "mounts",
        "networksAdvanced",
        "labels",
        "healthcheck",
        "uploads",
        "memory",
        "command",
        "cpus",
        "ulimits",
        "hosts",
        "name",
        "containerDefinitions",
        "taskDefinition",
        "loadBalancers",
        "desiredCount",
        "engine",
        "port",
        "redrivePolicy",
        "cacheNodes",
        "capabilities",
        "versioning",
        "defaultActions",
    ]
)


@given(st.lists(st.tuples(st.sampled_from(sorted(MAPPERS)), st.dictionaries(KNOWN, JSON)), max_size=4))
def test_whatever_an_export_holds_it_is_a_topology_or_a_clear_error(found: list[tuple[str, dict[str, Any]]]) -> None:
    stack = Stack()
    stack.container("web")
    for index, (kind, inputs) in enumerate(found):
        stack.add(kind, f"r{index}", inputs)
    with contextlib.suppress(TopologyError):
        topology = stack.read()
        assert "web" in topology.services
        compose.read(write(topology), "topology.yaml", variables={}, read_file=lambda _: None, provisioned=False)


@given(JSON)
def test_any_json_is_a_topology_or_a_clear_error(found: object) -> None:
    with pytest.raises(TopologyError, match=r"export\.json"):
        read(json.dumps({"deployment": {"resources": [found]}}), "export.json")
