"""A database on the platform's shared instance, a real PostgreSQL, on an emulator of AWS that starts containers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from aws.instance import ADMIN, IMAGE, OTHERS, Instance, instance
from support import Project

from .account import holdings
from .conftest import Ministack, containers_of, volumes_of

pytestmark = [pytest.mark.docker, pytest.mark.images, pytest.mark.pulumi]

SERVE = """\
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die $!;
while (my $client = $server->accept) {
    while (<$client>) { last if /^\\s*$/ }
    my $said = qx(psql --no-psqlrc -qAt "\\$DATABASE_URL" -c "\\$INSERT" -c "\\$SELECT" 2>&1);
    print $client "HTTP/1.0 200 OK\\r\\n\\r\\n$said";
    close $client;
}
"""
"""What a service answers: it adds a row of its own, and says where it has connected to as whom and what it reads."""

INSERT = "INSERT INTO words VALUES ('mine')"
SELECT = "SELECT current_database(), current_user, string_agg(DISTINCT word, ' ' ORDER BY word) FROM words"

COMPOSE = f"""\
services:
  db:
    image: {IMAGE}
    environment: {{POSTGRES_USER: app, POSTGRES_DB: shop, POSTGRES_PASSWORD: "${{DB_PASSWORD:-dev}}"}}
    x-understudy: {{on_aws: {{form: shared}}}}
  web:
    image: {IMAGE}
    command: {json.dumps(["perl", "-MIO::Socket::INET", "-e", SERVE.replace("$", "$$")])}
    ports: ["80:8000"]
    depends_on: [db]
    environment:
      DATABASE_URL: "postgres://app:${{DB_PASSWORD:-dev}}@db:5432/shop"
      INSERT: "{INSERT}"
      SELECT: "{SELECT}"
x-understudy:
  secrets: [DB_PASSWORD]
  tests:
    tests: {{command: [./tests.sh], folder: tests, image: "python:3.11-slim"}}
"""

TESTS = """\
#!/bin/sh
set -e
python3 -c 'import urllib.request as r; print(r.urlopen("http://web:8000/", timeout=10).read().decode(), end="")'
echo '<testsuite><testcase classname="tests" name="reads" time="0.1"/></testsuite>' > "$UNDERSTUDY_JUNIT"
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Instance]:
    """The instance, with a row in its template."""
    with instance("bridge") as made:
        golden = made.run("CREATE TABLE words (word text); INSERT INTO words VALUES ('gold')", PGDATABASE="golden")
        assert golden.stderr == ""
        yield made


