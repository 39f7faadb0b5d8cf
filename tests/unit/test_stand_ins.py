"""What a cloud runs in production: a container of the same engine and version, and one moto server for AWS's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import boto3
import pytest
from s3_server import serve_moto

from understudy.stacks.clone import Change, Clone, Fidelity, secret_token
from understudy.stacks.derive import derive
from understudy.stacks.fidelity import UNRECORDED, fidelity_report
from understudy.stacks.ground import ON_AWS, ON_DOCKER, Ground
from understudy.stacks.managed import MOTO, image_of
from understudy.stacks.profile import DEFAULT
from understudy.stacks.topology import (
    Dependency,
    Managed,
    Network,
    NetworkLink,
    Port,
    Service,
    Topology,
    TopologyError,
)

QUEUE_ARN = "arn:aws:sqs:eu-west-1:111122223333:jobs.fifo"
ORDERS = Managed(
    "sqs",
    "jobs.fifo",
    options={"fifo": "true", "visibility_timeout": "30", "arn": QUEUE_ARN, "dead_letter": "dead", "max_receive": "3"},
)


def managed(name: str, held: Managed, port: int, *aliases: str) -> Service:
    kind = {"rds": "database", "elasticache": "cache", "sqs": "queue", "s3": "bucket"}[held.service]
    link = NetworkLink("vpc", aliases)
    return Service(name, kind=kind, image=image_of(held), expose=(Port(port),), networks=(link,), managed=held)  # type: ignore[arg-type]  # the kinds of the model


def service(name: str, *depends_on: str, **environment: str) -> Service:
    needs = tuple(Dependency(other) for other in depends_on)
    return Service(name, image="web:1", environment=environment, networks=(NetworkLink("vpc"),), depends_on=needs)


def clone_of(
    *services: Service,
    secrets: tuple[str, ...] = (),
    endpoints: tuple[tuple[str, int], ...] = (),
    ground: Ground = ON_DOCKER,
) -> Clone:
    production = Topology(
        "t", {s.name: s for s in services}, {"vpc": Network("vpc")}, secrets=secrets, endpoints=endpoints
    )
    clone = derive(production, production, commit="c" * 40, profile=DEFAULT, unchanged_builds={}, ground=ground)
    assert not [finding for finding in fidelity_report(production, clone) if finding.reason == UNRECORDED]
    return clone


def at(clone: Clone, path: str) -> Change:
    (found,) = (change for change in clone.changes if change.path == path)
    return found


@pytest.mark.parametrize(
    ("held", "image", "environment"),
    [
        (
            Managed("rds", "orders", "postgres", "15.4", "shop", "app", "DB_PASSWORD"),
            "postgres:15.4",
            {"POSTGRES_USER": "app", "POSTGRES_DB": "shop", "POSTGRES_PASSWORD": secret_token("DB_PASSWORD")},
        ),
        (
            Managed("rds", "orders", "aurora-postgresql", "16", None, "app"),
            "postgres:16",
            {"POSTGRES_USER": "app", "POSTGRES_HOST_AUTH_METHOD": "trust"},
        ),
        (
            Managed("rds", "orders", "mysql", "8.0.35", "shop", "admin", "DB_PASSWORD"),
            "mysql:8.0.35",
            {
                "MYSQL_DATABASE": "shop",
                "MYSQL_ROOT_PASSWORD": secret_token("DB_PASSWORD"),
                "MYSQL_USER": "admin",
                "MYSQL_PASSWORD": secret_token("DB_PASSWORD"),
            },
        ),
        (
            Managed("rds", "orders", "mariadb", "10.11", "shop", "root"),
            "mariadb:10.11",
            {"MARIADB_DATABASE": "shop", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "yes"},
        ),
        (Managed("elasticache", "sessions", "valkey", "8.0"), "valkey/valkey:8.0", {}),
        (Managed("elasticache", "sessions", "memcached", "1.6.22"), "memcached:1.6.22", {}),
    ],
)
def test_a_database_or_cache_is_a_container_of_its_engine_and_version(
    held: Managed, image: str, environment: dict[str, str]
) -> None:
    host = "orders.abc.eu-west-1.rds.amazonaws.com"
    web = service("web", DB_PASSWORD="of-production", DB_HOST=host)
    port = {"postgres": 5432, "mysql": 3306, "mariadb": 3306, "redis": 6379}.get(str(image_of(held)).partition(":")[0])
    clone = clone_of(managed("db", held, port or 5432, host), web, secrets=("DB_PASSWORD",))
    db = clone.topology.services["db"]
    assert (db.image, db.environment) == (image, environment)
    assert db.networks == (NetworkLink("vpc", (host,)),)
    assert clone.topology.services["web"].environment["DB_HOST"] == host
    data = at(clone, "services.db.data")
    kind = "database" if held.service == "rds" else "cache"
    assert data.reason.startswith(f"a {kind} of its own, empty but for what init scripts and jobs make")
    assert (data.production, data.fidelity) == ("production's data", Fidelity.CHANGED)
    change = at(clone, "services.db.image")
    assert (change.clone, change.fidelity) == (image, Fidelity.CHANGED)
    assert str(held.version) in str(change.production)
    for key in environment:
        assert at(clone, f"services.db.environment.{key}").production is None
    assert "of-production" not in repr(clone)


def aws() -> Clone:
    return clone_of(
        managed("jobs", ORDERS, 5000),
        managed("dead", Managed("sqs", "dead"), 5000),
        managed(
            "invoices",
            Managed("s3", "acme-invoices", options={"versioning": "true"}),
            5000,
            "acme-invoices.s3.amazonaws.com",
        ),
        service("web", "jobs", "invoices", QUEUE="https://sqs.eu-west-1.amazonaws.com/111122223333/jobs.fifo"),
        service("worker", BUCKET="acme-invoices", AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID="own"),
        service("other"),
        endpoints=(("invoices", 5000),),
    )


def test_queues_and_buckets_are_in_one_server_of_moto_and_its_users_are_told() -> None:
    services = aws().topology.services
    assert set(services) == {"jobs", "jobs-seed", "web", "worker", "other"}
    assert services["jobs"].image == MOTO
    assert services["jobs"].environment == {"MOTO_PORT": "5000", "MOTO_ACCOUNT_ID": "111122223333"}
    (link,) = services["jobs"].networks
    assert set(link.aliases) == {"dead", "invoices", "acme-invoices.jobs", "acme-invoices.s3.amazonaws.com"}
    assert services["web"].environment == {
        "QUEUE": "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs.fifo",
        "AWS_ENDPOINT_URL": "http://jobs:5000",
        "AWS_ACCESS_KEY_ID": "understudy",
        "AWS_SECRET_ACCESS_KEY": "understudy",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    assert services["web"].depends_on == (Dependency("jobs"), Dependency("jobs-seed", "completed"))
    assert services["worker"].environment["AWS_ACCESS_KEY_ID"] == "own"
    assert "AWS_DEFAULT_REGION" not in services["worker"].environment
    assert services["other"].environment == {}


def test_a_job_makes_productions_queues_and_buckets() -> None:
    seed = aws().topology.services["jobs-seed"]
    assert (seed.kind, seed.image, seed.depends_on) == ("job", MOTO, (Dependency("jobs", "healthy"),))
    assert seed.command is not None
    queues, buckets = json.loads(seed.command[0])
    assert queues[0] == {
        "name": "jobs.fifo",
        "region": "eu-west-1",
        "attributes": {"VisibilityTimeout": "30", "FifoQueue": "true"},
        "dead_letter": "dead",
        "max_receive": "3",
    }
    assert buckets == [{"name": "acme-invoices", "versioning": True, "notify": []}]


def test_the_job_tells_a_buckets_queue_of_its_objects() -> None:
    heard = [{"queue": "jobs", "events": ["s3:ObjectCreated:*"], "suffix": ".pdf"}, {"queue": "x", "events": []}]
    options = {"notify": json.dumps(heard), "versioning": "true"}
    jobs = managed("jobs", Managed("sqs", "jobs", options={"arn": "arn:aws:sqs:eu-west-1:1:jobs"}), 5000)
    clone = clone_of(jobs, managed("invoices", Managed("s3", "acme-invoices", options=options), 5000))
    lost = at(clone, "services.invoices.managed.options.notify")
    assert (lost.production, lost.clone, lost.fidelity) == ("tells jobs, x", "tells jobs", Fidelity.MISSING)
    assert "'x': it is no queue of the topology" in lost.reason
    seed = clone.topology.services["jobs-seed"]
    with serve_moto() as url:
        told = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "eu-west-1"}
        keys = {"AWS_ACCESS_KEY_ID": "understudy", "AWS_SECRET_ACCESS_KEY": "understudy", "PATH": os.environ["PATH"]}
        command = [sys.executable, *(seed.entrypoint or ())[1:], *(seed.command or ())]
        subprocess.run(command, env={**told, **keys}, check=True)
        s3 = boto3.client("s3", "eu-west-1", endpoint_url=url, aws_access_key_id="k", aws_secret_access_key="k")
        (found,) = s3.get_bucket_notification_configuration(Bucket="acme-invoices")["QueueConfigurations"]
    assert found["QueueArn"] == "arn:aws:sqs:eu-west-1:123456789012:jobs"
    assert found["Events"] == ["s3:ObjectCreated:*"]
    assert found["Filter"]["Key"]["FilterRules"] == [{"Name": "suffix", "Value": ".pdf"}]


def test_a_dead_letter_queue_that_is_not_in_the_topology_is_missing() -> None:
    options = {"dead_letter": "elsewhere", "max_receive": "3"}
    clone = clone_of(managed("jobs", Managed("sqs", "jobs", options=options), 5000), service("web"))
    for key, value in options.items():
        lost = at(clone, f"services.jobs.managed.options.{key}")
        assert (lost.production, lost.clone, lost.fidelity) == (value, None, Fidelity.MISSING)


@pytest.mark.parametrize("text", ["no json", "{}x", "[1]", '[{"queue": "a"}]', '[{"queue": 1, "events": []}]', "7"])
def test_what_is_no_list_of_who_hears_is_refused(text: str) -> None:
    invoices = managed("invoices", Managed("s3", "acme", options={"notify": text}), 5000)
    for ground in (ON_DOCKER, ON_AWS):
        with pytest.raises(TopologyError, match="'invoices' has the option notify"):
            clone_of(invoices, ground=ground)


def test_each_of_it_is_on_the_record() -> None:
    clone = aws()
    assert (at(clone, "services.invoices").production, at(clone, "services.invoices").clone) == (
        "s3 acme-invoices",
        "in jobs",
    )
    assert at(clone, "services.jobs.image").production == "sqs jobs.fifo"
    assert at(clone, "services.jobs-seed").production is None
    assert at(clone, "services.web.environment.AWS_ENDPOINT_URL").clone == "http://jobs:5000"
    assert [(e.service, e.port) for e in clone.endpoints] == [("jobs", 5000)]


def test_where_no_service_names_any_all_are_told() -> None:
    clone = clone_of(managed("files", Managed("s3", "acme"), 5000), service("web"), service("api"))
    told = [n for n, s in clone.topology.services.items() if "AWS_ENDPOINT_URL" in s.environment]
    assert told == ["web", "api", "files-seed"]


def test_what_production_sets_of_its_own_stays() -> None:
    db = managed("db", Managed("rds", "db", "postgres", "15", "shop", "app"), 5432)
    clone = clone_of(replace(db, environment={"POSTGRES_DB": "own"}))
    assert clone.topology.services["db"].environment["POSTGRES_DB"] == "own"


def test_a_stand_in_listens_on_the_port_that_production_chose() -> None:
    clone = clone_of(
        managed("db", Managed("rds", "orders", "postgres", "15.4"), 5433),
        managed("sql", Managed("rds", "sql", "mariadb", "10.11"), 3307),
        managed("cache", Managed("elasticache", "sessions", "redis", "7.1"), 6380),
        managed("usual", Managed("elasticache", "usual", "redis", "7.1"), 6379),
    )
    services = clone.topology.services
    assert services["db"].environment["PGPORT"] == "5433"
    assert services["sql"].environment["MYSQL_TCP_PORT"] == "3307"
    assert services["cache"].command == ("redis-server", "--port", "6380")
    assert services["usual"].command is None
    assert at(clone, "services.cache.command").clone == '["redis-server", "--port", "6380"]'
