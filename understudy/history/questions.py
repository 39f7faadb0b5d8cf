"""Questions to the history: the past of this branch and its base, recent runs, the slowest and flakiest tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, String, and_, case, cast, func, select

from understudy.history import tables
from understudy.history.past import Ended, Past, clipped
from understudy.suites.results import Outcome

__all__ = ["RunRow", "TestRow", "ends_of", "past", "recent", "tests_of"]

_ROWS = 120_000
"""Results that are read for one past: 12 runs of 10,000 tests, or more runs of fewer."""

_RUNS = 30

_GOOD = (Outcome.PASSED.value, Outcome.XPASSED.value, Outcome.XFAILED.value)
_FAILED = (Outcome.FAILED.value, Outcome.ERROR.value)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `started` is RFC 3339 in UTC, `seconds` its duration, `tests` how many it knew of."""

    run: str
    topology: str
    branch: str
    commit: str
    dirty: bool
    shard: str
    started: str
    seconds: float
    exit_code: int
    tests: int


@dataclass(frozen=True, slots=True)
class TestRow:
    """A test over some runs: in how many it passed or failed, how many of these were flaky, its mean seconds."""

    __test__ = False  # not a pytest class

    topology: str
    suite: str
    test: str
    runs: int
    failed: int
    flaky: int
    seconds: float

    @property
    def rate(self) -> float:
        """The flaky rate: flaky runs by the runs in which it passed or failed; 0 to 1."""
        return self.flaky / self.runs if self.runs else 0.0


def past(connection: Connection, repository: str, topology: str, branch: str, base: str) -> Past:
    """How the tests and suites of a project ended in the newest runs of a branch and of its base (empty: none)."""
    p, r = tables.projects.c, tables.runs.c
    chosen: list[tuple[int, str, str]] = []
    for name in dict.fromkeys((branch, *([base] if base else []))):
        asked = (
            select(r.id, r.started, r.tests)
            .join(tables.projects)
            .where(
                and_(p.repository == clipped(repository), p.topology == clipped(topology), r.branch == clipped(name))
            )
            .order_by(r.started.desc(), r.id.desc())
            .limit(_RUNS)
        )
        total = 0
        for number, started, tests in connection.execute(asked):
            total += tests
            if total > _ROWS and total > tests:
                break
            chosen.append((number, started, name))
    order = {number: (place, name == branch) for place, (number, _, name) in enumerate(sorted(chosen, key=_by_time))}
    return Past(_test_ends(connection, order), _suite_ends(connection, order))


def _by_time(run: tuple[int, str, str]) -> tuple[str, int]:
    return run[1], run[0]


def _test_ends(connection: Connection, order: dict[int, tuple[int, bool]]) -> dict[tuple[str, str], list[Ended]]:
    x, t = tables.results.c, tables.tests.c
    ids = sorted(order, key=lambda run: order[run][0])
    names: dict[int, tuple[str, str]] = {}
    found: dict[tuple[str, str], list[Ended]] = {}
    for run in ids:
        own = order[run][1]
        rows = connection.execute(select(x.test, x.outcome, x.seconds).where(x.run == run)).all()
        unknown = [test for test, _, _ in rows if test not in names]
        for first in range(0, len(unknown), 500):
            few = select(t.id, t.suite, t.test).where(t.id.in_(unknown[first : first + 500]))
            names.update({number: (suite, test) for number, suite, test in connection.execute(few)})
        for test, outcome, seconds in rows:
            if test in names:
                found.setdefault(names[test], []).append(Ended(outcome, seconds, own))
    return found


def _suite_ends(connection: Connection, order: dict[int, tuple[int, bool]]) -> dict[str, list[Ended]]:
    s = tables.suites.c
    rows = connection.execute(select(s.run, s.suite, s.status, s.seconds).where(s.run.in_(list(order)))).all()
    found: dict[str, list[Ended]] = {}
    for run, suite, status, seconds in sorted(rows, key=lambda row: order[row[0]][0]):
        found.setdefault(suite, []).append(Ended(status, seconds, order[run][1]))
    return found


