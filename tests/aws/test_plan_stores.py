"""Queues, buckets, shared databases and caches: the clone's own, and configuration that names them in their place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from aws.plans import DB, PLATFORM, TARGET, everything_plan, plan_of, private, service

from understudy.errors import UsageError
from understudy.stacks.aws.errands import errands_of
from understudy.stacks.aws.plan import AwsPlan, Source
from understudy.stacks.aws_names import bucket
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.store_links import Notification
from understudy.stacks.topology import (
    Dependency,
    FileMount,
    HealthCheck,
    Managed,
    Mount,
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
    paths = {change.path for change in plan.changes if change.clone != change.production}
    assert (f"services.web.environment.{key}" in paths) == (value != expected)


def at(plan: AwsPlan, path: str) -> Change:
    (found,) = [change for change in plan.changes if change.path == path]
    return found


SHOP = (
    service("orders", kind="queue", managed=Managed("sqs", "shop-orders")),
    service("invoices", kind="bucket", managed=Managed("s3", "shop-invoices")),
)
OWN_ARN = "arn:aws:sqs:eu-west-1:123456789012:eabcdefghij-orders"
INVOICES = bucket("eabcdefghij", "invoices", TARGET)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("B_INVOICES", "shop-invoices", INVOICES),
        ("E_JOBS", "shop-orders", "eabcdefghij-orders"),
        ("A", "shop-invoices/in", f"{INVOICES}/in"),
        ("A", "s3a://shop-invoices", f"s3a://{INVOICES}"),
        (
            "A",
            "https://s3.us-east-1.amazonaws.com/shop-invoices/x",
            f"https://s3.eu-west-1.amazonaws.com/{INVOICES}/x",
        ),
        ("A", "https://s3.amazonaws.com/shop-invoices", f"https://s3.eu-west-1.amazonaws.com/{INVOICES}"),
        ("A", "https://s3-us-west-2.amazonaws.com/shop-invoices-old", None),
        (
            "A",
            "shop-invoices.s3.dualstack.us-east-1.amazonaws.com",
            f"{INVOICES}.s3.dualstack.eu-west-1.amazonaws.com",
        ),
        ("A", "Shop-Invoices.S3-us-west-2.amazonaws.com", f"{INVOICES}.s3.eu-west-1.amazonaws.com"),
        (
            "A",
            "https://shop-invoices.bucket.vpce-1a-2b.s3.us-east-1.vpce.amazonaws.com/x",
            f"https://{INVOICES}.s3.eu-west-1.amazonaws.com/x",
        ),
        ("A", "my-shop-invoices.s3.amazonaws.com", None),
        ("A", "https://us-east-1.queue.amazonaws.com/999999999999/shop-orders", OWN_URL),
        ("A", "https://queue.amazonaws.com/999999999999/shop-orders", OWN_URL),
        ("A", "https://sqs.us-east-1.api.aws/999999999999/shop-orders", OWN_URL),
        ("A", "sqs.us-east-1.amazonaws.com/999999999999/shop-orders", OWN_URL.removeprefix("https://")),
        ("A", "https://sqs.us-east-1.amazonaws.com/999999999999/shop-orders.fifo", None),
        ("A", "arn:aws:s3:::shop-invoices/*", f"arn:aws:s3:::{INVOICES}/*"),
        ("A", "arn:aws:s3:::shop-invoices-old/*", None),
        ("A", "arn:aws:sqs:us-east-1:999999999999:shop-orders", OWN_ARN),
        ("A", '{"a": ["arn:aws:s3:::shop-invoices"]}', f'{{"a": ["arn:aws:s3:::{INVOICES}"]}}'),
        ("A", '{"shop-orders": 1}', '{"eabcdefghij-orders": 1}'),
        ("A", '{"to":"shop-orders", "n":1}', '{"to":"eabcdefghij-orders", "n":1}'),
        (
            "A",
            '{"u": "https:\\/\\/sqs.us-east-1.amazonaws.com\\/999999999999\\/shop-orders"}',
            f'{{"u": "{OWN_URL}"}}',
        ),
        (
            "A",
            "shop-invoices,https://shop-invoices.s3.amazonaws.com/x",
            f"{INVOICES},https://{INVOICES}.s3.eu-west-1.amazonaws.com/x",
        ),
        ("A", "--queue shop-orders --n=1", "--queue eabcdefghij-orders --n=1"),
        ("UPLOAD_QUEUE", "shop-orders:5", "eabcdefghij-orders:5"),
    ],
)
def test_every_form_in_which_a_store_is_named_becomes_the_clones(key: str, value: str, expected: str | None) -> None:
    plan = plan_of(*SHOP, service("web", environment={key: value}))
    assert told(plan, "web")[key] == (value if expected is None else expected)
    paths = {change.path for change in plan.changes}
    assert (f"services.web.environment.{key}" in paths) == (expected is not None)
    assert (not expected) or plan.service("web").task.statements


@pytest.mark.parametrize(
    ("key", "value", "store"),
    [
        ("TABLE", "orders", "queue 'orders'"),
        ("ANYTHING", "orders", "queue 'orders'"),
        ("S3_PREFIX", "files", "bucket 'files'"),
        ("ARGS", "--table orders", "queue 'orders'"),
        ("QUEUE_URL", "http://localhost:9324/000000000000/orders", "queue 'orders'"),
        ("STORAGE_ROOT", "/data/files", "bucket 'files'"),
        ("OTEL_SERVICE_NAME", "shop-orders", "queue 'shop-orders'"),
        ("SPOOL", "/var/spool/shop-orders", "queue 'shop-orders'"),
        ("CONFIG", '{"table": "shop-orders"}', "queue 'shop-orders'"),
    ],
)
def test_what_may_be_a_stores_name_and_may_be_another_is_left_and_said(key: str, value: str, store: str) -> None:
    plan = plan_of(QUEUE, FILES, replace(SHOP[0], name="more"), service("web", environment={key: value}))
    assert told(plan, "web")[key] == value
    change = at(plan, f"services.web.environment.{key}")
    assert (change.production, change.clone, change.fidelity) == (value, value, Fidelity.CHANGED)
    assert f"may name production's {store}" in change.reason
    assert key in change.path


def test_a_value_that_is_nested_too_deep_for_json_is_read_as_words() -> None:
    deep = "[" * 30_000
    plan = plan_of(QUEUE, service("web", environment={"A": f"{deep} {URL}"}))
    assert told(plan, "web") == {"A": f"{deep} {OWN_URL}"}


def test_an_edge_makes_a_short_name_sure_and_a_service_of_that_name_makes_a_long_one_unsure() -> None:
    needs = (Dependency("orders"),)
    web = service("web", environment={"JOBS": "orders", "TABLE": "orders"}, depends_on=needs)
    assert told(plan_of(QUEUE, web), "web") == {"JOBS": "eabcdefghij-orders", "TABLE": "orders"}
    other = service("shop-orders", environment={"NAME_OF": "shop-orders", "CALLS": "http://shop-orders/x"})
    plan = plan_of(SHOP[0], other)
    assert told(plan, "shop-orders") == other.environment
    assert "services.shop-orders.environment.NAME_OF" in {change.path for change in plan.changes}
    bucket_too = service("b", managed=Managed("s3", "shop-orders"))
    both = plan_of(SHOP[0], bucket_too, service("web", environment={"A": "shop-orders"}))
    assert told(both, "web") == {"A": "shop-orders"}


def test_another_accounts_queue_of_the_same_name_is_not_the_stores() -> None:
    arn = "arn:aws:sqs:us-east-1:111111111111:shop-orders"
    queue = replace(SHOP[0], managed=Managed("sqs", "shop-orders", options={"arn": arn}))
    given = {"MINE": arn, "OTHER": arn.replace("111111111111", "222222222222")}
    assert told(plan_of(queue, service("web", environment=given)), "web") == {"MINE": OWN_ARN, "OTHER": given["OTHER"]}


def test_commands_and_health_checks_name_the_clones_store_too() -> None:
    test = ("CMD-SHELL", f"check {URL.replace('orders', 'shop-orders')}")
    web = service(
        "web", command=("work", "--queue=shop-orders", "--dead", "shop-orders"), healthcheck=HealthCheck(test)
    )
    plan = plan_of(*SHOP, web)
    (main,) = [c.definition for c in plan.service("web").task.containers if c.definition["name"] == "web"]
    assert main["command"] == ["work", "--queue=eabcdefghij-orders", "--dead", "eabcdefghij-orders"]
    assert main["healthCheck"]["command"] == ["CMD-SHELL", f"check {OWN_URL}"]
    assert at(plan, "services.web.healthcheck.test").clone == f"CMD-SHELL check {OWN_URL}"


def test_a_file_that_names_productions_store_is_missing_with_its_name_and_the_stores() -> None:
    conf = {
        "a.ini": b"url=https://sqs.us-east-1.amazonaws.com/999999999999/shop-orders\n",
        "deep/b.json": b'{"arn": "arn:aws:s3:::shop-invoices"}',
        "c.ini": b"# arn:aws:s3:::shop-invoices\nqueue=shop-orders\n",
    }
    inline = FileMount("config", "c", "/srv/pool.ini", content="to = s3://shop-invoices/in\n")
    web = service("web", mounts=(Mount("bind", "/etc/app", "conf", read_only=True),), files=(inline,))
    plan = plan_of(*SHOP, web, sources={"conf": Source(conf)})
    bound, written = at(plan, "services.web.mounts./etc/app"), at(plan, "services.web.files./srv/pool.ini")
    assert {bound.fidelity, written.fidelity} == {Fidelity.MISSING}
    assert "a.ini names the queue 'shop-orders'; deep/b.json names the bucket 'shop-invoices'" in bound.reason
    assert "c.ini" not in bound.reason
    assert "/srv/pool.ini names the bucket 'shop-invoices'" in written.reason


def notifying(*entries: dict[str, Any]) -> Service:
    return service("files", kind="bucket", managed=Managed("s3", "files", options={"notify": json.dumps(entries)}))


def test_a_bucket_tells_the_clones_queues_of_its_objects() -> None:
    made = {"events": ["s3:ObjectCreated:*"], "suffix": ".pdf"}
    gone = {"events": ["s3:ObjectRemoved:*", "s3:ObjectCreated:Put"], "prefix": "in/"}
    plan = plan_of(QUEUE, notifying({"queue": "orders", **made}, {"queue": "orders", **gone}), service("web"))
    (files,), (orders,) = plan.buckets, plan.queues
    assert files.notifications == (
        Notification("orders", ("s3:ObjectCreated:*",), suffix=".pdf"),
        Notification("orders", ("s3:ObjectRemoved:*", "s3:ObjectCreated:Put"), prefix="in/"),
    )
    assert orders.senders == (files.arn,)
    assert "services.files.managed.options.notify" not in {change.path for change in plan.changes}


def test_a_queue_that_cannot_hear_of_a_buckets_objects_is_said_to_be_missing() -> None:
    every = [{"queue": name, "events": ["s3:ObjectCreated:*"]} for name in ("orders", "elsewhere", "jobs.fifo")]
    fifo = service("jobs", managed=Managed("sqs", "jobs.fifo", options={"fifo": "true"}))
    plan = plan_of(QUEUE, fifo, notifying(*every, {"queue": "orders", "events": []}), service("web"))
    assert [each.queue for each in plan.buckets[0].notifications] == ["orders"]
    assert {queue.logical: len(queue.senders) for queue in plan.queues} == {"orders": 1, "jobs": 0}
    change = at(plan, "services.files.managed.options.notify")
    assert (change.clone, change.fidelity) == ("tells orders", Fidelity.MISSING)
    for said in (
        "'elsewhere': it is no queue of the topology",
        "'jobs.fifo': S3 tells no FIFO queue",
        "names no event",
    ):
        assert said in change.reason


def test_a_dead_letter_queue_that_cannot_be_is_said_to_be_missing() -> None:
    def queue(name: str, dead: str) -> Service:
        return service(name, managed=Managed("sqs", name, options={"dead_letter": dead, "max_receive": "3"}))

    plan = plan_of(queue("d", "b"), queue("a", "elsewhere"), queue("b", "c"), queue("c", "b"), service("web"))
    assert {each.logical: each.dead_letter for each in plan.queues} == {"a": None, "b": None, "c": "b", "d": "b"}
    for name, dead, why in (("a", "elsewhere", "no queue of the topology"), ("b", "c", "in a circle")):
        for key, value in (("dead_letter", dead), ("max_receive", "3")):
            change = at(plan, f"services.{name}.managed.options.{key}")
            assert (change.production, change.clone, change.fidelity) == (value, None, Fidelity.MISSING)
            assert why in change.reason
    assert not [change for change in plan.changes if change.path.startswith("services.c.managed.options")]


def test_two_queues_of_one_name_in_two_regions_are_both_made() -> None:
    other = service("other", managed=Managed("sqs", "orders"))
    plan = plan_of(QUEUE, other, service("dead", managed=Managed("sqs", "d", options={"dead_letter": "orders"})))
    assert {each.logical: each.dead_letter for each in plan.queues} == {"orders": None, "other": None, "dead": "orders"}


def test_a_store_is_no_container() -> None:
    plan = plan_of(QUEUE, FILES, service("web"))
    assert at(plan, "services.orders.image").clone == "a queue of SQS, the clone's own"
    assert at(plan, "services.files.image").clone == "a bucket of S3, the clone's own"
    assert {each.logical for each in plan.services} == {"web"}


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