@pytest.fixture(scope="module")
def secret(ministack: Ministack) -> str:  # noqa: ARG001 - it has to be there
    """The ARN of the secret of the instance's administrator."""
    return str(boto3.client("secretsmanager").create_secret(Name="shared", SecretString=json.dumps(ADMIN))["ARN"])


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Project], shared: Instance, secret: str) -> Project:
    """A service with such a database; where the platform's instance is, the configuration says."""
    project = new_project("words")
    tests = project.folder / "tests"
    tests.mkdir(parents=True)
    (project.folder / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    (tests / "tests.sh").write_text(TESTS, encoding="utf-8")
    (tests / "tests.sh").chmod(0o755)
    shown = json.loads(project.understudy("platform", "show", "--format", "json").out)["platform"]
    there = {"id": "shared", "endpoint": shared.address, "port": 5432, "secret_arn": secret}
    lines = ["[platform]", *_toml(shown), "[platform.shared_database]", *_toml(there)]
    (project.folder / "understudy.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    project.commit("Open the shop")
    return project


def _toml(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None]


def held(ministack: Ministack, project: Project, shared: Instance) -> Mapping[str, Any]:
    """All that an environment could leave behind, on the instance as well."""
    return {
        **holdings(),
        "container": frozenset(containers_of(ministack)),
        "volume": frozenset(volumes_of(ministack)),
        "lease": [lease["id"] for lease in project.leases()],
        "on the instance": shared.names(),
        "in its template": shared.run("SELECT word FROM words", PGDATABASE="golden").stdout,
    }


def tasks_of(environment: str, status: str) -> dict[str, Mapping[str, Any]]:
    """Family without the environment's id -> its task that is to run, or has ended, by ECS's record."""
    ecs: Any = boto3.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    arns = ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
    found = ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"] if arns else []
    families = [task["taskDefinitionArn"].rpartition("/")[2].rpartition(":")[0] for task in found]
    own = f"{environment}-"
    return {
        family.removeprefix(own): task for family, task in zip(families, found, strict=True) if family.startswith(own)
    }


def test_a_database_is_made_read_and_taken_away_before_all_else(
    ministack: Ministack, project: Project, shared: Instance
) -> None:
    before = held(ministack, project, shared)
    assert (before["on the instance"], before["in its template"]) == (OTHERS, "gold\n")
    done = project.understudy("run", "--target", "aws", "--history", "off", limit=600)
    assert done.code == 0, done.text + ministack.log.read_text()[-4000:]
    record: Any = project.record()
    environment = record["environment"]
    own = f"{environment}_db"
    output = (project.latest() / "suites" / "tests" / "output.log").read_text(encoding="utf-8")
    assert output == f"{own}|{own}|gold mine\n"
    assert record["receipt"]["outcome"] == "CLEAN"
    assert held(ministack, project, shared) == before
    ended = tasks_of(environment, "STOPPED")
    (errand,) = (task for family, task in ended.items() if family.startswith("understudy-errand-db"))
    assert [container["exitCode"] for container in errand["containers"]] == [0]
    assert {"key": "dev.understudy.environment", "value": environment} in errand["tags"]
    assert errand["stoppedAt"] <= min(ended["web"]["stoppedAt"], ended["db"]["stoppedAt"])


def test_a_removal_that_cannot_take_it_away_leaves_all_and_the_next_one_goes_on(
    ministack: Ministack, project: Project, shared: Instance, secret: str
) -> None:
    before = held(ministack, project, shared)
    made = project.understudy("up", "--target", "aws", limit=600)
    assert made.code == 0, made.text + ministack.log.read_text()[-4000:]
    (environment,) = (str(lease["id"]) for lease in project.leases())
    own, running = f"{environment}_db", tasks_of(environment, "RUNNING")
    assert running.keys() == {"db", "web"}
    assert drift_of(project) == {}
    _tell(secret, "wrong")

    refused = project.understudy("down", "--format", "json", limit=600)
    assert refused.code == 4, refused.text + ministack.log.read_text()[-4000:]
    receipt = json.loads(refused.out)
    assert receipt["outcome"] == "LEFTOVERS"
    failed = f"Took away the database {own} and its role on the instance shared, and it failed: exit code 2"
    assert receipt["reason"].startswith(failed)
    assert 'password authentication failed for user "admin"' in receipt["reason"]
    assert shared.names() == OTHERS | {own}
    left = tasks_of(environment, "RUNNING")
    assert {name: task["taskArn"] for name, task in left.items()} == {n: t["taskArn"] for n, t in running.items()}
    assert [lease["id"] for lease in project.leases()] == [environment]
    _stop(left["web"])
    said = "0 of 1 tasks run; the last one ended: by hand; web with exit code"
    assert {name: text.rpartition(" ")[0] for name, text in drift_of(project).items()} == {f"{environment}-web": said}

    _tell(secret, ADMIN["password"])
    done = project.understudy("down", "--format", "json", limit=600)
    assert done.code == 0, done.text + ministack.log.read_text()[-4000:]
    assert json.loads(done.out)["outcome"] == "CLEAN"
    assert held(ministack, project, shared) == before


def drift_of(project: Project) -> dict[str, str]:
    """What has drifted of the one environment that is up: its name, and what is said of its tasks."""
    found = json.loads(project.understudy("diff", "--drift", "--format", "json").out)
    return {each["name"]: each["detail"] for each in found["drift"]}


def _stop(task: Mapping[str, Any]) -> None:
    """Stop a task; this emulator starts no other in its place before its service is updated."""
    boto3.client("ecs").stop_task(cluster=task["clusterArn"], task=task["taskArn"], reason="by hand")


def _tell(secret: str, password: str) -> None:
    """Let the platform's secret say this password of the administrator."""
    value = json.dumps(ADMIN | {"password": password})
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)
