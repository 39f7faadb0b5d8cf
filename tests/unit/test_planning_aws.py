"""`understudy plan --target aws`: what AWS itself makes differ and what Fargate cannot do, with nobody asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import Done, Project, in_process, make_project

QUEUE = "https://sqs.eu-central-1.amazonaws.com/999999999999/jobs"

COMPOSE = f"""\
name: shop
services:
  web:
    build: web
    ports: ["8080:80"]
    depends_on: [worker]
    environment: {{QUEUE_URL: "{QUEUE}", UPLOADS_BUCKET: uploads, NUMBER: "739104628815"}}
  worker:
    image: "shop/worker:1"
    expose: ["9000"]
    environment: {{AWS_REGION: eu-central-1, AWS_SECRET_ACCESS_KEY: of-production, SMTP_URL: "smtp://mail.example:587"}}
    deploy: {{resources: {{limits: {{cpus: "0.3"}}}}}}
  kept: {{image: "shop/kept:1", build: kept}}
  jobs:
    image: moto
    x-understudy: {{kind: queue, managed: {{service: sqs, name: jobs, options: {{url: "{QUEUE}"}}}}}}
  uploads:
    image: moto
    x-understudy: {{kind: bucket, managed: {{service: s3, name: uploads}}}}
x-understudy:
  endpoints: ["worker:9000"]
  externals:
    mail: {{host: mail.example, port: 587, allow: true}}
    bank: {{host: bank.example, port: 443}}
    post: {{host: post.example, port: 25}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Production on main, beside which the working folder is planned; nobody answers, and there are no credentials."""
    made = make_project(tmp_path / "repository", tmp_path / "state")
    made.env |= {"DOCKER_HOST": "tcp://127.0.0.1:1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    for name in [name for name in made.env if name.startswith("AWS_") and name != "AWS_ENDPOINT_URL"]:
        del made.env[name]
    for name in ("web", "kept"):
        (made.folder / name).mkdir()
        (made.folder / name / "Dockerfile").write_text(f"FROM {name}\n")
    write(made, COMPOSE)
    made.commit("Describe production")
    made.git("branch", "production")
    return made


def write(project: Project, text: str) -> None:
    (project.folder / "compose.yaml").write_text(text, encoding="utf-8")


def plan(project: Project, *more: str) -> Done:
    return in_process(project, "plan", "--target", "aws", "--production-ref", "production", *more)


def planned(project: Project, *more: str) -> dict[str, Any]:
    done = plan(project, "--format", "json", *more)
    assert done.code == 0, done.text
    found: dict[str, Any] = json.loads(done.out)
    assert "imagined" not in done.out
    return found


def changes(found: dict[str, Any]) -> dict[str, tuple[str | None, str | None, str]]:
    assert len({each["path"] for each in found["changes"]}) == len(found["changes"]), "each path stands there once"
    return {each["path"]: (each["production"], each["clone"], each["fidelity"]) for each in found["changes"]}


def test_what_aws_makes_differ_is_shown_with_words_for_what_nobody_was_asked(project: Project) -> None:
    found = planned(project, "--aws-region", "eu-west-1")
    shown = changes(found)
    own = "https://sqs.eu-west-1.amazonaws.com/<account>/<environment>-jobs"
    assert shown["services.web.environment.QUEUE_URL"] == (QUEUE, own, "changed")
    assert shown["services.web.environment.UPLOADS_BUCKET"] == ("uploads", "<environment>-uploads-<hash>", "changed")
    assert shown["services.jobs.managed"] == ("sqs jobs", "<environment>-jobs", "changed")
    assert shown["services.worker.environment.AWS_REGION"] == ("eu-central-1", "eu-west-1", "changed")
    assert shown["services.worker.environment.AWS_SECRET_ACCESS_KEY"] == ("(withheld)", None, "changed")
    assert shown["services.worker.resources.cpus"] == ("0.3", "0.5", "scaled")
    assert shown["services.worker.healthcheck"] == ("the image's, if it has one", None, "changed")
    assert shown["networks.egress"] == (None, "TCP 443 to any address", "changed")
    assert shown["endpoints.worker:9000"] == ("reached from outside", None, "missing")
    properties = {(each["subject"], each["property"]): each["clone"] for each in found["properties"]}
    assert properties["services.web", "environment.QUEUE_URL"] == own
    assert properties["services.web", "environment.NUMBER"] == "739104628815"
    assert found["verdicts"]["endpoints"] == "missing"
    assert found["verdicts"]["services.jobs"] == "changed"
    assert "a platform with all that `understudy platform up` can make was taken" in found["taken"]
    assert "<region>" not in found["taken"]
    actions = {each["name"]: (each["action"], each["why"]) for each in found["services"]}
    emptied = "the clone has its own, and it is empty: production's data is not copied"
    assert (actions["jobs"], actions["uploads"]) == (("own", emptied), ("own", emptied))
    assert properties["services.jobs", "image"] == "a queue of SQS, the clone's own"
    assert actions["kept"][0] == "build"
    assert "its name says no registry that Fargate could pull it from" in actions["kept"][1]
    assert project.git("status", "--porcelain") == ""
    assert not [path for path in Path(project.env["XDG_STATE_HOME"]).rglob("*") if path.is_file()]


def test_what_the_commit_changes_and_aws_then_too_has_production_s_value_and_both_reasons(project: Project) -> None:
    write(project, COMPOSE.replace('cpus: "0.3"', 'cpus: "0.6"'))
    project.commit("Ask for more")
    found = planned(project, "--aws-region", "eu-west-1")
    (change,) = [each for each in found["changes"] if each["path"] == "services.worker.resources.cpus"]
    assert (change["production"], change["clone"]) == ("0.3", "1")
    assert "changed by commit" in change["reason"]
    assert "; tasks of Fargate have a few sizes" in change["reason"]


def test_nothing_speaks_of_a_relay_that_is_not_there_and_what_is_reached_is_said(project: Project) -> None:
    found = planned(project, "--aws-region", "eu-west-1")
    assert "relay" not in json.dumps(found["changes"])
    shown = changes(found)
    assert shown["services.web.ports.80/tcp"] == ("8080:80", "80", "changed")
    assert shown["services.worker.ports.9000/tcp"] == (None, "9000", "changed")
    mail = "mail.example:587"
    by = f"{mail} by a port of its security group that is open to any address"
    assert shown["externals.mail"] == (mail, by, "faithful")
    assert shown["externals.bank"] == ("bank.example:443", "bank.example:443", "faithful")
    assert shown["externals.post"] == ("post.example:25", None, "missing")
    states = {each["name"]: each["state"] for each in found["third_parties"]}
    assert states == {"mail": "allowed", "bank": "allowed", "post": "missing"}


def test_for_people_it_says_the_same_and_without_a_region_that_it_stands_for_none(project: Project) -> None:
    done = plan(project)
    assert done.code == 0, done.text
    text = " ".join(done.out.split())
    assert "<region> the region, since none is named" in text
    own = "https://sqs.<region>.amazonaws.com/<account>/<environment>-jobs"
    assert f"changed environment.QUEUE_URL: {QUEUE} -> {own}" in text
    assert "the clone's own queue stands in the place of production's" in text
    assert "jobs x1 (queue): is a queue of SQS, the clone's own the clone has its own" in text
    assert "moto" not in text
    refused = plan(project, "--cost")
    assert refused.code == 2
    assert "no region is named" in refused.err
    project.env["AWS_REGION"] = "nowhere"
    unknown = plan(project)
    assert unknown.code == 2
    assert "'nowhere' is no AWS region" in unknown.err


def test_on_a_platform_that_is_named_only_the_environment_is_not_known(project: Project) -> None:
    names = ("vpc_id", "cluster_arn", "listener_arn", "execution_role_arn", "alb_arn", "alb_dns_name")
    given = {"account": "123456789012", "region": "eu-west-1", **dict.fromkeys((*names, "bucket"), "x")}
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())
    more = 'alb_security_group_id = "sg-1"\nsubnet_ids = ["subnet-1", "subnet-2"]\n'
    registry = 'registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/previews"\n'
    place = project.folder / "understudy.toml"
    place.write_text(f'target = "aws"\n[platform]\n{table}{more}{registry}', encoding="utf-8")
    found = planned(project)
    url = changes(found)["services.web.environment.QUEUE_URL"][1]
    assert url == "https://sqs.eu-west-1.amazonaws.com/123456789012/<environment>-jobs"
    bucket = changes(found)["services.web.environment.UPLOADS_BUCKET"][1]
    assert bucket is not None
    assert bucket.startswith("<environment>-uploads-")
    assert "<" not in bucket.removeprefix("<environment>")
    assert found["taken"] == "AWS was not asked: in names <environment> is the environment's id"
    place.write_text(f'target = "aws"\n[platform]\n{table}{more}', encoding="utf-8")
    refused = plan(project)
    assert refused.code == 2
    assert "images of kept, web would have to be built, and the platform has no registry" in refused.err


def test_what_fargate_cannot_do_is_refused_as_a_run_refuses_it(project: Project) -> None:
    write(project, COMPOSE.replace('    expose: ["9000"]\n', '    expose: ["9000"]\n    entrypoint: []\n'))
    project.commit("Ask for more")
    refused = plan(project)
    assert refused.code == 2
    assert "Service 'worker' cannot run on Fargate: entrypoint: []" in refused.err
    assert in_process(project, "plan", "--production-ref", "production").code == 0


def test_what_it_costs_is_said_where_that_is_asked(project: Project) -> None:
    assert planned(project, "--aws-region", "us-east-1")["cost"] is None
    cost = planned(project, "--aws-region", "us-east-1", "--cost")["cost"]
    assert cost["region"] == "us-east-1"
    assert cost["per_hour"] > 0


def test_a_database_of_its_own_is_shown_on_aws_and_nothing_of_it_is_built(project: Project) -> None:
    (project.folder / "db").mkdir()
    (project.folder / "db" / "Dockerfile").write_text("FROM postgres:15\n")
    write(
        project,
        """\
services:
  web: {image: "shop/web:1", environment: {PGHOST: db}}
  db:
    image: postgres:15
    build: db
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: "${DB_PASSWORD:-dev}"}
    x-understudy:
      kind: database
      managed: {service: rds, name: shop, engine: postgres, version: "15.4"}
      on_aws: {form: instance, instance_class: db.t4g.micro}
  users:
    image: postgres:15
    environment: {POSTGRES_USER: users, POSTGRES_PASSWORD: "${DB_PASSWORD:-dev}"}
    x-understudy: {on_aws: {form: shared}}
