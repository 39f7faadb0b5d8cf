"""The commands themselves on AWS: the platform, then the example, from its lease to its receipt, on moto."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from price_tables import price_table
from support import ROOT, Project, make_project

from understudy.prices.shelf import keep
from understudy.provider.server import PackageServer

from .conftest import ACCOUNT, REGION, Moto, commanded
from .small import table

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

IMAGES = ("catalog", "orders", "worker")
"""What the example builds; here each is given, as a registry has it."""

INSIDE = "x-understudy: {tests: {inside: {command: [pytest], folder: tests, image: catalog}}}\n"
"""A suite that runs in a task of the environment."""

FILES = ("-f", "compose.yaml", "-f", "images.yaml")


PRICES = price_table(
    {
        "fargate/vcpu/x86_64": (0.04, "vCPU-hour"),
        "fargate/memory/x86_64": (0.004, "GB-hour"),
        "ipv4": (0.005, "address-hour"),
    }
)
"""Of a region of which none are shipped; of secrets nobody has any."""


@pytest.fixture(scope="module")
def project(aws_provider: PackageServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example in a repository of its own; no Docker answers."""
    folder = tmp_path_factory.mktemp("aws")
    project = make_project(folder / "shop", folder / "state", "examples/shop")
    project.env |= commanded(aws_provider)
    ignored = shutil.ignore_patterns("understudy-runs", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "examples" / "shop", project.folder, ignore=ignored)
    given = "".join(f"  {each}: {{image: 'registry.example/{each}:1', build: !reset null}}\n" for each in IMAGES)
    (project.folder / "images.yaml").write_text(f"services:\n{given}{INSIDE}", encoding="utf-8")
    project.commit("Open the shop")
    return project


@pytest.fixture(scope="module")
def shop(project: Project, moto: Moto) -> Project:
    """The example beside a platform that the command has made, in a region whose prices were refreshed."""
    keep(PRICES, Path(project.env["XDG_STATE_HOME"], "understudy"))
    made = project.understudy("platform", "up", "--format", "json")
    assert made.code == 0, made.text
    assert json.loads(made.out)["stack"] == f"understudy-platform/{REGION}"
    moto.calls.clear()
    return project


def record(project: Project) -> dict[str, Any]:
    return project.record()


def test_a_run_makes_all_says_that_nothing_was_tested_and_removes_all(shop: Project, moto: Moto) -> None:
    done = shop.understudy("run", "--target", "aws", *FILES, "--history", "off", limit=600)
    assert done.code == 7, done.text
    found = record(shop)
    [cause] = found["causes"]
    assert (cause["kind"], cause["code"]) == ("NotTestedError", 7)
    assert "is moto, which answers AWS's calls and runs no task" in cause["message"]
    assert found["target"] == f"aws:{ACCOUNT}:{REGION}"
    assert found["receipt"]["outcome"] == "CLEAN"
    assert {"ecs-service", "security-group", "role"} <= set(found["receipt"]["looked"])
    assert {suite["status"] for suite in found["suites"]} == {"stopped"}
    assert found["ready_at"] is None
    assert not found["endpoints"]  # nobody reached one
    made = {operation for _, operation, _ in moto.calls}
    assert made >= {"create_service", "register_task_definition", "create_rule", "create_security_group"}
    assert "inside" in {suite["name"] for suite in found["suites"]}
    assert [given for _, given in moto.asked("create_role") if "understudy-suites" in given["RoleName"]]
    assert not moto.owned()
    for status in ("ACTIVE", "INACTIVE"):
        assert not moto.client("ecs").list_task_definitions(status=status)["taskDefinitionArns"]
    assert not shop.leases()
    proven = shop.understudy("receipt", found["environment"])
    assert proven.code == 0, proven.text
    assert found["documents"] == ["examples/shop/compose.yaml", "examples/shop/images.yaml"]
    planned = json.loads(shop.understudy("plan", "--target", "aws", *FILES, "--cost", "--format", "json").out)
    hold_changes(planned, found)
    hold_cost(shop, planned["cost"], found)


def hold_changes(planned: dict[str, Any], found: dict[str, Any]) -> None:
    """What the plan says that differs is what the run's record has, with the environment's id in its place."""
    told = json.dumps([planned[key] for key in ("changes", "properties", "verdicts")])
    had = [found[key] for key in ("changes", "properties", "verdicts")]
    assert json.loads(told.replace("<environment>", found["environment"])) == had
    assert found["verdicts"]["networks.egress"] == "changed"


def hold_cost(shop: Project, planned: dict[str, Any], found: dict[str, Any]) -> None:
    """What the run cost is what the plan says, for as long as it was there."""
    cost, provisioned = found["cost"], next(each for each in found["phases"] if each["name"] == "provision")
    assert cost["per_hour"] == planned["per_hour"] == round(sum(row["per_hour"] for row in planned["rows"]), 6) > 0
    assert cost["hours"] == pytest.approx((found["receipt"]["offset"] - provisioned["offset"]) / 3600, abs=1e-6)
    assert cost["total"] == pytest.approx(cost["hours"] * cost["per_hour"], abs=1e-6)
    assert (cost["region"], cost["dated"], cost["at_most"]) == (REGION, "2030-01-02", False)
    assert cost["not_priced"] == [f"DB_PASSWORD (secret): the table of {REGION} of 2030-01-02 has no secret"]
    said = f"estimated {cost['total']:.4f} USD for {cost['hours']:.2f} hours, without 1 charge that has no price"
    assert said in (shop.latest() / "report.html").read_text(encoding="utf-8")


