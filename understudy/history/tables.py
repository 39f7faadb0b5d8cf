"""The tables of the history, and the steps that bring a database of an older version to this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    inspect,
    select,
    text,
)

from understudy.errors import UsageError

__all__ = ["STEPS", "HistoryVersionError", "migrate", "passes", "projects", "results", "runs", "suites", "tests"]

METADATA = MetaData()

_ID = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a row id of SQLite

versions = Table(
    "understudy_versions",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

projects = Table(
    "understudy_projects",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("repository", String, nullable=False),
    Column("topology", String, nullable=False),
    UniqueConstraint("repository", "topology"),
)

runs = Table(
    "understudy_runs",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("project", ForeignKey(projects.c.id), nullable=False),
    Column("run", String, nullable=False),
    Column("branch", String, nullable=False),
    Column("commit", String, nullable=False),
    Column("dirty", Boolean, nullable=False),
    Column("shard", String, nullable=False),
    Column("started", String, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("exit_code", Integer, nullable=False),
    Column("tests", Integer, nullable=False),
    UniqueConstraint("project", "run"),
    Index("understudy_runs_newest", "project", "branch", "started"),
)

suites = Table(
    "understudy_suites",
    METADATA,
    Column("run", ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("suite", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("seconds", Float, nullable=False),
    sqlite_with_rowid=False,
)

tests = Table(
    "understudy_tests",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("project", ForeignKey(projects.c.id), nullable=False),
    Column("suite", String, nullable=False),
    Column("test", String, nullable=False),
    UniqueConstraint("project", "suite", "test"),
)

# `test` is no foreign key: with one, each name that nobody uses any more would be looked for in all results.
results = Table(
    "understudy_results",
    METADATA,
    Column("run", ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("test", _ID, primary_key=True, autoincrement=False),
    Column("outcome", String, nullable=False),
    Column("seconds", Float, nullable=False),
    sqlite_with_rowid=False,
)

# Suites that passed, each under the key of all that their result depends on.
passes = Table(
    "understudy_passes",
    METADATA,
    Column("run", ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("suite", String, primary_key=True),
    Column("key", String, nullable=False),
    Index("understudy_passes_key", "key"),
    sqlite_with_rowid=False,
)

Step = Callable[[Connection], None]


def _first(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[versions, projects, runs, suites, tests, results])


def _passes(connection: Connection) -> None:
    passes.create(connection)


STEPS: tuple[Step, ...] = (_first, _passes)
"""Step k makes version k of version k - 1. A step that was published is never changed."""

_LOCK = 0x756E6465727374  # "underst": any number that other users of the database do not lock


class HistoryVersionError(UsageError):
    """The database was written by a newer Understudy."""


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring the database to the newest version, in one transaction that is the caller's.

    Raises:
        HistoryVersionError: it is of a version that this Understudy does not know.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = 0
    if inspect(connection).has_table(versions.name):
        found = connection.execute(select(func.max(versions.c.version))).scalar() or 0
    if found > len(steps):
        raise HistoryVersionError(
            f"Opened the history, and it is of version {found}; this Understudy knows versions up to {len(steps)}.",
            hint="Use the newer Understudy, or name another history with --history.",
        )
    if found == len(steps):
        return
    versions.create(connection, checkfirst=True)
    for number, step in enumerate(steps[found:], found + 1):
        step(connection)
        connection.execute(versions.insert().values(version=number))
