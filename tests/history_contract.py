"""What the history holds to on every database: the same tests for SQLite and for PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from history_data import REPOSITORY, START, TOPOLOGY, a_run, one, suite
from sqlalchemy import func, select

from understudy.history import tables
from understudy.history.passes import passes_of
from understudy.history.past import Pass, Past, failed_last
from understudy.history.place import Place
from understudy.history.questions import ends_of, past, recent, tests_of
from understudy.history.store import History, Keep
from understudy.report import utc
from understudy.report.suite_records import ReuseRecord
from understudy.suites.results import SuiteStatus


def asked(history: History, branch: str = "main", base: str = "") -> Past:
    with history.transaction() as connection:
        return past(connection, REPOSITORY, TOPOLOGY, branch, base)


def count(history: History, table: str) -> int:
    with history.transaction() as connection:
        return int(connection.execute(select(func.count()).select_from(getattr(tables, table))).scalar_one())


def kept(history: History, key: str = "k1", name: str = "api", since: float = 0, topology: str = TOPOLOGY) -> str:
    """The run whose result would be reused."""
    with history.transaction() as connection:
        found = passes_of(connection, REPOSITORY, topology, {name: key}, utc(since))
    return found[name].run if found else ""


class HistoryContract:
    """Subclasses give the fixture `place`: a database of its own for each test."""

    @pytest.fixture
    def history(self, place: Place) -> History:
        return History(place)

    def test_what_is_written_is_read_oldest_first(self, history: History) -> None:
        for number, outcome in enumerate(("passed", "failed", "flaky")):
            assert history.add(one(number, outcome, float(number)))
        found = asked(history)
        assert [(end.outcome, end.seconds) for end in found.tests["api", "t"]] == [
            ("passed", 0.0),
            ("failed", 1.0),
            ("flaky", 2.0),
        ]
        assert [end.outcome for end in found.suites["api"]] == ["passed"] * 3

    def test_what_stands_for_a_suite_without_tests_in_this_part_is_no_test(self, history: History) -> None:
        stand_in = suite("api", {"(suite)": ("passed", 5.0)})
        history.add(a_run(1, replace(stand_in, elsewhere=("t",))))
        assert not asked(history).tests
        history.add(a_run(2, stand_in))
        assert list(asked(history).tests) == [("api", "(suite)")]

    def test_a_suite_that_passed_is_found_by_its_key(self, history: History) -> None:
        tests = {"t": ("passed", 1.0), "s": ("skipped", 0.0)}
        api, ui = (replace(suite(name, tests), reuse=ReuseRecord("k1", "new", "", "", None)) for name in ("api", "ui"))
        history.add(a_run(1, api))
        history.add(a_run(2, api, ui, exit_code=1))
        with history.transaction() as connection:
            found = passes_of(connection, REPOSITORY, TOPOLOGY, {"api": "k1", "ui": "k2"}, utc(0))
        second = a_run(2)
        assert found == {"api": Pass("run-002", second.started, second.commit, {"t": "passed", "s": "skipped"})}
        assert kept(history, name="ui") == "run-002"
        assert kept(history, "other") == ""
        assert kept(history, topology="else/compose.yaml") == ""
        assert kept(history, since=(START + timedelta(minutes=3)).timestamp()) == ""
        reused = replace(api, reuse=ReuseRecord("k1", "", "run-002", "c", utc(0)))
        history.add(a_run(3, reused))
        assert kept(history) == "run-002", "a reused result gets no younger"
        assert [end.outcome for end in asked(history).suites["api"]] == ["passed"] * 2, "it did not run"
        assert len(asked(history).tests["api", "t"]) == 2

    def test_a_pass_is_kept_only_of_a_run_that_others_may_be_like(self, history: History) -> None:
        api = replace(suite("api", {"t": ("passed", 1.0)}), reuse=ReuseRecord("k1", "new", "", "", None))
        failed = replace(api, status=SuiteStatus.FAILED)
        no_key = replace(api, reuse=ReuseRecord("", "new", "", "", None))
        history.add(a_run(1, api, dirty=True))
        history.add(a_run(2, api, shard="1/2"))
        history.add(a_run(3, api, exit_code=3))
        history.add(a_run(4, failed, exit_code=1))
        history.add(a_run(5, no_key))
        history.add(a_run(6, suite("api", {"t": ("passed", 1.0)})))
        assert count(history, "passes") == 0

    def test_a_run_is_written_once(self, history: History) -> None:
        assert history.add(one(1, "passed"))
        assert not history.add(one(1, "failed"))
        assert [end.outcome for end in asked(history).tests["api", "t"]] == ["passed"]
        assert history.knows(one(1, "passed"), "run-001")
        assert not history.knows(one(1, "passed"), "run-002")

    def test_the_past_is_of_the_branch_and_its_base_and_of_this_project(self, history: History) -> None:
        history.add(one(1, "failed", branch="main"))
        history.add(one(2, "passed", branch="topic"))
        history.add(one(3, "failed", branch="other"))
        history.add(one(4, "failed", branch="topic", topology="b/compose.yaml"))
        history.add(one(5, "failed", branch="topic", repository="https://git.example/else"))
        ends = asked(history, "topic", "main").tests["api", "t"]
        assert [(end.outcome, end.own) for end in ends] == [("failed", False), ("passed", True)]
        assert not failed_last(ends), "the branch's own word comes before its base's"
        assert failed_last(asked(history, "new", "main").tests["api", "t"])
        history.add(one(6, "failed", branch=""))
        assert len(asked(history, "topic").tests["api", "t"]) == 1, "no base is not the runs without a branch"

    def test_hostile_names_are_kept_apart(self, history: History) -> None:
        names = [
            "a\0b",
            "x" * 5000,
            "x" * 5000 + "y",
            "\ud800",
            "'; DROP TABLE understudy_runs; --",
            "% _",
            "é\n\x1b[31m",
        ]
        history.add(a_run(1, suite("s", dict.fromkeys(names, ("passed", 1.0))), branch="b'\0\ud800"))
        with history.transaction() as connection:
            runs = recent(connection, REPOSITORY, "", 10)
            assert len(tests_of(connection, list(runs), "")) == len(names)
            assert [row.test for row in tests_of(connection, list(runs), "% _")] == ["% _"]

    def test_a_test_is_flaky_by_retry_or_by_its_commit(self, history: History) -> None:
        history.add(one(1, "failed", commit="c1"))
        history.add(one(2, "passed", commit="c1"))
        history.add(one(3, "failed", commit="c2"))
        history.add(one(4, "flaky", commit="c3"))
        history.add(one(5, "not-run", commit="c3"))
        history.add(one(6, "environment-failed", commit="c3"))
        history.add(one(7, "failed", commit="c1", dirty=True))
        with history.transaction() as connection:
            runs = recent(connection, REPOSITORY, "main", 10)
            (row,) = tests_of(connection, list(runs), "t")
            ends = ends_of(connection, runs, "t")[TOPOLOGY, "api", "t"]
        assert (row.runs, row.failed, row.flaky) == (5, 3, 2)
        assert row.rate == pytest.approx(0.4)
        assert [outcome for _, outcome, _ in ends][:2] == ["failed", "environment-failed"]

    def test_runs_beyond_what_is_kept_go_with_their_tests(self, history: History) -> None:
        now = datetime.now(UTC)
        history.add(a_run(0, suite("api", {"gone": ("passed", 1.0)}), now=now - timedelta(days=200)))
        for number in range(1, 6):
            history.add(one(number, "passed", now=now), Keep(runs=3))
        history.add(one(9, "passed", now=now, branch="other"), Keep(runs=3))
        with history.transaction() as connection:
            kept = recent(connection, REPOSITORY, "", 10).values()
        assert [run.run for run in kept] == ["run-009", "run-005", "run-004", "run-003"]
        assert (count(history, "results"), count(history, "tests"), count(history, "suites")) == (4, 1, 4)
        history.add(one(10, "passed", now=now), Keep(results=2))
        assert count(history, "results") == 2

    def test_many_at_once_lose_nothing(self, history: History, place: Place) -> None:
        def write(number: int) -> bool:
            tests = {f"t{each}": ("passed", 1.0) for each in range(number, number + 20)}
            return History(place).add(a_run(number, suite("api", tests)), Keep())

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(write, range(8)))
        assert (count(history, "runs"), count(history, "tests"), count(history, "results")) == (8, 27, 160)
        assert count(history, "versions") == len(tables.STEPS)

    def test_ten_thousand_tests_are_written(self, history: History) -> None:
        tests = {f"tests/test_{each % 100}.py::test_{each}": ("passed", 0.1) for each in range(10_000)}
        for number in (1, 2):
            history.add(a_run(number, suite("api", tests)), Keep())
        assert count(history, "results") == 20_000
        assert len(asked(history).tests) == 10_000