def test_what_would_cost_more_than_is_allowed_or_has_no_prices_is_refused_before_anything_is_made(
    shop: Project, moto: Moto
) -> None:
    moto.calls.clear()
    done = shop.understudy("run", "--target", "aws", *FILES, "--history", "off", "--max-hourly-cost", "0.01")
    assert done.code == 7, done.text
    [cause] = record(shop)["causes"]
    assert (cause["kind"], cause["code"]) == ("LimitError", 7)
    assert re.match(
        r"--max-hourly-cost allows 0\.01 USD an hour, and the environment is estimated at 0\.\d{4}, by the table of "
        rf"prices of {REGION} of 2030-01-02, without what has no price: DB_PASSWORD \(secret\)\. Nothing was created\.",
        cause["message"],
    )
    assert record(shop)["cost"] is None
    Path(shop.env["XDG_STATE_HOME"], "understudy", "prices", f"{REGION}.json").unlink()
    unknown = shop.understudy("up", "--target", "aws", *FILES, "--max-hourly-cost", "1000")
    assert unknown.code == 7, unknown.text
    assert f"`understudy prices refresh --region {REGION}` writes one" in unknown.text
    assert not moto.calls
    assert not moto.owned()
    assert not shop.leases()


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        ("", "catalog, orders, worker would have to be built, and the platform has no registry"),
        ("registry.example/previews", "'registry.example/previews', which is no repository of Amazon ECR"),
    ],
    ids=["none", "another's"],
)
def test_what_would_have_to_be_built_is_refused_where_no_registry_is_before_anything_is_made(
    registry: str, words: str, shop: Project, moto: Moto
) -> None:
    (shop.folder / "understudy.toml").write_text(_table(shop, registry=registry), encoding="utf-8")
    moto.calls.clear()
    try:
        done = shop.understudy("run", "--target", "aws", "--history", "off")
    finally:
        Path(shop.folder, "understudy.toml").unlink()
    assert done.code == 2, done.text
    assert words in done.text
    assert not moto.calls
    assert not shop.leases()


def _table(project: Project, **other: str) -> str:
    """The platform that is there, named by its ids, with other values for some."""
    shown = json.loads(project.understudy("platform", "show", "--format", "json").out)["platform"] | other
    return table({key: value for key, value in shown.items() if value})


def test_an_account_that_is_not_allowed_or_is_production_s_is_not_even_looked_at(project: Project, moto: Moto) -> None:
    other = project.understudy("reap", "--target", "aws", env={"UNDERSTUDY_AWS_ACCOUNTS": "999999999999"})
    assert other.code == 4, other.text
    assert f"account {ACCOUNT} is not among those allowed (999999999999)" in other.text
    iam = moto.client("iam")
    iam.create_account_alias(AccountAlias="shop-prod")
    try:
        for command in (("reap", "--target", "aws", "--yes"), ("up", "--target", "aws", *FILES)):
            refused = project.understudy(*command)
            assert refused.code in {2, 4}, refused.text
            assert "is called 'shop-prod', which looks like production's" in refused.text
    finally:
        iam.delete_account_alias(AccountAlias="shop-prod")
    assert not project.leases()


OWN = """\
services:
  web: {image: "registry.example/web:1", environment: {PGHOST: db}, depends_on: [db]}
  db:
    image: postgres:15
    build: db
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: "${DB_PASSWORD:-dev}"}
    x-understudy:
      kind: database
      managed: {service: rds, name: shop-production, engine: postgres}
      on_aws: {form: snapshot}
x-understudy:
  secrets: [DB_PASSWORD]
  tests: {all: {command: [pytest]}}
"""


def test_a_database_of_its_own_is_made_from_production_s_snapshot_and_gone_with_the_run(
    shop: Project, moto: Moto
) -> None:
    (shop.folder / "own.yaml").write_text(OWN, encoding="utf-8")
    shop.commit("Test on production's data")
    run = ("run", "--target", "aws", "-f", "own.yaml", "--history", "off")
    moto.calls.clear()
    nothing = shop.understudy(*run)
    assert nothing.code == 2, nothing.text
    assert "(the automated snapshots of shop-production), and there is none" in nothing.text
    assert not moto.calls
    assert not shop.leases()

    rds = moto.client("rds")
    admin = {"MasterUsername": "shop", "MasterUserPassword": "of-production", "DeletionProtection": True}
    size = {"DBInstanceClass": "db.t4g.medium", "AllocatedStorage": 50}
    rds.create_db_instance(DBInstanceIdentifier="shop-production", Engine="postgres", **size, **admin)
    done = shop.understudy(*run, limit=600)
    assert done.code == 7, done.text
    found = record(shop)
    assert found["receipt"]["outcome"] == "CLEAN"
    changes = {change["path"]: change for change in found["changes"]}
    assert "with the data of the snapshot rds:shop-production-" in changes["services.db"]["reason"]
    assert changes["services.web.environment.PGHOST"]["clone"].startswith("(endpoint of ")
    [(_, restored)] = moto.asked("restore_db_instance_from_db_snapshot")
    assert restored["DBSnapshotIdentifier"].startswith("rds:shop-production-")
    left = [each["DBInstanceIdentifier"] for each in rds.describe_db_instances()["DBInstances"]]
    assert left == ["shop-production"]
    assert not moto.owned()
