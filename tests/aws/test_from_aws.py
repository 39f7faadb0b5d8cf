"""A production made with boto3 on moto's server, and discovered again: its topology, its evidence, its calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from aws.faulty_proxy import Fault, FaultyProxy, serve_faulty
from aws.plans import PLATFORM
from aws.policies import policy
from aws.small import table
from aws_production import ACCOUNT, REGION, TAG, Account, Made, serve_account
from aws_production_read import expected, export
from support import make_project

from understudy import production_aws_calls
from understudy.errors import ToolError, UnderstudyError, UsageError
from understudy.production import Source, read_source
from understudy.production_aws import read_account
from understudy.production_aws_calls import ACTIONS, open_session
from understudy.stacks.managed import MOTO
from understudy.stacks.sources import aws_account, pulumi_state
from understudy.stacks.topology import Topology

pytestmark = pytest.mark.xdist_group("from_aws")


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Mapping[str, str], Made]]:
    """The shop and its decoys on one server; the variables that lead there."""
    with serve_account() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        made = Account("shop").all()
        Account("other").all()
        yield variables, made


@pytest.fixture
def made(world: tuple[Mapping[str, str], Made], monkeypatch: pytest.MonkeyPatch) -> Made:
    variables, made = world
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture(scope="module")
def discovered(world: tuple[Mapping[str, str], Made]) -> aws_account.Discovered:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world[0].items():
            patch.setenv(name, value)
        return aws_account.read(read_account(TAG))


def bare(topology: Topology) -> Topology:
    """Without what is on the record."""
    return replace(topology, warnings=(), changes=())


def test_a_production_made_with_boto3_is_discovered_as_it_was_made(
    made: Made, discovered: aws_account.Discovered
) -> None:
    assert bare(discovered.topology) == expected(made)
    assert "other-" not in str(discovered)


def test_each_edge_has_its_evidence(made: Made, discovered: aws_account.Discovered) -> None:
    lines = dict(line.split(": ", 1) for line in discovered.evidence)
    database = lines["services.web uses shop-db"]
    assert f"variable DATABASE_HOST names {made['db']}" in database
    assert "secret PGPASSWORD is the one that RDS keeps of it" in database
    assert f"security group {made['group-db']} lets {made['group-web']} in on port 5432" in database
    queue = f"variable QUEUE_URL names {made['orders']}; policy orders of role shop-task allows sqs:SendMessage"
    assert lines["services.web uses shop-orders"] == queue
    bucket = "variable BUCKET names shop-invoices; policy shop-invoices of role shop-task allows s3:PutObject"
    assert lines["services.web uses shop-invoices"] == bucket
    assert lines["services.web uses worker"] == "variable WORKER_URL names worker.shop.local"
    assert len(lines) == 4


def test_what_cannot_be_known_is_said(made: Made, discovered: aws_account.Discovered) -> None:
    topology = discovered.topology
    said = "\n".join(topology.warnings)
    assert "services.web: variable OLD_CACHE names legacy.abc.0001.euw1.cache.amazonaws.com" in said
    assert "the parameter /shop/level is plain text" in said
    changes = {change.path: change for change in topology.changes}
    assert changes["services.web.replicas"].production == "2 to 6"
    assert changes["services.web.routes.80-10"].production == "port 80, path /shop/*"
    assert changes["resources.table/shop-carts"].production == f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/shop-carts"
    assert made["group-db"] not in str(changes)


@pytest.mark.usefixtures("made")
def test_without_a_tag_all_is_production_but_environments_of_understudy() -> None:
    queue = boto3.client("sqs", REGION).create_queue(QueueName="env", tags={"dev.understudy.environment": "a"})
    try:
        services = aws_account.read(read_account()).topology.services
    finally:
        boto3.client("sqs", REGION).delete_queue(QueueUrl=queue["QueueUrl"])
    assert {"web", "worker", "other-web", "other-db", "shop-db"} <= set(services)
    assert "env" not in services
    assert services["worker"].networks != services["other-worker"].networks, "two VPCs of one name are two networks"


def test_the_policy_is_the_calls_that_are_made_and_no_value_is_asked_for(made: Made) -> None:
    session = open_session({"AWS_REGION": REGION})
    calls: set[str] = set()
    session.events.register(
        "before-call", lambda model, **_: calls.add(f"{model.service_model.service_name}:{model.name}")
    )
    recording = json.dumps(dict(read_account(TAG, session).answers))
    assert calls == set(ACTIONS)
    (statement,) = policy("read")
    assert statement["Action"] == sorted({ACTIONS[call] for call in calls})
    assert all(action.split(":")[1].startswith(("Get", "List", "Describe")) for action in statement["Action"])
    assert not {"secretsmanager:GetSecretValue", "ssm:GetParameter", "s3:GetObject"} & set(statement["Action"])
    assert "never-to-be-read" not in recording
    assert made["token"] in recording


def test_a_pulumi_export_of_the_same_is_the_same_topology_but_for_what_is_listed(
    made: Made, discovered: aws_account.Discovered
) -> None:
    of_aws = bare(discovered.topology)
    of_pulumi = bare(pulumi_state.read(export(made), "export.json"))
    web = of_aws.services["web"]
    services = {
        **of_aws.services,
        # AWS does not say what a parameter of type String is, since no value is asked for
        "web": replace(web, environment={**web.environment, "LEVEL": "info"}),
    }
    for name in ("web", "web-migrate", "web-proxy"):
        # Pulumi knows what the program passed on, not which names stand in texts: one service's name is no dependency
        known = tuple(each for each in services[name].depends_on if each.service != "worker")
        services[name] = replace(services[name], depends_on=known)
    secrets = tuple(name for name in of_aws.secrets if name != "LEVEL")
    assert of_pulumi == replace(of_aws, services=services, secrets=secrets, secret_stores={})


COMPOSE = """\
services:
  web:
    image: shop/web:1
    environment: {BUCKET: shop-invoices, QUEUE_URL: changed, DATABASE_HOST: db}
    ports: ["8000"]