x-understudy:
  secrets: [DB_PASSWORD]
""",
    )
    project.commit("Describe a database")
    found = planned(project, "--aws-region", "us-east-1", "--cost", "--production-ref", "main")
    (db,) = [each for each in found["services"] if each["name"] == "db"]
    assert (db["action"], db["reference"]) == ("rds", "instance")
    assert ("db", "postgres db.t4g.micro") in {(row["name"], row["kind"]) for row in found["cost"]["rows"]}
    shown = changes(found)
    assert shown["services.db.image"][1] == "on_aws: instance"
    assert "services.db.data" not in shown
    assert shown["services.db"] == ("rds shop", "the RDS instance <environment>-db", "changed")
    assert shown["services.web.environment.PGHOST"] == ("db", "(endpoint of <environment>-db)", "changed")
    _, users, how = shown["services.users"]
    assert (users, how) == ("<environment>_users", "changed")
    text = plan(project, "--aws-region", "us-east-1")
    assert "has a database of RDS of its own: instance" in text.out
    assert "is on the platform's shared instance" in text.out
    on_docker = in_process(project, "plan", "--format", "json")
    here = json.loads(on_docker.out)
    assert "rds" not in {each["action"] for each in here["services"]}
    assert changes(here)["services.db.data"] == ("production's data", "its own", "changed")
