"""The history as a database: opened, brought to this version, written in bulk, kept within bounds."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, and_, create_engine, delete, event, exists, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from understudy.errors import UnderstudyError
from understudy.history import tables
from understudy.history.passes import write_passes
from understudy.history.past import clipped
from understudy.history.place import Place
from understudy.report import CaseRecord, RunRecord, SuiteRecord, utc
from understudy.suites.verdict import SUITE_CASE

__all__ = ["History", "HistoryError", "Keep"]

BUSY = 5.0
"""Seconds that a statement waits for another process's transaction, and a connection for its server."""

_AT_ONCE = 50
"""Runs that one write removes at the most: what one run takes out is bounded, and many make up for it."""


class HistoryError(UnderstudyError):
    """The database cannot be opened, read or written."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What stays: so many runs of each branch, none older than so many days, and so many results in all."""

    runs: int = 100
    days: int = 180
    results: int = 3_000_000


class History:
    """One database. Every method is one transaction; errors of the driver come out as `HistoryError`."""

    def __init__(self, place: Place, *, steps: Sequence[tables.Step] = tables.STEPS) -> None:
        self.place = place
        self._steps = steps
        self._engine: Engine | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection within a transaction, on a database of this version.

        Raises:
            HistoryError: the driver says no: locked, corrupt, full, not reachable.
            HistoryVersionError: a newer Understudy wrote it.
        """
        try:
            if self._engine is None:
                self._engine = _connect(self.place)
                with self._engine.begin() as connection:
                    tables.migrate(connection, self._steps)
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError, ImportError) as error:
            self._engine = None
            raise self._said(error) from error

    def _said(self, error: Exception) -> HistoryError:
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        hint = ""
        if isinstance(error, ImportError):
            hint = "PostgreSQL needs the extra `postgres`: pip install 'understudy[postgres]'."
        elif "not a database" in said or "malformed" in said:
            hint = f"Move {self.place.path} away; a new one is begun then."
        return HistoryError(f"Used the history {self.place.name}, and it failed: {self.place.clean(said)}.", hint=hint)

    def add(self, record: RunRecord, keep: Keep | None = None) -> bool:
        """Write what a run came to, and remove what is no longer kept. False: the run was there already."""
        with self.transaction() as connection:
            project = _project(connection, record.repository, record.topology)
            run = self._insert(
                connection,
                tables.runs,
                {
                    "project": project,
                    "run": clipped(record.run),
                    "branch": clipped(record.branch),
                    "commit": clipped(record.commit),
                    "dirty": record.dirty,
                    "shard": record.shard,
                    "started": record.started,
                    "seconds": record.seconds,
                    "exit_code": record.exit_code,
                    "tests": sum(len(_tests(suite)) for suite in record.suites if not suite.reused),
                },
            )
            if run is None:
                return False
            _write_results(connection, project, run, record)
            write_passes(connection, run, record)
        if keep is not None:
            with self.transaction() as connection:
                prune(connection, project, keep, datetime.now(UTC))
        return True

    @staticmethod
    def _insert(connection: Connection, table: Any, values: dict[str, object]) -> int | None:  # noqa: ANN401 - a Table
        """The id of the new row; None where its unique columns are there already."""
        made = connection.execute(_insert_new(connection, table).values(values).returning(table.c.id))
        found: int | None = made.scalar()
        return found

    def knows(self, record: RunRecord, run: str) -> bool:
        """Whether a run of the record's project is there."""
        p, r = tables.projects.c, tables.runs.c
        with self.transaction() as connection:
            asked = (
                select(r.id)
                .join(tables.projects)
                .where(
                    and_(
                        p.repository == clipped(record.repository), p.topology == clipped(record.topology), r.run == run
                    )
                )
            )
            return connection.execute(asked).first() is not None