"""


def test_plan_and_diff_take_it_as_production(made: Made, world: tuple[Mapping[str, str], Made], tmp_path: Path) -> None:
    project = make_project(tmp_path / "repository", tmp_path / "state")
    (project.folder / "compose.yaml").write_text(COMPOSE)
    project.commit("Describe the shop")
    nowhere = {**world[0], "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    done = project.understudy("plan", "--from-aws", "--label", TAG, "--format", "json", env=nowhere)
    assert done.code == 0, done.text
    plan = json.loads(done.out)
    assert plan["production_ref"] == f"aws account {ACCOUNT} in {REGION} label {TAG}"
    assert any("services.web uses shop-db: variable DATABASE_HOST" in warning for warning in plan["warnings"])
    changed = {change["path"] for change in plan["changes"] if change["reason"].startswith("changed by commit")}
    assert "services.web.environment.QUEUE_URL" in changed
    assert "services.web.environment.BUCKET" not in changed
    done = project.understudy("diff", "--from-aws", "--label", TAG, env=nowhere)
    assert done.code == 0, done.text
    assert made["orders"] in done.out
    imported = project.understudy("topology", "import", "--from-aws", "--label", TAG, env=nowhere)
    assert imported.code == 0, imported.text
    assert "# Known by: services.web uses shop-invoices: variable BUCKET names shop-invoices" in imported.out
    assert "never-to-be-read" not in imported.text
    desk = make_project(tmp_path / "desk", tmp_path / "state")
    (desk.folder / "compose.yaml").write_text(imported.out)
    desk.commit("Describe what runs at AWS")
    done = desk.understudy("plan", "--format", "json", env=nowhere)
    assert done.code == 0, done.text
    services = {each["name"]: each for each in json.loads(done.out)["services"]}
    assert services["shop-db"]["reference"] == "postgres:15.4"
    assert len([each for each in services.values() if each["reference"] == MOTO]) == 2, "one server and its seed"
    done = desk.understudy("plan", "--target", "aws", "--format", "json", env=nowhere)
    assert done.code == 0, done.text
    changes = {change["path"]: change["clone"] for change in json.loads(done.out)["changes"]}
    told = [changes[f"services.{name}.network_of"] for name in ("web", "web-migrate")]
    assert told == ["a container in the task of web-proxy"] * 2


@pytest.mark.usefixtures("made")
def test_a_clone_is_made_in_production_s_own_account_only_where_that_is_said(
    world: tuple[Mapping[str, str], Made], tmp_path: Path
) -> None:
    project = make_project(tmp_path / "repository", tmp_path / "state")
    (project.folder / "compose.yaml").write_text(COMPOSE)
    given = {key: value for key, value in PLATFORM.outputs().items() if isinstance(value, str | list)}
    (project.folder / "understudy.toml").write_text(table(given))
    project.commit("Describe the shop")
    asked = ("plan", "--target", "aws", "--from-aws", "--label", TAG)
    refused = project.understudy(*asked, env=world[0])
    assert refused.code == 2, refused.text
    assert f"Production was read in account {ACCOUNT}, and the clone would be made in the same" in refused.text
    meant = project.understudy(*asked, "--aws-accounts", ACCOUNT, env=world[0])
    assert meant.code == 0, meant.text


def failing(code: str, status: int = 400) -> boto3.Session:
    """A session to which the databases' call answers so."""
    session = open_session({"AWS_REGION": REGION})
    answer = {"Error": {"Code": code, "Message": "said by AWS"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    told = (SimpleNamespace(status_code=status), answer)
    session.events.register("before-call.rds.DescribeDBInstances", lambda **_: told)
    return session


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("AccessDenied", ToolError, "rds:DescribeDBInstances in eu-west-1, and the credentials do not permit it"),
        ("ThrottlingException", ToolError, "AWS takes no more requests for now"),
        ("ExpiredToken", ToolError, "the credentials are over or not valid"),
    ],
)
def test_what_aws_refuses_is_said_with_the_action(code: str, kind: type[UnderstudyError], words: str) -> None:
    with pytest.raises(kind, match=words) as raised:
        read_account(TAG, failing(code))
    assert raised.value.exit_code == 2


