"""The real components on the real engine: a platform, and the example's environment on it, up, the same, and gone."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pytest
from aws.plans import ENV, plan_of, service, shop_plan

from understudy.components.aws.environment import AwsEnvironment, AwsEnvironmentArgs
from understudy.components.aws.platform import Platform, PlatformArgs
from understudy.diff.drift import drifted
from understudy.engine.interface import Engine, StackRef, UpResult
from understudy.errors import UsageError
from understudy.stacks.aws.platform import platform_of
from understudy.stacks.aws_names import database_instance
from understudy.stacks.clone import secret_token
from understudy.stacks.identity import ownership_labels
from understudy.stacks.secret_rules import Seed
from understudy.stacks.topology import Managed, OnAws, Service
from understudy.targets.aws.originals import originals
from understudy.targets.aws.session import AwsAccess, AwsSession
from understudy.targets.aws.target import AwsTarget
from understudy.targets.interface import Noted

from .conftest import Moto
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
        """What the tagging API shows of the environment, without what it shows of the dead."""
        found = self.moto.arns(**ownership_labels(ENV))
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
