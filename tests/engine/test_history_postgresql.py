"""The history on a real PostgreSQL: the contract that SQLite keeps too, and a server that does not answer."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from history_contract import HistoryContract
from history_data import one
from support import docker, wait_for

from understudy.history.access import remember
from understudy.history.place import Place, history_place

pytestmark = [pytest.mark.docker, pytest.mark.images, pytest.mark.xdist_group("history_postgresql")]

PASSWORD = "p@ss/word"  # noqa: S105 - of a container that lives for a test
QUOTED = "p%40ss%2Fword"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server's address and port; it lives as long as this module's tests."""
    name = f"understudy-history-{secrets.token_hex(4)}"
    given = ("-e", f"POSTGRES_PASSWORD={PASSWORD}", "--tmpfs", "/var/lib/postgresql/data", "-p", "127.0.0.1::5432")
    docker("run", "-d", "--rm", "--name", name, *given, "postgres:15", "-c", "fsync=off")
    try:
        address = docker("port", name, "5432/tcp").split()[0]

        def answers() -> bool:
            try:
                psycopg.connect(f"postgresql://postgres:{QUOTED}@{address}/postgres", connect_timeout=2).close()
            except psycopg.OperationalError:
                return False
            return True

        wait_for(answers, what="PostgreSQL")
        yield address
    finally:
        subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)


@pytest.fixture
def place(server: str) -> Place:
    """A database of its own."""
    name = f"h{secrets.token_hex(4)}"
    with psycopg.connect(f"postgresql://postgres:{QUOTED}@{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    found = history_place(f"postgresql://postgres:{QUOTED}@{server}/{name}")
    assert found
    return found


class TestOnPostgreSQL(HistoryContract):
    """The contract."""


def test_a_wrong_password_is_a_warning_that_does_not_hold_it(server: str) -> None:
    place = history_place(f"postgresql://postgres:wr0ng-pa55@{server}/postgres")
    (warning,) = remember(place, one(1, "passed")).warnings
    assert "authentication failed" in warning
    assert "wr0ng-pa55" not in warning