@pytest.fixture
def proxy(made: Made, world: tuple[Mapping[str, str], Made], monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """AWS behind a proxy that fails as it is told; between the tries of a call nothing is waited for."""
    assert made.names
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    with serve_faulty(world[0]["AWS_ENDPOINT_URL"]) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served


def test_calls_that_aws_has_no_time_for_or_fails_at_are_made_again(made: Made, proxy: FaultyProxy) -> None:
    proxy.throttle("rds", "DescribeDBInstances", times=2)
    proxy.throttle("ecs", "DescribeServices", times=7)
    proxy.add("elbv2", "DescribeRules", status=503, code="ServiceUnavailable", times=2)
    proxy.add("resourcegroupstaggingapi", "GetResources", status=502, page="<html><title>Bad Gateway</title></html>")
    found, wanted = aws_account.read(read_account(TAG)).topology.services, expected(made).services
    assert found.keys() == wanted.keys()
    assert found["web"].ports == wanted["web"].ports
    assert not [fault for fault in proxy.faults if fault.times]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            Fault("rds", "DescribeDBInstances", 500, "InternalFailure", "", 100),
            "rds:DescribeDBInstances in eu-west-1, and AWS failed: DescribeDBInstances: InternalFailure after 8 tries.",
        ),
        (
            Fault("sqs", "ListQueues", 200, times=100, page="<html lang=en><title>Sign in</title></html>"),
            "sqs:ListQueues in eu-west-1, and what answered is not AWS: ListQueues: HTTP 200 (Sign in).",
        ),
    ],
    ids=["fails", "page"],
)
def test_what_goes_on_failing_ends_the_reading_with_the_call(proxy: FaultyProxy, fault: Fault, said: str) -> None:
    proxy.faults.append(fault)
    with pytest.raises(ToolError) as raised:
        read_account(TAG)
    assert raised.value.args[0] == f"Asked AWS for {said}"
    assert raised.value.exit_code == 2


@pytest.mark.usefixtures("made")
def test_every_queue_is_read_however_many_pages_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(production_aws_calls, "_QUEUES", 1)
    assert {"shop-dead", "shop-orders"} <= set(aws_account.read(read_account(TAG)).topology.services)


@pytest.mark.usefixtures("made")
def test_an_action_that_aws_does_not_know_there_is_a_warning() -> None:
    found = aws_account.read(read_account(TAG, failing("InvalidAction")))
    assert "shop-db" not in found.topology.services
    assert [warning for warning in found.topology.warnings if "AWS knows no rds:DescribeDBInstances" in warning]


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "there are no credentials"),
        (("AWS_REGION",), "no region is named"),
    ],
)
@pytest.mark.usefixtures("made")
def test_without_credentials_or_a_region_it_is_said_what_to_set(
    absent: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in absent:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UsageError, match=words):
        read_source(Source(aws=True), tmp_path, lambda _: None)


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"understudy\[aws\]"):
        read_source(Source(aws=True), tmp_path, lambda _: None)


@pytest.mark.usefixtures("made")
def test_an_account_without_a_service_is_no_topology(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no service of ECS with the tag app=nobody"):
        read_source(Source(aws=True, label="app=nobody"), tmp_path, lambda _: None)