def _connect(place: Place) -> Engine:
    """An engine without a pool: a command writes once.

    Raises:
        OSError: the file cannot be made.
    """
    if place.path is not None:
        place.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(place.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # its side files get that mode too
        url = URL.create("sqlite", database=str(place.path))
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    limits = f"-c statement_timeout={int(BUSY * 1000)} -c lock_timeout={int(BUSY * 1000)}"
    given = {"connect_timeout": int(BUSY), "options": limits}
    try:
        return create_engine(place.url, poolclass=NullPool, connect_args=given)
    except (ArgumentError, ValueError) as error:
        raise HistoryError(f"Read the URL of the history {place.name}, and it is none.") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3.Connection, by SQLAlchemy's hands
    connection.isolation_level = None  # the transactions are SQLAlchemy's, begun by us so that they lock at once
    for pragma in ("auto_vacuum=INCREMENTAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()
    end = time.monotonic() + BUSY
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:  # two that switch a new file at the same time are told so at once, whatever the timeout is
            connection.execute("PRAGMA journal_mode=WAL").close()
            break
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _insert_new(connection: Connection, table: Any) -> Any:  # noqa: ANN401 - the insert of two dialects
    """An insert that leaves a row alone whose unique columns are there already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite_dialect
    return dialect.insert(table).on_conflict_do_nothing()


def _project(connection: Connection, repository: str, topology: str) -> int:
    """The project's id. Its row is held until the end of the transaction: one writer of a project at a time."""
    p = tables.projects
    values = {"repository": clipped(repository), "topology": clipped(topology)}
    asked = select(p.c.id).where(and_(*(p.c[key] == value for key, value in values.items()))).with_for_update()
    found = connection.execute(asked).scalar()
    if found is None:
        connection.execute(_insert_new(connection, p).values(values))
        found = connection.execute(asked).scalar_one()
    return int(found)


def _tests(suite: SuiteRecord) -> Sequence[CaseRecord]:
    """Its tests; the case that stands for a suite of which no test is in this part is none."""
    return [test for test in suite.tests if not (test.id == SUITE_CASE and suite.elsewhere)]


def _write_results(connection: Connection, project: int, run: int, record: RunRecord) -> None:
    ran = [suite for suite in record.suites if not suite.reused]
    ended = {(clipped(suite.name), clipped(test.id)): test for suite in ran for test in _tests(suite)}
    if ran:
        connection.execute(
            tables.suites.insert(),
            [
                {"run": run, "suite": clipped(s.name), "status": s.status.value, "seconds": s.seconds}
                for s in {clipped(s.name): s for s in ran}.values()
            ],
        )
    if not ended:
        return
    t = tables.tests.c
    asked = select(t.suite, t.test, t.id).where(t.project == project)
    known = {(suite, test): number for suite, test, number in connection.execute(asked)}
    new = sorted(ended.keys() - known.keys())  # in one order everywhere, so that two processes never wait in a ring
    if new:
        rows = [{"project": project, "suite": suite, "test": test} for suite, test in new]
        connection.execute(_insert_new(connection, tables.tests), rows)
        known = {(suite, test): number for suite, test, number in connection.execute(asked)}
    connection.execute(
        tables.results.insert(),
        [
            {"run": run, "test": known[key], "outcome": test.outcome.value, "seconds": test.seconds}
            for key, test in ended.items()
        ],
    )


def prune(connection: Connection, project: int, keep: Keep, now: datetime) -> int:
    """Remove what is no longer kept of a project, oldest first, a bounded number at once; returns how many runs."""
    r = tables.runs.c
    connection.execute(select(tables.projects.c.id).where(tables.projects.c.id == project).with_for_update())
    oldest = utc((now - timedelta(days=keep.days)).timestamp())
    newest = [r.started.desc(), r.id.desc()]
    ranked = select(
        r.id,
        r.started,
        func.row_number().over(partition_by=r.branch, order_by=newest).label("rank"),
        func.sum(r.tests).over(order_by=newest).label("total"),
    ).where(r.project == project)
    each = ranked.subquery().c
    over = (each.rank > keep.runs) | (each.started < oldest) | (each.total > keep.results)
    gone = (
        connection.execute(select(each.id).where(over).order_by(each.started, each.id).limit(_AT_ONCE)).scalars().all()
    )
    if not gone:
        return 0
    t, x = tables.tests, tables.results
    names = connection.execute(select(x.c.test).where(x.c.run.in_(gone)).distinct()).scalars().all()
    connection.execute(delete(x).where(x.c.run.in_(gone)))
    for table in (tables.suites, tables.passes):
        connection.execute(delete(table).where(table.c.run.in_(gone)))
    connection.execute(delete(tables.runs).where(r.id.in_(gone)))
    used = exists().where(and_(r.project == project, x.c.run == r.id, x.c.test == t.c.id))
    for first in range(0, len(names), _AT_ONCE * 10):
        few = names[first : first + _AT_ONCE * 10]
        connection.execute(delete(t).where(and_(t.c.id.in_(few), ~used)))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1000)").close()
    return len(gone)
