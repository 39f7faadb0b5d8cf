"""`understudy history`: what a person sees in 80 columns, what a program reads, and the file for shards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from history_data import a_run, suite
from support import make_project

from understudy.cli import cli
from understudy.errors import NotFoundError
from understudy.history.place import history_place
from understudy.history.questions import RunRow, TestRow
from understudy.history.store import History
from understudy.history.text import columns, cut, render_runs, render_tests, shown
from understudy.suites.shards import parse_durations

Ask = Callable[..., Result]

HOSTILE = "tests/test_a.py::test_x[\x1b[2J\r\n\u202e\x9b" + "日本語" * 20 + "]"
RUN = RunRow(
    "r", "compose.yaml", "a\x1b]0;x\x07" + "b" * 90, "c" * 40, False, "1/2", "2026-01-01T10:20:30.5Z", 61.0, 1, 7
)


def test_what_is_printed_fits_80_columns_and_cannot_steer_a_terminal() -> None:
    tests = [TestRow("compose.yaml", "api\n", HOSTILE, 10, 2, 2, 3671.5)]
    ends = {("compose.yaml", "api\n", HOSTILE): [(RUN, "environment-failed", 0.5)]}
    for text in (render_runs([RUN], tests, width=80), render_tests(tests, ends, width=80)):
        assert max(map(columns, text.split("\n"))) <= 80
        assert all(c.isprintable() or c == "\n" for c in text)
        assert "flaky: of the runs" in text
    assert "20%" in render_runs([RUN], tests, width=80)
    assert "(1/2)" in render_runs([RUN], tests, width=80)


def test_a_run_of_a_working_folder_is_told_from_one_of_its_commit() -> None:
    rows = [RUN, replace(RUN, dirty=True)]
    commits = [line.split()[2] for line in render_runs(rows, [], width=80).splitlines()[1:]]
    assert commits == ["c" * 10, "c" * 10 + "+"]


def test_cutting_keeps_the_end_and_escapes_are_whole() -> None:
    assert cut("abcdef", 4) == "…def"
    assert cut("日本語", 4) == "…語"
    assert cut("abc", 3) == "abc"
    assert shown("\u202ea\0") == "\\u202ea\\x00"


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    project = make_project(tmp_path / "repo", tmp_path / "state")
    project.git("remote", "add", "origin", "https://git.example/shop")
    monkeypatch.chdir(project.root)
    place = history_place(str(tmp_path / "h.sqlite"))
    assert place
    for number, outcome in enumerate(("passed", "failed", "passed")):
        tests = {"t.py::quick": ("passed", 0.1), "t.py::slow": (outcome, 2.0 + number)}
        History(place).add(a_run(number, suite("api", tests, seconds=4.0), branch="main", commit="c" * 40))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["history", "--history", str(tmp_path / "h.sqlite"), *arguments])

    return run


def test_runs_and_tests_are_shown_and_read(ask: Ask) -> None:
    told = ask()
    assert told.exit_code == 0
    assert told.output.index("api: t.py::slow") < told.output.index("api: t.py::quick"), "the slowest first"
    assert "33%" in told.output
    data = json.loads(ask("slow", "--format", "json").output)
    (test,) = data["tests"]
    assert (test["runs"], test["failed"], test["flaky"], test["rate"]) == (3, 1, 1, pytest.approx(1 / 3))
    assert [end["outcome"] for end in test["ends"]] == ["passed", "failed", "passed"]
    assert len(data["runs"]) == 3


def test_what_is_not_there_is_said(ask: Ask) -> None:
    for arguments in (("nothing",), ("--branch", "gone")):
        told = ask(*arguments)
        assert isinstance(told.exception, NotFoundError)


def test_the_file_of_durations_names_medians_and_nothing_else(ask: Ask, tmp_path: Path) -> None:
    assert ask("--export", str(tmp_path / "d.json")).exit_code == 0
    text = (tmp_path / "d.json").read_bytes()
    found = parse_durations(text, "d")
    assert found.suites == {"api": 4.0}
    assert found.tests == {"api": {"t.py::quick": 0.1, "t.py::slow": 3.0}}
    assert b"2026" not in text
