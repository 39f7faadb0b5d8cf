"""Queues, buckets, shared databases and caches: the clone's own, and configuration that names them in their place."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from aws.plans import DB, PLATFORM, TARGET, everything_plan, plan_of, private, service

from understudy.errors import UsageError
from understudy.stacks.aws.errands import errands_of
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.aws_names import bucket
from understudy.stacks.topology import (
    Dependency,
    FileMount,
    HealthCheck,
    Managed,
    OnAws,
    Service,
)

URL = "https://sqs.us-east-1.amazonaws.com/999999999999/orders"
OWN_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/eabcdefghij-orders"
BUCKET = bucket("eabcdefghij", "files", TARGET)
QUEUE = service("orders", kind="queue", managed=Managed("sqs", "orders"))
FILES = service("files", kind="bucket", managed=Managed("s3", "files"))


def told(plan: AwsPlan, name: str) -> dict[str, str]:
    main = next(c for c in plan.service(name).task.containers if c.definition["name"] == name)
    return {each["name"]: each["value"] for each in main.definition.get("environment", [])}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("QUEUE_URL", URL, OWN_URL),
        ("ANYTHING", f"a,{URL}", f"a,{OWN_URL}"),
        ("ANYTHING", f"{URL}-dead", f"{URL}-dead"),
        ("QUEUE_NAME", "orders", "eabcdefghij-orders"),
        ("SERVICE_NAME", "orders", "orders"),
        ("QUEUE_NAME", "orders-dead", "orders-dead"),
        ("BUCKET", "files", BUCKET),
        ("PREFIX", "files", "files"),
        ("TARGET", "s3://files/in", f"s3://{BUCKET}/in"),
        ("TARGET", "s3://files2/in", "s3://files2/in"),
        ("TARGET", "https://files.s3.us-east-1.amazonaws.com/x", f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/x"),
        ("TARGET", "https://files.s3.amazonaws.com", f"https://{BUCKET}.s3.eu-west-1.amazonaws.com"),
    ],
)
def test_configuration_names_the_clones_store(key: str, value: str, expected: str) -> None:
    plan = plan_of(QUEUE, FILES, service("web", environment={key: value}))
    assert told(plan, "web")[key] == expected
    paths = {change.path for change in plan.changes}
    assert (f"services.web.environment.{key}" in paths) == (value != expected)


def test_production_credentials_do_not_come_along() -> None:
    own = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_ENDPOINT_URL_SQS": "x"}
    given = {**own, "AWS_REGION": "us-east-1"}
    plan = plan_of(QUEUE, service("web", environment=given))
    assert told(plan, "web") == {"AWS_REGION": "eu-west-1"}
    assert not any(change.production == "A" for change in plan.changes)


def test_a_store_that_nobody_names_is_everybodys() -> None:
    plan = plan_of(QUEUE, service("a"), service("b"))
    for name in ("a", "b"):
        (statement,) = plan.service(name).task.statements
        assert statement.resources == ("arn:aws:sqs:eu-west-1:123456789012:eabcdefghij-orders",)
    assert plan_of(service("a")).service("a").task.role == ""


def test_dead_letter_queues_come_first_and_a_circle_is_cut() -> None:
    def queue(name: str, dead: str) -> Service:
        return service(name, managed=Managed("sqs", name, options={"dead_letter": dead, "max_receive": "3"}))

    plan = plan_of(queue("a", "b"), queue("b", "c"), service("c", managed=Managed("sqs", "c")))
    assert [q.logical for q in plan.queues] == ["c", "b", "a"]
    circle = plan_of(queue("a", "b"), queue("b", "a"))
    assert [(q.logical, q.dead_letter) for q in circle.queues] == [("a", None), ("b", "a")]


def test_what_depended_on_a_store_is_created_all_the_same() -> None:
    plan = plan_of(QUEUE, service("web", depends_on=(Dependency("orders", "healthy"),)), endpoints=(("orders", 80),))
    assert plan.service("web").after == ()


CACHE = service("cache", kind="cache", on_aws=OnAws("shared"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"URL": "postgres://app:pw@db.internal:5432/main?x=1"},
            {"URL": "postgres://eabcdefghij_db:pw@shared.rds.example:5433/eabcdefghij_db?x=1"},
        ),
        ({"URL": "postgres://db/main"}, {"URL": "postgres://eabcdefghij_db@shared.rds.example/eabcdefghij_db"}),
        (
            {"DB_HOST": "db", "DB_PORT": "5432", "DB_NAME": "main", "DB_USER": "app", "X": "main"},
            {
                "DB_HOST": "shared.rds.example",
                "DB_PORT": "5433",
                "DB_NAME": "eabcdefghij_db",
                "DB_USER": "eabcdefghij_db",
                "X": "main",
            },
        ),
    ],
)
def test_callers_of_a_shared_database_are_told_its_place(given: dict[str, str], expected: dict[str, str]) -> None:
    plan = plan_of(DB, service("web", environment=given))
    assert told(plan, "web") == expected
    assert plan.service("web").after == ("db",)
    assert plan.service("db").kind == "job"
    assert errands_of(plan) == {
        "eabcdefghij-understudy-errand-db-0hmm4ke55p": "the database eabcdefghij_db and its role on the instance shared"
    }
    assert plan.egress == (443, 5433)


def without_password() -> Service:
    return replace(DB, environment={"POSTGRES_PASSWORD": "literal"})


def calling(**fields: Any) -> Service:
    """A service that calls the shared database in a URL that is rewritten."""
    return service("web", environment={"URL": "postgres://app:pw@db:5432/main"}, **fields)


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ((DB, service("web", environment={"PGHOST": "db"})), "nothing in its configuration"),
        ((without_password(),), "a POSTGRES_PASSWORD that is made anew"),
        ((DB, service("web", on_aws=OnAws("shared"))), "neither a database nor a cache"),
        ((CACHE, service("web", environment={"REDIS_HOST": "cache"})), "otherwise than by a URL"),
        ((DB, calling(healthcheck=HealthCheck(("CMD", "probe", "postgres://db:5432")))), "healthcheck.test"),
        ((DB, calling(files=(FileMount("config", "c", "/pool.ini", content="[x]\nhost=db:5432\n"),))), "/pool.ini"),
    ],
)
def test_what_cannot_be_shared_is_refused(services: tuple[Service, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_of(*services)


@pytest.mark.parametrize("kind", ["database", "cache"])
def test_a_platform_without_the_instance_is_said(kind: Any) -> None:
    with pytest.raises(UsageError, match=f"has no shared {kind}"):
        plan_of(service("store", kind=kind, on_aws=OnAws("shared")), platform=private(PLATFORM))


def test_a_shared_cache_is_called_as_a_user_over_tls() -> None:
    plan = everything_plan("cache")
    (cache,) = plan.caches
    (main,) = [c for c in plan.service("full").task.containers if c.definition["name"] == "full"]
    assert "cache" not in {each.logical for each in plan.services}
    templates = {each.logical: each.template for each in plan.secrets}
    url = templates[main.secrets["CACHE_URL"]]
    assert re.fullmatch(r"rediss://eabcdefghij-cache:\{\{[^}]+\}\}@shared\.cache\.example:6380/0", url)
    assert cache.password in url
    assert told(plan, "full")["UNDERSTUDY_CACHE_PREFIX"] == cache.prefix == "eabcdefghij-cache:"
