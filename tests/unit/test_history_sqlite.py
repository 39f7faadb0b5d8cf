"""The history on SQLite, and what is done when its file is of no use."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from history_contract import HistoryContract, asked
from history_data import REPOSITORY, ROOT, TOPOLOGY, a_run, one, suite
from sqlalchemy import Connection, inspect, text

from understudy.errors import UsageError
from understudy.history import access, tables
from understudy.history.access import base_branch, in_time, recall, remember
from understudy.history.place import Place, history_place
from understudy.history.store import History, HistoryError
from understudy.history.tables import HistoryVersionError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = history_place(str(tmp_path / "h" / "history.sqlite"))
    assert found
    return found


class TestOnSQLite(HistoryContract):
    """The contract."""


def file_of(place: Place) -> Path:
    assert place.path
    return place.path


def test_the_file_is_its_owners_alone(place: Place) -> None:
    History(place).add(one(1, "passed"))
    files = list(file_of(place).parent.iterdir())
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert file_of(place).parent.stat().st_mode & 0o777 == 0o700


def test_processes_at_once_make_one_history(place: Place) -> None:
    program = (
        "import sys; from history_data import one; from understudy.history.place import history_place\n"
        "from understudy.history.access import remember\n"
        "told = [remember(history_place(sys.argv[1]), one(n, 'passed')) for n in range(int(sys.argv[2]), 100, 4)]\n"
        "sys.exit('\\n'.join(w for record in told for w in record.warnings) or None)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    running = [subprocess.Popen([sys.executable, "-c", program, str(place.path), str(n)], env=env) for n in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    with History(place).transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM understudy_runs")).scalar() == 100


def test_an_older_database_is_brought_forward_in_order_and_a_newer_one_refused(place: Place) -> None:
    done: list[int] = []

    def step(number: int) -> tables.Step:
        return lambda _: done.append(number)

    with History(place).transaction():
        pass
    with History(place, steps=(*tables.STEPS, step(3), step(4))).transaction() as connection:
        assert connection.execute(text("SELECT max(version) FROM understudy_versions")).scalar() == 4
    assert done == [3, 4]
    with pytest.raises(HistoryVersionError, match=r"version 4.*up to 2"), History(place).transaction():
        pass


def test_a_history_of_before_reuse_keeps_its_runs_and_gets_the_table(place: Place) -> None:
    with History(place, steps=tables.STEPS[:1]).transaction() as connection:
        assert not inspect(connection).has_table("understudy_passes")
        connection.execute(tables.projects.insert().values(id=1, repository=REPOSITORY, topology=TOPOLOGY))
    History(place).add(one(1, "passed"))
    with History(place).transaction() as connection:
        assert inspect(connection).has_table("understudy_passes")
        assert connection.execute(text("SELECT project FROM understudy_runs")).scalar() == 1


def test_a_step_that_fails_changes_nothing(place: Place) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (x INTEGER)"))
        raise OSError("no")

    with pytest.raises(HistoryError), History(place, steps=(*tables.STEPS, fails)).transaction():
        pass
    with History(place).transaction() as connection:
        assert not inspect(connection).has_table("half")


def test_a_locked_history_is_a_warning_within_a_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.history.store.BUSY", 0.2)
    History(place).add(one(1, "passed"))
    other = sqlite3.connect(file_of(place))
    other.execute("BEGIN EXCLUSIVE")
    record = remember(place, one(2, "passed"))
    other.rollback()
    other.close()
    (warning,) = record.warnings
    assert "the history was not written" in warning
    assert "locked" in warning
    assert len(asked(History(place)).tests["api", "t"]) == 1


def test_a_history_that_does_not_answer_is_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    hangs = threading.Event()
    monkeypatch.setattr(access, "WRITE", 0.1)
    monkeypatch.setattr("understudy.history.store.History.add", lambda *_: hangs.wait(60))
    (warning,) = remember(place, one(1, "passed")).warnings
    hangs.set()
    assert "did not answer within 0.1 s" in warning


def corrupt(path: Path) -> None:
    path.write_bytes(b"no database at all, and longer than a header of SQLite: " * 50)


def folder_in_its_place(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("spoil", [corrupt, folder_in_its_place])
def test_a_file_of_no_use_is_a_warning_and_is_left_as_it_is(place: Place, spoil: Callable[[Path], None]) -> None:
    path = file_of(place)
    path.parent.mkdir()
    spoil(path)
    (warning,) = remember(place, one(1, "passed")).warnings
    assert str(path) in warning
    past = recall(place, repository="r", topology="t", branch="b", base=("", ""))
    assert past.problem.startswith("the history was not read: ")
    assert not past.tests
    if spoil is corrupt:
        assert f"Move {path} away" in warning
        assert path.read_bytes().startswith(b"no database")


def test_a_full_database_is_a_warning_and_what_was_there_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.history import store

    History(place).add(one(1, "passed"))
    prepare = store._prepare_sqlite

    def full(connection: sqlite3.Connection, record: object) -> None:
        prepare(connection, record)
        connection.execute("PRAGMA max_page_count=1").close()

    monkeypatch.setattr(store, "_prepare_sqlite", full)
    many = a_run(2, suite("api", {f"test_{each}": ("passed", 1.0) for each in range(5000)}))
    (warning,) = remember(place, many).warnings
    assert "full" in warning
    monkeypatch.undo()
    assert list(asked(History(place)).tests) == [("api", "t")]


# ---- where it lies


@pytest.mark.parametrize(
    ("option", "variables", "name"),
    [
        ("", {"XDG_STATE_HOME": "/s"}, "/s/understudy/backend/.understudy/history.sqlite"),
        ("", {"PULUMI_BACKEND_URL": "file:///b%20c"}, "/b c/.understudy/history.sqlite"),
        (
            "",
            {"PULUMI_BACKEND_URL": "s3://b", "XDG_STATE_HOME": "/s"},
            "/s/understudy/backend/.understudy/history.sqlite",
        ),
        ("/x/h.db", {}, "/x/h.db"),
        ("sqlite:////x/h.db", {}, "/x/h.db"),
        ("postgresql://me:pa55word@db.example:5433/h?password=pa55word", {}, "postgresql://db.example:5433/h"),
        ("postgres:///h", {}, "postgresql://the local socket/h"),
    ],
)
def test_where_it_lies(option: str, variables: dict[str, str], name: str) -> None:
    found = history_place(option, variables)
    assert found
    assert found.name == name
    assert "pa55word" not in repr(found)


@pytest.mark.parametrize("option", ["mysql://me:pa55word@h/d", "postgresql://me:pa55word@h:port/d", "sqlite://x"])
def test_another_database_is_refused_without_its_password(option: str) -> None:
    with pytest.raises(UsageError) as caught:
        history_place(option)
    assert "pa55word" not in str(caught.value)


def test_off_is_nowhere() -> None:
    assert history_place("off") is None
    assert remember(None, one(1, "passed")) == one(1, "passed")
    assert not recall(None, repository="r", topology="t", branch="b", base=("", "")).tests


def test_a_password_is_in_no_warning() -> None:
    place = history_place("postgresql://me:pa55word@127.0.0.1:1/h?sslmode=disable&password=pa55word")
    (warning,) = remember(place, one(1, "passed")).warnings
    assert "postgresql://127.0.0.1:1/h" in warning
    assert "pa55word" not in warning


def test_the_base_is_what_the_ci_says_else_production() -> None:
    assert base_branch(None, "origin/main", {"GITHUB_BASE_REF": "rel"}) == ("rel", "GITHUB_BASE_REF")
    gitlab = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "rel"}
    assert base_branch(None, "origin/main", gitlab) == ("rel", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
    assert base_branch(None, "origin/main", {}) == ("main", "where production is read")
    assert base_branch(None, "", {}) == ("", "")


def test_work_in_time_returns_and_raises_as_it_is() -> None:
    assert in_time(lambda: 1, 5) == 1
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, 5)
