"""Suites that passed, kept under the key of all that their result depends on, and found again by it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, and_, select

from understudy.errors import TestsFailedError
from understudy.history import tables
from understudy.history.past import Pass, clipped
from understudy.report import RunRecord

__all__ = ["passes_of", "write_passes"]

_VERDICTS = (0, TestsFailedError.exit_code)
"""The exit codes of runs whose passed suites count: in all others something else than a test went wrong."""


def write_passes(connection: Connection, run: int, record: RunRecord) -> None:
    """Keep the suites of a run that passed and have a key; `run` is the run's number in the database."""
    if record.exit_code not in _VERDICTS or record.deaths or record.dirty or record.shard:
        return
    ran = [(clipped(s.name), s.reuse) for s in record.suites if s.status == "passed" and not s.reused]
    rows = [{"run": run, "suite": name, "key": reuse.key} for name, reuse in ran if reuse and reuse.key]
    if rows:
        connection.execute(tables.passes.insert(), rows)


def passes_of(
    connection: Connection, repository: str, topology: str, keys: Mapping[str, str], since: str
) -> dict[str, Pass]:
    """Suite -> its newest pass under its key, of a project's runs that started at `since` (RFC 3339) or later."""
    p, r, k = tables.projects.c, tables.runs.c, tables.passes.c
    x, t = tables.results.c, tables.tests.c
    found: dict[str, Pass] = {}
    for suite, key in keys.items():
        name = clipped(suite)
        asked = (
            select(r.id, r.run, r.started, r.commit)
            .join(tables.passes, k.run == r.id)
            .join(tables.projects, r.project == p.id)
            .where(and_(p.repository == clipped(repository), p.topology == clipped(topology)))
            .where(and_(k.suite == name, k.key == key, r.started >= since))
            .order_by(r.started.desc(), r.id.desc())
        )
        if (row := connection.execute(asked.limit(1)).first()) is None:
            continue
        number, run, started, commit = row
        ends = select(t.test, x.outcome).join(tables.tests, x.test == t.id).where(x.run == number, t.suite == name)
        tests = connection.execute(ends.order_by(t.test)).all()
        found[suite] = Pass(run, started, commit, {row.test: row.outcome for row in tests})
    return found