def _runs(repository: str, branch: str, limit: int) -> Select[Any]:
    p, r = tables.projects.c, tables.runs.c
    asked = select(r.id, r.run, p.topology, r.branch, r.commit, r.dirty, r.shard, r.started, r.seconds, r.exit_code)
    asked = asked.add_columns(r.tests).join(tables.projects).where(p.repository == clipped(repository))
    if branch:
        asked = asked.where(r.branch == clipped(branch))
    return asked.order_by(r.started.desc(), r.id.desc()).limit(limit)


def recent(connection: Connection, repository: str, branch: str, limit: int) -> dict[int, RunRow]:
    """The newest runs of a repository, newest first, by their numbers in the database; `branch` empty: of all."""
    return {row[0]: RunRow(*row[1:]) for row in connection.execute(_runs(repository, branch, limit))}


def tests_of(connection: Connection, runs: Sequence[int], pattern: str) -> tuple[TestRow, ...]:
    """The tests of these runs whose id holds `pattern`, or whose suite is called so, and how flaky each was.

    A run of a test is flaky if it passed only on a retry, or failed although another run of the same commit passed.
    Runs of a working folder are compared with no other.
    """
    x, t, r, p = tables.results.c, tables.tests.c, tables.runs.c, tables.projects.c
    same = case((r.dirty, cast(r.id, String)), else_=r.commit)
    good = func.sum(case((x.outcome.in_(_GOOD), 1), else_=0)).label("good")
    retried = func.sum(case((x.outcome == Outcome.FLAKY.value, 1), else_=0)).label("retried")
    failed = func.sum(case((x.outcome.in_(_FAILED), 1), else_=0)).label("failed")
    spoken = x.outcome.in_((*_GOOD, *_FAILED, Outcome.FLAKY.value))
    each = (
        select(x.test, good, retried, failed, func.sum(x.seconds).label("seconds"))
        .join(tables.runs, x.run == r.id)
        .where(and_(x.run.in_(list(runs)), spoken))
        .group_by(x.test, same)
    )
    if pattern:
        each = each.join(tables.tests, x.test == t.id).where(_holds(pattern))
    c = each.subquery().c
    flaky = func.sum(c.retried + case((c.good + c.retried > 0, c.failed), else_=0))
    count = func.sum(c.good + c.retried + c.failed)
    asked = (
        select(p.topology, t.suite, t.test, count, func.sum(c.failed), flaky, func.sum(c.seconds) / count)
        .join(tables.tests, c.test == t.id)
        .join(tables.projects, t.project == p.id)
        .group_by(p.topology, t.suite, t.test)
        .order_by(p.topology, t.suite, t.test)
    )
    return tuple(
        TestRow(a, b, d, int(n), int(f), int(k), float(s)) for a, b, d, n, f, k, s in connection.execute(asked)
    )


def _holds(pattern: str) -> Any:  # noqa: ANN401 - a clause
    t = tables.tests.c
    return (t.test.contains(pattern, autoescape=True)) | (t.suite == pattern)


def ends_of(
    connection: Connection, runs: dict[int, RunRow], pattern: str
) -> dict[tuple[str, str, str], tuple[tuple[RunRow, str, float], ...]]:
    """(topology, suite, test) -> (run, outcome, seconds), newest first, of the tests that hold `pattern`."""
    x, t, p = tables.results.c, tables.tests.c, tables.projects.c
    asked = (
        select(p.topology, t.suite, t.test, x.run, x.outcome, x.seconds)
        .join(tables.tests, x.test == t.id)
        .join(tables.projects, t.project == p.id)
        .where(and_(x.run.in_(list(runs)), _holds(pattern)))
    )
    place = {number: position for position, number in enumerate(runs)}
    found: dict[tuple[str, str, str], list[tuple[RunRow, str, float]]] = {}
    for topology, suite, test, run, outcome, seconds in sorted(
        connection.execute(asked), key=lambda row: place[row[3]]
    ):
        found.setdefault((topology, suite, test), []).append((runs[run], outcome, seconds))
    return {key: tuple(ends) for key, ends in found.items()}
