"""What the tests of the AWS target start from: a platform, an environment, the example's clone, one of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from recording import Recording, record

from understudy.components.aws.environment import AwsEnvironment, AwsEnvironmentArgs
from understudy.components.aws.sources import sources
from understudy.stacks import identity
from understudy.stacks.aws.databases import Original
from understudy.stacks.aws.make import AwsOptions, make_plan
from understudy.stacks.aws.plan import AwsPlan, Source
from understudy.stacks.aws.platform import Platform, SharedCache, SharedDatabase
from understudy.stacks.clone import Clone, Endpoint, Mock, secret_token
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.ground import ON_AWS
from understudy.stacks.secret_rules import Seed
from understudy.stacks.sources import compose
from understudy.stacks.topology import (
    Dependency,
    FileMount,
    HealthCheck,
    Managed,
    Mount,
    Network,
    NetworkLink,
    OnAws,
    Port,
    Resources,
    Service,
    Topology,
    Ulimit,
    Volume,
)
from understudy.stacks.trust import Certificates

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
TARGET = "aws:123456789012:eu-west-1"
ENV = identity.Environment("eabcdefghij", TARGET, "shop", datetime(2030, 1, 2, tzinfo=UTC), "b1")
PLATFORM = Platform(
    account="123456789012",
    region="eu-west-1",
    vpc_id="vpc-1",
    subnet_ids=("subnet-1", "subnet-2"),
    cluster_arn="arn:cluster",
    listener_arn="arn:listener",
    execution_role_arn="arn:execution",
    alb_arn="arn:alb",
    alb_dns_name="alb.example",
    alb_security_group_id="sg-alb",
    bucket="results",
    shared_database=SharedDatabase("shared", "shared.rds.example", 5433, "arn:admin"),
    shared_cache=SharedCache("shared.cache.example", 6380, "group"),
    permissions_boundary="arn:boundary",
)
CERTIFICATES = Certificates({"ca.pem": b"authority"}, {"payments": b"\xff12"})
BACK = (NetworkLink("back"),)


def service(name: str, **fields: Any) -> Service:
    return Service(name, **{"image": f"{name}:1", "networks": BACK, **fields})


def topology(*services: Service, **others: Any) -> Topology:
    return Topology("shop", {each.name: each for each in services}, {"back": Network("back")}, **others)


def planned(clone: Clone, **fields: Any) -> AwsPlan:
    """The plan of a clone; an image is taken as it is called."""
    images = {name: each.image or f"registry.example/{name}:1" for name, each in clone.topology.services.items()}
    return make_plan(clone, fields.pop("environment", ENV), fields.pop("platform", PLATFORM), images, **fields)


def plan_of(*services: Service, **fields: Any) -> AwsPlan:
    """The plan of some services."""
    found = {key: fields.pop(key) for key in ("volumes", "secrets", "endpoints") if key in fields}
    return planned(Clone(topology(*services, **found)), **fields)


def declare(plan: AwsPlan) -> Recording:
    """What an environment declares; the result is its endpoints."""
    return record(lambda: AwsEnvironment("shop", AwsEnvironmentArgs(plan=plan, seed=Seed(b"seed"))).endpoints, state)


_ENDPOINTS: Mapping[str, Mapping[str, Any]] = {
    "aws:rds/instance:Instance": {"address": "db.instance.example"},
    "aws:rds/cluster:Cluster": {"endpoint": "orders.cluster.example"},
}


def state(kind: str, name: str, _inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What AWS would add to a resource."""
    return {"arn": f"arn:{name}", **_ENDPOINTS.get(kind, {})}


@cache
def shop() -> Clone:
    """The example, as it is derived for AWS."""

    def read(path: str) -> bytes | None:
        return (SHOP / path).read_bytes() if (SHOP / path).is_file() else None

    text = (SHOP / "compose.yaml").read_text(encoding="utf-8")
    found = compose.read(text, "compose.yaml", variables={}, read_file=read)
    return derive(found, found, commit="c" * 40, profile=profile_named(found), unchanged_builds={}, ground=ON_AWS)


@cache
def shop_plan(**options: Any) -> AwsPlan:
    """The plan of the example."""
    return planned(shop(), sources=sources(shop(), str(SHOP)), certificates=CERTIFICATES, options=AwsOptions(**options))


