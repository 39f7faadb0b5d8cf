"""Databases with an instance of their own: which they are, what calls them, what they cost, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from aws.plans import PLATFORM, declare, plan_of, planned, service, topology
from aws.strict import findings
from hypothesis import given, settings
from hypothesis import strategies as st
from price_tables import price_table
from recording import SECRET, Recording

from understudy.errors import UsageError
from understudy.on_aws import to_build
from understudy.stacks.aws.databases import Original
from understudy.stacks.aws.declared import chargeable
from understudy.stacks.aws.inside import inside
from understudy.stacks.aws.plan import AwsPlan, DatabasePlan
from understudy.stacks.aws.plan import Source as FromCommit
from understudy.stacks.aws_names import database_instance
from understudy.stacks.clone import Clone, Endpoint, secret_token
from understudy.stacks.cost.estimate import estimate
from understudy.stacks.topology import (
    Build,
    Dependency,
    FileMount,
    Managed,
    Mount,
    NetworkLink,
    OnAws,
    Port,
    Service,
)

HERE = replace(PLATFORM, db_subnet_group="databases", shared_database=None, shared_cache=None)
TOKEN = secret_token("DB")
NEWEST = Original("rds:shop-2030-01-02", "postgres", "15.4", "db.m6g.large", 100, "gp3")
CLUSTER = Original("orders", "aurora-postgresql", "15.4", "db.serverless")
POSTGRES = {"POSTGRES_USER": "app", "POSTGRES_DB": "shop", "POSTGRES_PASSWORD": TOKEN}
SHOP = Managed("rds", "shop", "postgres", "15.4", "shop", "app", "DB")
ORDERS = Managed("rds", "orders", "aurora-postgresql", "15.4", "shop", "app", "DB")


def db(form: str = "instance", name: str = "db", **fields: Any) -> Service:
    asked = {key: fields.pop(key) for key in ("source", "instance_class", "storage") if key in fields}
    given = {"kind": "database", "image": "postgres:15.4-alpine", "environment": POSTGRES, **fields}
    return service(name, on_aws=OnAws(form, **asked), **given)  # type: ignore[arg-type]  # one of the forms


def web(**fields: Any) -> Service:
    environment = {"DATABASE_URL": f"postgres://app:{TOKEN}@db:5432/shop?sslmode=require", "PGHOST": "db"}
    return service("web", **{"environment": environment, "depends_on": (Dependency("db", "healthy"),), **fields})


def made(*services: Service, originals: dict[str, Original] | None = None, **fields: Any) -> AwsPlan:
    return plan_of(*services, platform=HERE, secrets=("DB",), originals=originals or {}, **fields)


def one(*services: Service, **originals: Original) -> DatabasePlan:
    (found,) = made(*services, originals=originals).databases
    return found


def test_an_empty_instance_is_what_the_image_says() -> None:
    found = one(db(instance_class="db.t4g.micro"), web())
    assert found == DatabasePlan(
        logical="db",
        form="instance",
        name="eabcdefghij-db",
        cluster="",
        address="eabcdefghij-db.rds.invalid",
        port=5432,
        engine="postgres",
        version="15.4",
        instance_class="db.t4g.micro",
        storage=20,
        disk="gp3",
        source="",
        user="app",
        password=TOKEN,
        database="shop",
        subnet_group="databases",
    )


def test_class_and_disk_are_those_of_production_unless_they_are_said() -> None:
    production = Original("shop", instance_class="db.m6g.large", storage=100)
    found = one(db(managed=SHOP, image="postgres:15.4", expose=(Port(5433),)), web(), db=production)
    assert (found.instance_class, found.storage, found.port) == ("db.m6g.large", 100, 5433)
    asked = one(db(managed=SHOP, instance_class="db.t4g.micro", storage=30), web(), db=production)
    assert (asked.instance_class, asked.storage) == ("db.t4g.micro", 30)


def test_a_copy_is_of_what_aws_found() -> None:
    found = one(db("snapshot", managed=SHOP), web(), db=NEWEST)
    assert (found.source, found.instance_class, found.storage, found.disk, found.cluster) == (
        "rds:shop-2030-01-02",
        "db.m6g.large",
        100,
        "gp3",
        "",
    )
    clone = one(db("aurora-clone", managed=ORDERS), web(), db=CLUSTER)
    assert (clone.source, clone.instance_class) == ("orders", "db.serverless")
    assert (clone.cluster, clone.name) == ("eabcdefghij-db", database_instance("eabcdefghij", "db.one"))
    assert clone.address == "eabcdefghij-db.rds.invalid"


def test_its_container_is_gone_and_what_called_it_calls_the_instance_on_the_record() -> None:
    plan = made(db("snapshot", managed=SHOP), web(), originals={"db": NEWEST}, endpoints=(("db", 5432),))
    assert [each.logical for each in plan.services] == ["web"]
    assert plan.service("web").after == ()
    (secret,) = [each for each in plan.secrets if each.logical == "web.DATABASE_URL"]
    assert secret.template == f"postgres://app:{TOKEN}@eabcdefghij-db.rds.invalid:5432/shop?sslmode=require"
    changes = {change.path: change for change in plan.changes}
    assert changes["services.web.environment.PGHOST"].clone == "(endpoint of eabcdefghij-db)"
    assert changes["services.db"].production == "rds shop"
    assert changes["services.db"].clone == "the RDS instance eabcdefghij-db"
    assert "rds:shop-2030-01-02" in changes["services.db"].reason
    settings_of_rds = ("backups", "final_snapshot", "deletion_protection", "availability_zones", "performance_insights")
    assert all(changes[f"services.db.{name}"].reason for name in settings_of_rds)
    assert all(".invalid" not in (change.clone or "") for change in plan.changes)


@pytest.mark.parametrize(
    ("services", "platform", "said"),
    [
        ((db(), web()), HERE, "Which class the instance of 'db' should have is not known"),
        ((db(instance_class="x", kind="cache"), web()), HERE, "is no database"),
        ((db(instance_class="x"), web()), PLATFORM, "names no db_subnet_group"),
        ((db(instance_class="x", image="mongo:7"), web()), HERE, "The database 'db' is mongo"),
        ((db(instance_class="x", managed=ORDERS), web()), HERE, "which is for postgres, mysql, mariadb"),
        ((db("aurora-clone", instance_class="x"), web()), HERE, "which is for Aurora"),
        ((db(instance_class="x", environment={"POSTGRES_PASSWORD": "literal"}), web()), HERE, "that is made anew"),
        ((db(instance_class="x", environment={**POSTGRES, "POSTGRES_DB": "my-db"}), web()), HERE, "'my-db'"),
        ((db(instance_class="x"), web(extra_hosts=(("db", "10.0.0.1"),))), HERE, "extra_hosts"),
    ],
)
def test_what_rds_cannot_do_is_refused(services: tuple[Service, ...], platform: Any, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        plan_of(*services, platform=platform, secrets=("DB",), originals={})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("upstream x { server db:5432; }", "/etc/web.conf"),
        (f"url=postgres://app:{TOKEN}@DB/shop", "/etc/web.conf"),
        ("host: shop.production.example:5432", "/etc/web.conf"),
    ],
)
@pytest.mark.parametrize("mounted", [False, True])
def test_a_file_that_calls_it_is_refused_as_it_is_not_rewritten(text: str, place: str, *, mounted: bool) -> None:
    database = db(instance_class="x", networks=(NetworkLink("back", ("shop.production.example",)),))
    file = FileMount("config", "conf", place, content=None if mounted else text, source="web.conf" if mounted else None)
    there = {"web.conf": FromCommit({"web.conf": text.encode()}, single=True)}
    with pytest.raises(UsageError, match=f"Files of service 'web' call the database 'db'.*{place}"):
        made(database, web(files=(file,)), sources=there)
    with pytest.raises(UsageError, match="Files of service 'web' call"):
        made(database, web(mounts=(Mount("bind", place, "web.conf"),)), sources=there)


def test_a_file_that_only_looks_like_calling_it_is_left_alone() -> None:
    text = "# postgres://db/shop\nserver mydb:5432; http://web/db:5432x /db db.example"
    file = FileMount("config", "conf", "/etc/web.conf", content=text)
    own = FileMount("config", "conf", "/docker-entrypoint-initdb.d/a.sh", content="psql postgres://db:5432/shop")
    assert made(db(instance_class="x", files=(own,)), web(files=(file,))).databases


def test_it_has_no_endpoint_outside_or_inside_no_image_and_no_name_that_is_missed() -> None:
    database = db(instance_class="x", build=Build("db"), container_name="shop-db")
    clone = Clone(topology(database, web(), service("two", environment={"PGHOST": "shop-db"}), secrets=("DB",)))
    clone = replace(clone, endpoints=(Endpoint("db", 5432, "postgresql"),))
    plan = planned(clone, platform=HERE, originals={})
    changes = {change.path: change for change in plan.changes}
    assert "only the services that call it" in changes["endpoints.db:5432"].reason
    assert changes["services.two.environment.PGHOST"].clone == "(endpoint of eabcdefghij-db)"
    assert [endpoint.service for endpoint, _ in inside(clone, HERE, "eabcdefghij", {})] == []
    assert to_build(clone) == set()


def test_each_of_several_goes_from_a_service_that_waits_for_them_all() -> None:
    calls = {"PGHOST": "db", "ORDERS_URL": f"postgres://app:{TOKEN}@orders:5432/shop"}
    waits = (Dependency("db", "healthy"), Dependency("orders", "healthy"), Dependency("cache"))
    several = (db(instance_class="x"), db(name="orders", instance_class="x"), service("cache", image="redis:7"))
    plan = made(*several, web(environment=calls, depends_on=waits))
    assert [each.logical for each in plan.databases] == ["db", "orders"]
    assert plan.service("web").after == ("cache",)


def test_mysql_has_its_own_variables() -> None:
    variables = {"MYSQL_USER": "app", "MYSQL_PASSWORD": TOKEN, "MYSQL_DATABASE": "shop", "MYSQL_ROOT_PASSWORD": TOKEN}
    found = one(db(image="library/mysql:8.0", environment=variables, instance_class="x"), service("web"))
    assert (found.engine, found.version, found.port, found.user, found.database) == (
        "mysql",
        "8.0",
        3306,
        "app",
        "shop",
    )
    with pytest.raises(UsageError, match="RDS takes letters"):
        one(db(image="mysql:8", environment={"MYSQL_PASSWORD": TOKEN}, instance_class="x"), service("web"))


@settings(max_examples=60, deadline=None)
@given(
    st.text(min_size=1, max_size=200).filter(lambda text: text != "web"), st.sampled_from(["instance", "aurora-clone"])
)
def test_any_service_s_name_becomes_identifiers_that_rds_takes(name: str, form: str) -> None:
    found = one(db(form, name, instance_class="x", managed=ORDERS if form == "aurora-clone" else None), service("web"))
    for identifier in filter(None, (found.name, found.cluster)):
        assert re.fullmatch(r"[a-z](?:-?[a-z0-9]){0,62}", identifier)
    assert found.cluster != found.name


def declared(*services: Service, **originals: Original) -> Recording:
    return declare(made(*services, originals=originals))


@pytest.mark.parametrize(
    ("services", "original"),
    [
        ((db(), web()), Original("shop", instance_class="db.t4g.micro")),
        ((db("snapshot"), web()), NEWEST),
        ((db("aurora-clone", managed=ORDERS), web()), CLUSTER),
    ],
    ids=["instance", "snapshot", "aurora-clone"],
)
def test_what_is_declared_is_easy_to_destroy_closed_and_of_the_schema(
    services: tuple[Service, ...], original: Original
) -> None:
    recording = declared(*services, db=original)
    assert findings(recording.resources) == []
    rows = [r for r in recording.resources if r.type.startswith("aws:rds/")]
    assert rows
    for row in rows:
        assert row.delete_before_replace
        assert row.timeouts["create"]
        assert not row.protect
        assert not row.retain_on_delete
        if not row.type.endswith("ClusterInstance"):
            assert row.inputs["skipFinalSnapshot"] is row.inputs["deleteAutomatedBackups"] is True
            assert row.inputs["deletionProtection"] is False
            assert row.inputs["vpcSecurityGroupIds"] == ["shop-network-group-id"]
            assert row.inputs["dbSubnetGroupName"] == "databases"
        if not row.type.endswith(":Cluster"):
            assert row.inputs["publiclyAccessible"] is False
        assert row.inputs["applyImmediately"] is True
        for key in {"password", "masterPassword"} & row.inputs.keys():
            assert row.wire[key][SECRET]


def test_a_copy_declares_nothing_that_is_its_original_s() -> None:
    (row,) = declared(db("snapshot"), web(), db=NEWEST).of("Instance", "aws:rds")
    assert row.inputs["snapshotIdentifier"] == "rds:shop-2030-01-02"
    assert not {"engine", "engineVersion", "allocatedStorage", "username", "dbName"} & row.inputs.keys()
    (fresh,) = declared(db(instance_class="db.t4g.micro"), web()).of("Instance", "aws:rds")
    assert (fresh.inputs["storageEncrypted"], fresh.inputs["username"], fresh.inputs["dbName"]) == (True, "app", "shop")


def test_tasks_and_secrets_have_the_endpoint_and_wait_for_it() -> None:
    recording = declared(db("aurora-clone", managed=ORDERS), web(), db=CLUSTER)
    texts = json.dumps([dict(r.inputs) for r in recording.resources])
    assert ".rds.invalid" not in texts
    (task,) = recording.of("TaskDefinition", "aws:ecs")
    assert "orders.cluster.example" in task.inputs["containerDefinitions"]
    values = [r.inputs["secretString"] for r in recording.of("SecretVersion", "aws:secretsmanager")]
    assert any("@orders.cluster.example:5432/shop" in value for value in values)
    (member,) = recording.of("ClusterInstance", "aws:rds")
    (running,) = recording.of("Service", "aws:ecs")
    assert member.urn in running.dependencies


TABLE = price_table(
    {
        "rds/postgres/db.m6g.large/single": (0.2, "hour"),
        "rds/storage/gp3/single": (0.73, "GB-month"),
        "rds/aurora-postgresql/db.r6g.large/single": (0.3, "hour"),
    }
)


def test_instance_and_storage_are_priced_each_and_a_clone_by_its_member_and_use() -> None:
    found = estimate(chargeable(made(db("snapshot", managed=SHOP), web(), originals={"db": NEWEST})), TABLE)
    assert [(r.name, r.kind, r.per_hour) for r in found.rows] == [
        ("db", "postgres db.m6g.large", 0.2),
        ("db", "storage gp3", 0.1),
    ]
    clone = db("aurora-clone", managed=ORDERS, instance_class="db.r6g.large")
    told = estimate(chargeable(made(clone, web(), originals={"db": CLUSTER})), TABLE)
    assert [(r.name, r.kind, r.per_hour) for r in told.rows] == [("db", "aurora-postgresql db.r6g.large", 0.3)]
    assert any(line.name == "db" and "storage" in line.why for line in told.usage_priced)


def test_where_nobody_was_asked_what_only_aws_knows_is_not_priced() -> None:
    plan = plan_of(db("snapshot", managed=SHOP), web(), platform=HERE, secrets=("DB",), originals=None)
    whys = {line.why for line in estimate(chargeable(plan), TABLE).not_priced if line.name == "db"}
    assert whys == {
        "the instance class is not known from the inputs",
        "how much is allocated is not known from the inputs",
    }
