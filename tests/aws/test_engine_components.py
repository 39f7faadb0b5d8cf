"""The real components on the real engine: a platform, and the example's environment on it, up, the same, and gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
from aws.makers import MAKERS
from aws.plans import ENV, plan_of, planned, service, shop_plan, topology
from aws.world import OTHER, Account, tags_of
from support import in_process, make_project

from understudy.components.aws.environment import AwsEnvironment, AwsEnvironmentArgs
from understudy.components.aws.platform import Platform, PlatformArgs
from understudy.diff.drift import drifted
from understudy.engine.interface import Engine, StackRef, UpResult
from understudy.errors import UsageError
from understudy.lease import LeaseStore
from understudy.provider.server import PackageServer
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.aws.platform import platform_of
from understudy.stacks.aws_names import database_instance
from understudy.stacks.clone import Clone, Endpoint, secret_token
from understudy.stacks.identity import LABEL, PROTECT, Environment, format_time, ownership_labels
from understudy.stacks.secret_rules import Seed
from understudy.stacks.topology import Dependency, HealthCheck, Managed, Mount, OnAws, Port, Service, Volume
from understudy.targets.aws.originals import originals
from understudy.targets.aws.session import AwsAccess, AwsSession
from understudy.targets.aws.target import AwsTarget
from understudy.targets.interface import Noted

from .conftest import Moto, commanded
from .programs import STALE

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

PLATFORM = StackRef("understudy-platform", "eu-west-1")
REF = StackRef("understudy", ENV.id)


@dataclass
class World:
    engine: Engine
    moto: Moto
    first: UpResult
    services: int

    def program(self) -> None:
        there = platform_of(self.first.outputs, PLATFORM.qualified)
        plan = replace(shop_plan(), platform=there)
        made = AwsEnvironment("shop", AwsEnvironmentArgs(plan=plan, seed=Seed(b"seed")))
        pulumi.export("endpoints", made.endpoints)

    def owned(self) -> list[str]:
        return self.owned_by(ENV)

    def owned_by(self, environment: Environment) -> list[str]:
        """What the tagging API shows of an environment, without what it shows of the dead."""
        found = self.moto.arns(**ownership_labels(environment))
        return [arn for arn in found if not any(part in arn for part in STALE)]


@pytest.fixture(scope="module")
def world(moto: Moto, aws_engine_on_disk: Engine) -> World:
    def program() -> None:
        zones = (f"{moto.region}a", f"{moto.region}b")
        args = PlatformArgs(account=moto.account, region=moto.region, zones=zones)
        for name, value in Platform("understudy", args).outputs.items():
            pulumi.export(name, value)

    first = aws_engine_on_disk.up(PLATFORM, program)
    return World(aws_engine_on_disk, moto, first, len(shop_plan().services))


def test_the_outputs_of_the_platform_s_stack_are_a_platform(world: World) -> None:
    there = platform_of(world.first.outputs, PLATFORM.qualified)
    assert (there.account, there.region) == (world.moto.account, world.moto.region)
    assert world.moto.client("s3").head_bucket(Bucket=there.bucket)
    assert len(there.subnet_ids) == 2


def test_the_example_goes_up_stays_the_same_and_goes_down_in_order(world: World) -> None:
    preview = world.engine.preview(REF, world.program)
    assert set(preview.changes) == {"create"}
    done = world.engine.up(REF, world.program)
    assert done.changes == preview.changes
    cluster = world.first.outputs["cluster_arn"]
    ecs = world.moto.client("ecs")
    assert len(ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]) == world.services
    kinds = {arn.split(":")[2] for arn in world.owned()}
    assert kinds >= {"ec2", "elasticloadbalancing", "logs", "secretsmanager"}

    assert set(world.engine.up(REF, world.program).changes) == {"same"}
    seen = world.engine.look(REF)
    assert not [record for each in seen if (record := drifted(each, environment=ENV.id))]
    observed = AwsTarget(AwsSession(AwsAccess(world.moto.region))).observe(ENV.whose, seen)
    assert observed.strays == ()
    assert list(observed.noted.values()) == [Noted()] * world.services

    world.moto.calls.clear()
    world.engine.destroy(REF)
    asked = [operation for _, operation, _ in world.moto.calls]
    last = {name: len(asked) - 1 - asked[::-1].index(name) for name in set(asked)}
    assert asked.count("delete_service") >= world.services
    assert last["delete_service"] < asked.index("delete_security_group")
    assert last["delete_service"] < asked.index("delete_log_group")
    assert asked.index("delete_rule") < asked.index("delete_target_group")
    assert not world.owned()
    assert [each.ref for each in world.engine.list()] == [PLATFORM]


def test_services_that_share_a_network_go_up_as_one_task_and_each_is_known_by_its_name(world: World) -> None:
    beside = {"networks": (), "network_of": "proxy"}
    waits = (Dependency("fill", "completed"), Dependency("proxy", "healthy"))
    web = service("web", ports=(Port(8000),), depends_on=waits, mounts=(Mount("volume", "/in", "data"),), **beside)
    fill = service("fill", kind="job", mounts=(Mount("volume", "/out", "data"),), **beside)
    proxy = service("proxy", expose=(Port(9901),), healthcheck=HealthCheck(("CMD", "ready")))
    clone = Clone(topology(web, fill, proxy, volumes={"data": Volume("data")}), (Endpoint("web", 8000, "http"),))

    def program() -> None:
        plan = planned(clone, platform=platform_of(world.first.outputs, PLATFORM.qualified))
        AwsEnvironment("group", AwsEnvironmentArgs(plan=plan, seed=Seed(b"seed")))

    world.engine.up(REF, program)
    ecs = world.moto.client("ecs")
    made = ecs.describe_task_definition(taskDefinition=f"{ENV.id}-proxy")["taskDefinition"]
    containers = {each["name"]: each for each in made["containerDefinitions"]}
    after = [{"containerName": "fill", "condition": "SUCCESS"}, {"containerName": "proxy", "condition": "HEALTHY"}]
    assert containers["web"]["dependsOn"][1:] == after
    (volume,) = made["volumes"]
    assert {name: [m["sourceVolume"] for m in containers[name]["mountPoints"]] for name in ("web", "fill")} == {
        "web": [volume["name"]],
        "fill": [volume["name"]],
    }
    target = AwsTarget(AwsSession(AwsAccess(world.moto.region)))
    assert set(target.endpoints(ENV.whose)) == {"web:8000"}
    assert list(target.lines(ENV.whose, ("fill", "web"), follow=False)) == []
    assert set(world.engine.up(REF, program).changes) == {"same"}
    world.engine.destroy(REF)
    assert not world.owned()


PASSWORD = {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": secret_token("DB")}
CALLS = {"SHOP_URL": f"postgres://app:{secret_token('DB')}@shop:5432/app", "ORDERS_HOST": "orders"}


def copied(name: str, form: str, engine: str, **asked: Any) -> Service:
    given = {"kind": "database", "environment": PASSWORD, "managed": Managed("rds", f"{name}-production", engine)}
    return service(name, **given, on_aws=OnAws(form, **asked))  # type: ignore[arg-type]  # one of the forms


MEMBER = database_instance(ENV.id, "orders.one")
DATABASES = (copied("shop", "snapshot", "postgres"), copied("orders", "aurora-clone", "aurora-postgresql"))


@pytest.fixture
def production(world: World) -> Any:
    """An instance with an automated snapshot, and an Aurora cluster with a writer; both are protected."""
    rds = world.moto.client("rds")
    admin = {"MasterUsername": "app", "MasterUserPassword": "of-production", "DeletionProtection": True}
    size = {"DBInstanceClass": "db.t4g.medium", "AllocatedStorage": 50}
    rds.create_db_instance(DBInstanceIdentifier="shop-production", Engine="postgres", **size, **admin)
    aurora = {"Engine": "aurora-postgresql"}
    rds.create_db_cluster(DBClusterIdentifier="orders-production", **aurora, **admin)
    member = {"DBInstanceIdentifier": "orders-production-1", "DBInstanceClass": "db.r6g.large"}
    rds.create_db_instance(DBClusterIdentifier="orders-production", **aurora, **member)
    return rds


def test_databases_are_copied_from_a_snapshot_and_a_cluster_and_gone_with_the_environment(
    world: World, production: Any
) -> None:
    found = originals(AwsSession(AwsAccess(region=world.moto.region)), DATABASES)
    assert {name: (each.instance_class, each.storage) for name, each in found.items()} == {
        "shop": ("db.t4g.medium", 50),
        "orders": ("db.r6g.large", None),
    }
    assert found["shop"].source.startswith("rds:shop-production-")

    seen = dict(found)

    def program() -> None:
        there = platform_of(world.first.outputs, PLATFORM.qualified)
        web = service("web", environment=CALLS)
        plan = plan_of(*DATABASES, web, platform=there, secrets=("DB",), originals=seen)
        AwsEnvironment("copies", AwsEnvironmentArgs(plan=plan, seed=Seed(b"seed")))

    world.moto.calls.clear()
    world.engine.up(REF, program)
    [(_, restored)] = world.moto.asked("restore_db_instance_from_db_snapshot")
    assert restored["DBSnapshotIdentifier"] == found["shop"].source
    [(_, cloned)] = world.moto.asked("restore_db_cluster_to_point_in_time")
    assert (cloned["SourceDBClusterIdentifier"], cloned["RestoreType"]) == ("orders-production", "copy-on-write")
    row = production.describe_db_instances(DBInstanceIdentifier=f"{ENV.id}-shop")["DBInstances"][0]
    cluster = production.describe_db_clusters(DBClusterIdentifier=f"{ENV.id}-orders")["DBClusters"][0]
    assert (row["PubliclyAccessible"], row["DeletionProtection"], cluster["DeletionProtection"]) == (
        False,
        False,
        False,
    )
    assert [member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"]] == [MEMBER]
    ecs, secrets = world.moto.client("ecs"), world.moto.client("secretsmanager")
    task = ecs.describe_task_definition(taskDefinition=f"{ENV.id}-web")["taskDefinition"]["containerDefinitions"]
    assert {"name": "ORDERS_HOST", "value": cluster["Endpoint"]} in task[0]["environment"]
    kept = [
        secrets.get_secret_value(SecretId=each["ARN"])["SecretString"] for each in secrets.list_secrets()["SecretList"]
    ]
    assert any(text.endswith(f"@{row['Endpoint']['Address']}:5432/app") for text in kept)
    assert ".rds.invalid" not in json.dumps([task, kept])
    seen["shop"] = replace(found["shop"], source="rds:shop-production-of-the-next-day")
    assert set(world.engine.up(REF, program).changes) == {"same"}

    world.moto.calls.clear()
    world.engine.destroy(REF)
    asked = [
        (operation, given.get("DBInstanceIdentifier"))
        for operation, given in world.moto.asked("delete_db_instance", "delete_db_cluster", "delete_service")
    ]
    assert asked.index(("delete_db_instance", MEMBER)) < asked.index(("delete_db_cluster", None))
    assert asked[0][0] == "delete_service"
    left = {each["DBInstanceIdentifier"] for each in production.describe_db_instances()["DBInstances"]}
    assert left == {"shop-production", "orders-production-1"}
    assert [each["DBClusterIdentifier"] for each in production.describe_db_clusters()["DBClusters"]] == [
        "orders-production"
    ]
    assert not [arn for arn in world.owned() if ":rds:" in arn]


@pytest.mark.parametrize(
    ("database", "said"),
    [
        (copied("nowhere", "snapshot", "postgres"), "the automated snapshots of nowhere-production"),
        (copied("nowhere", "snapshot", "postgres", source="gone"), r"snapshot that the database 'nowhere' .*\(gone\)"),
        (copied("nowhere", "aurora-clone", "aurora-postgresql"), r"Aurora cluster .*\(nowhere-production\)"),
    ],
)
def test_what_a_database_would_be_made_from_is_looked_for_before_anything_is_made(
    world: World, database: Service, said: str
) -> None:
    aws = AwsSession(AwsAccess(region=world.moto.region))
    with pytest.raises(UsageError, match=said):
        originals(aws, [database])
    without = [copied("nowhere", "instance", "postgres"), copied("nowhere", "shared", "postgres"), service("web")]
    assert originals(aws, without) == {}


DECOYS = frozenset(MAKERS) - {"rds-cluster", "rds-snapshot", "cache-cluster", "cache-group", "ecs-task", "name"}
"""The kinds that the environment below is made of, and some more."""


def of_each_kind(environment: Environment, outputs: Mapping[str, Any]) -> AwsPlan:
    """A gateway with a queue, a bucket, a secret, a parameter, and a database of its own."""
    told = {"QUEUE": "jobs", "PGHOST": "db", "TOKEN": secret_token("TOKEN"), "KEY": secret_token("KEY")}
    services = (
        service("web", kind="gateway", ports=(Port(8080),), environment=told),
        service("jobs", kind="queue", managed=Managed("sqs", "jobs")),
        service("files", kind="bucket", managed=Managed("s3", "files")),
        copied("db", "instance", "postgres", instance_class="db.t4g.micro"),
    )
    found = topology(*services, secrets=("DB", "TOKEN", "KEY"), secret_stores={"KEY": "parameter"})
    clone = Clone(found, endpoints=(Endpoint("web", 8080, "http"),))
    return planned(clone, environment=environment, platform=platform_of(outputs, PLATFORM.qualified))


def test_what_the_engine_made_and_nothing_knows_of_any_more_is_reaped_and_no_decoy(
    world: World, aws_provider: PackageServer, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "shop", tmp_path / "state")
    project.env |= commanded(aws_provider)
    backend = LeaseStore.beside(f"file://{project.env['XDG_STATE_HOME']}/understudy/backend").backend_id()
    lost = replace(ENV, id="eabcdefghjk", not_after=datetime.now(UTC) - timedelta(hours=2), backend=backend)
    ref = StackRef("understudy", lost.id)
    plan = of_each_kind(lost, world.first.outputs)

    def program() -> None:
        AwsEnvironment("lost", AwsEnvironmentArgs(plan=plan, seed=Seed(b"seed")))

    world.engine.up(ref, program)
    world.engine.discard(ref)

    account, ours = Account(), ownership_labels(lost)
    lacking = {key: value for key, value in ours.items() if key != LABEL + "project"}
    protected = {LABEL + "environment": "ecccccccccc", PROTECT: "true"}
    elsewhere = {LABEL + "environment": "eeeeeeeeeee", LABEL + "target": f"aws:999999999999:{world.moto.region}"}
    lives = {LABEL + "not-after": format_time(datetime.now(UTC) + timedelta(hours=1))}
    decoys = [
        account.make(OTHER, tags_of(OTHER) | lives, 101, DECOYS),  # another backend's
        account.make("young", ours | lives | {LABEL + "environment": "ebbbbbbbbbc"}, kinds={"queue"}),
        account.make(f"{lost.id}-half", lacking, kinds={"security-group", "queue", "secret", "policy", "role"}),
        account.make(f"{lost.id}-bare", {"team": "payments"}, kinds={"bucket", "queue", "log-group"}),
        account.make("protected", ours | protected, kinds={"queue"}),
        account.make("elsewhere", ours | elsewhere, kinds={"queue"}),
    ]
    before, shared = world.owned_by(lost), world.moto.arns(**{"dev.understudy.platform": world.moto.region})
    dry = in_process(project, "reap", "--target", "aws")
    assert dry.code == 5, dry.text  # what lacks a label cannot be judged
    assert lost.id in dry.out
    assert world.owned_by(lost) == before != []

    done = in_process(project, "reap", "--target", "aws", "--yes")

    assert done.code == 5, done.text
    assert in_process(project, "receipt", lost.id).code == 0
    assert not project.leases()
    assert [account.there(made) for made in decoys] == decoys
    assert world.moto.arns(**{"dev.understudy.platform": world.moto.region}) == shared
    assert world.owned_by(lost) == []
    assert named_after(lost, world.moto) == {f"{lost.id}-bare", f"{lost.id}-half-task"}


def named_after(environment: Environment, moto: Moto) -> set[str]:
    """What begins with its id, of what no tagging API shows, or not for certain."""
    ecs, iam, logs = (moto.client(name) for name in ("ecs", "iam", "logs"))
    named = [group["logGroupName"].rpartition("/")[2] for group in logs.describe_log_groups()["logGroups"]]
    named += [role["RoleName"] for role in iam.list_roles()["Roles"]]
    for status in ("ACTIVE", "INACTIVE"):
        named += [arn.rpartition("/")[2] for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]]
    return {name for name in named if name.startswith(environment.id)}
