"""What is run on shared instances, by PostgreSQL and Redis: a copy of its own, others' untouched, and nothing left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest
from aws.instance import instance
from engine.stages import wait_until

from understudy.stacks.aws.golden import CREATE, DROP
from understudy.stacks.aws.keys import UNLINK

pytestmark = [pytest.mark.docker, pytest.mark.images]

HARD = 'it\'s "mine"'
OBJECTS = (
    "CREATE TABLE t (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, y text)",
    "CREATE VIEW v AS SELECT y FROM t",
    "CREATE SEQUENCE s",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA extra",
    "INSERT INTO t (y) VALUES ('gold')",
)
Sql = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def sql() -> Iterator[Sql]:
    """Run SQL on an instance that has a golden database."""
    with instance("none") as made:
        assert made.run(";".join(OBJECTS), PGDATABASE="golden").stderr == ""
        yield made.run


OWN = {"ROLE": "e1_db", "DATABASE": "e1_db"}
MADE = {**OWN, "TEMPLATE": "golden", "ROLE_PASSWORD": HARD}
AS_ROLE = {"PGUSER": "e1_db", "PGPASSWORD": HARD}


def test_an_environment_has_a_copy_that_is_its_own_until_it_goes(sql: Sql) -> None:
    for _ in range(2):  # a job may be started anew
        assert sql(CREATE, **MADE).returncode == 0
    mine = "ALTER TABLE t ADD z int; DROP VIEW v; CREATE TABLE extra.mine (); INSERT INTO t (y) VALUES ('mine')"
    assert sql(mine, **AS_ROLE, PGDATABASE="e1_db").stderr == ""
    assert sql("SELECT y FROM t ORDER BY id; SELECT f()", **AS_ROLE, PGDATABASE="e1_db").stdout == "gold\nmine\n1\n"
    assert "permission denied" in sql("SELECT y FROM t", **AS_ROLE, PGDATABASE="golden").stderr
    owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'; SELECT y FROM t"
    assert sql(owner, PGDATABASE="golden").stdout == "admin\ngold\n"
    for _ in range(2):
        assert sql(DROP, **OWN).returncode == 0
    left = "SELECT rolname FROM pg_roles WHERE rolname = 'e1_db' UNION SELECT datname FROM pg_database"
    assert set(sql(left).stdout.split()) == {"golden", "postgres", "template0", "template1"}


def test_another_environment_cannot_connect(sql: Sql) -> None:
    other = {"ROLE": "e2_db", "DATABASE": "e2_db"}
    assert sql(CREATE, **MADE).returncode == 0
    assert sql(CREATE, **MADE | other).returncode == 0
    assert "permission denied for database" in sql("SELECT 1", **AS_ROLE, PGDATABASE="e2_db").stderr
    for each in (OWN, other):
        assert sql(DROP, **each).returncode == 0


def test_a_failure_is_an_exit_code(sql: Sql) -> None:
    assert sql(CREATE, **MADE | {"TEMPLATE": "absent"}).returncode != 0
    assert sql(DROP, **OWN).returncode == 0


@pytest.fixture(scope="module")
def redis() -> Iterator[Callable[..., str]]:
    """Run a program beside a cache with a user as `CacheUser` makes it, whose default user may do nothing."""
    started = ["docker", "run", "--detach", "--rm", "--network", "none", "redis:7"]
    container = subprocess.run(started, capture_output=True, text=True, check=True).stdout.strip()

    def run(*command: str, code: int | None = 0, **variables: str) -> str:
        options = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
        done = subprocess.run(
            ["docker", "exec", *options, container, *command], capture_output=True, text=True, check=False
        )
        assert code in {None, done.returncode}, done.stdout + done.stderr
        return done.stdout

    try:
        wait_until(lambda: run("redis-cli", "ping", code=None).strip() == "PONG")
        access = ["on", "~e1-cache:*", "&e1-cache:*", "+@all", "-@admin", "-@dangerous"]
        run("redis-cli", "-e", "ACL", "SETUSER", "e1-cache", *access, ">word")
        run("redis-cli", "-e", "ACL", "SETUSER", "admin", "on", "~*", "+@all", ">a")
        run("redis-cli", "-e", "ACL", "SETUSER", "default", "off", "-@all")
        yield run
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", container], capture_output=True, check=False)


ADMIN = ("redis-cli", "--user", "admin", "--pass", "a", "--no-auth-warning", "-e")
PLACE = {"HOST": "127.0.0.1", "PORT": "6379", "TLS": "", "CACHE_USER": "e1-cache", "PREFIX": "e1-cache:"}


def test_the_keys_of_an_environment_go_and_those_of_others_stay(redis: Callable[..., str]) -> None:
    fill = "for n = 1, 2500 do redis.call('SET', 'e1-cache:' .. n, n) redis.call('SET', 'e2-cache:' .. n, n) end"
    redis(*ADMIN, "EVAL", fill, "0")
    redis(*ADMIN, "SET", 'e1-cache:it\'s "mine"\n*', "x")
    assert redis(*ADMIN, "DBSIZE").strip() == "5001"
    for _ in range(2):
        redis("sh", "-c", UNLINK, **PLACE, REDISCLI_AUTH="word")
        assert redis(*ADMIN, "DBSIZE").strip() == "2500"
    assert redis(*ADMIN, "--scan", "--pattern", "e1-*") == ""


def test_a_cache_that_refuses_is_an_exit_code(redis: Callable[..., str]) -> None:
    redis("sh", "-c", UNLINK, code=1, **PLACE, REDISCLI_AUTH="wrong")
    redis("sh", "-c", UNLINK, code=1, **{**PLACE, "PORT": "1"}, REDISCLI_AUTH="word")