def everything() -> Clone:
    """A clone with every kind, and every setting that Fargate takes."""
    url = "https://sqs.eu-west-1.amazonaws.com/999999999999/orders.fifo"
    full = service(
        "full",
        command=("serve",),
        entrypoint=("/run",),
        environment={
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_REGION": "us-east-1",
            "QUEUE_URL": url,
            "UPLOADS": "s3://uploads/in",
            "ARRIVALS_QUEUE": "arrivals",
            "DATABASE_URL": f"postgres://app:{secret_token('DB')}@db.internal:5432/app",
            "CACHE_URL": "redis://cache:6379/0",
            "PLAIN": "x",
            "TOKEN": secret_token("TOKEN"),
        },
        ports=(Port(80),),
        mounts=(
            Mount("bind", "/etc/app", "conf", read_only=True),
            Mount("bind", "/etc/tool/tool.conf", "tool.conf"),
            Mount("volume", "/data", "data"),
            Mount("tmpfs", "/scratch", options=(("size", "1024"),)),
        ),
        files=(FileMount("secret", "key", "/run/secrets/key", content=secret_token("DB"), mode=0o400, uid="5"),),
        healthcheck=HealthCheck(("CMD", "probe"), interval=1.0, timeout=3.0, retries=20, start_period=2.5),
        depends_on=(
            Dependency("migrate", "completed"),
            Dependency("orders"),
            Dependency("cache", "healthy"),
            Dependency("fill", "completed"),
        ),
        resources=Resources(cpus=0.3, memory=300 * 1024 * 1024, memory_reservation=100 * 1024 * 1024, pids=50),
        user="5:5",
        working_dir="/app",
        init=True,
        read_only=True,
        tty=True,
        stdin_open=True,
        stop_grace_period=300.0,
        labels={"team": "x", "dev.understudy.environment": "other"},
        cap_add=("CAP_SYS_PTRACE",),
        cap_drop=("ALL",),
        sysctls={"net.core.somaxconn": "10"},
        ulimits=(Ulimit("nofile", 10, 20), Ulimit("core", 0, 0)),
        platform="linux/arm64",
    )
    found = topology(
        service("web", kind="gateway", ports=(Port(8080),), depends_on=(Dependency("full"),), replicas=2),
        full,
        service(
            "beside",
            networks=(),
            network_of="full",
            expose=(Port(9100),),
            environment={"TOKEN": secret_token("TOKEN")},
            mounts=(Mount("volume", "/seen", "data", read_only=True), Mount("bind", "/etc/beside", "conf")),
            depends_on=(Dependency("full", "healthy"), Dependency("broker")),
            resources=Resources(cpus=0.1, memory=64 * 1024 * 1024),
            platform="linux/arm64",
        ),
        service(
            "fill", kind="job", mounts=(Mount("volume", "/out", "data"),), platform="linux/arm64", command=("fill",)
        ),
        service(
            "migrate",
            kind="job",
            environment={"PGHOST": "db.internal", "PGDATABASE": "app", "PGUSER": "app"},
            depends_on=(Dependency("db", "healthy"),),
        ),
        service(
            "db",
            kind="database",
            image="postgres:15",
            environment={"POSTGRES_USER": "app", "POSTGRES_PASSWORD": secret_token("DB")},
            networks=(NetworkLink("back", ("db.internal",)),),
        ),
        service("cache", kind="cache", image="redis:7"),
        service("broker", kind="queue", expose=(Port(5672),)),
        service("store", kind="bucket", expose=(Port(9000),)),
        service(
            "orders",
            kind="queue",
            managed=Managed(
                "sqs",
                "orders.fifo",
                options={
                    "fifo": "true",
                    "url": url,
                    "dead_letter": "failed.fifo",
                    "max_receive": "3",
                    "visibility_timeout": "45",
                    "delay": "2",
                },
            ),
        ),
        service("failed", kind="queue", managed=Managed("sqs", "failed.fifo", options={"fifo": "true"})),
        service("arrivals", kind="queue", managed=Managed("sqs", "arrivals")),
        service(
            "uploads",
            kind="bucket",
            managed=Managed(
                "s3",
                "uploads",
                options={
                    "versioning": "true",
                    "notify": '[{"queue": "arrivals", "events": ["s3:ObjectCreated:*"], "suffix": ".pdf"}]',
                },
            ),
        ),
        volumes={"data": Volume("data")},
        secrets=("DB", "TOKEN"),
        secret_stores={"TOKEN": "parameter"},
    )
    return Clone(
        found,
        endpoints=(Endpoint("web", 8080, "http"), Endpoint("db", 5432, "postgresql")),
        mocks=(Mock("payments", "api.payments.example", 443, "mocks/pay", "https"),),
    )


def databases_plan() -> AwsPlan:
    """A database of each form that is no container, with what it is made from, and a service that calls the first."""
    asked = {
        "empty": (OnAws("instance"), "postgres"),
        "copied": (OnAws("snapshot"), "postgres"),
        "shared": (OnAws("aurora-clone"), "aurora-postgresql"),
    }
    first = {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": secret_token("DB")}
    return plan_of(
        *(
            service(name, kind="database", environment=first, on_aws=on_aws, managed=Managed("rds", name, engine))
            for name, (on_aws, engine) in asked.items()
        ),
        service("web", environment={"PGHOST": "empty"}),
        platform=replace(PLATFORM, db_subnet_group="databases"),
        secrets=("DB",),
        originals={
            name: Original("original", engine, "15.4", "db.t4g.micro", 20, "gp3") for name, (_, engine) in asked.items()
        },
    )


DB = service(
    "db",
    kind="database",
    environment={"POSTGRES_USER": "app", "POSTGRES_DB": "main", "POSTGRES_PASSWORD": secret_token("DB")},
    networks=(NetworkLink("back", ("db.internal",)),),
    on_aws=OnAws("shared"),
)
"""A database that is to be on the platform's shared instance."""

SOURCES = {
    "conf": Source({"a.conf": b"a", "deep/b.conf": b"b"}, executable=frozenset({"deep/b.conf"})),
    "tool.conf": Source({"tool.conf": b"t"}, single=True),
    "mocks/pay": Source({"mappings/one.json": b"{}", "__files/logo.png": b"\xff\x89"}),
}


def everything_plan(*shared: str, **options: Any) -> AwsPlan:
    """The plan of it, with these stores on the platform's shared instances."""
    clone = everything()
    services = {
        name: replace(each, on_aws=OnAws("shared") if name in shared else None)
        for name, each in clone.topology.services.items()
    }
    clone = replace(clone, topology=replace(clone.topology, services=services))
    return planned(clone, sources=SOURCES, certificates=CERTIFICATES, options=AwsOptions(**options))


def private(platform: Platform) -> Platform:
    """The platform with tasks behind NAT, without shared instances and boundary."""
    return replace(platform, private=True, shared_database=None, shared_cache=None, permissions_boundary="")
