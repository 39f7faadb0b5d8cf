from __future__ import annotations

from pathlib import Path

import pytest

from understudy.stacks.topology import Suite
from understudy.suites.interpreter import PreparedSuite, pytest_arguments
from understudy.suites.runner import share_workers
from understudy.suites.running import file_name


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["pytest"], (None, ())),
        (["pytest", "-q", "tests"], (None, ("-q", "tests"))),
        (["python", "-m", "pytest", "-q"], (None, ("-q",))),
        (["python3", "-m", "pytest"], (None, ())),
        (["python3.9", "-m", "pytest", "x"], ("python3.9", ("x",))),
        (["python", "tests.py"], None),
        ([".venv/bin/pytest"], None),
        (["make", "pytest"], None),
    ],
)
def test_pytest_commands_are_known(command: list[str], expected: object) -> None:
    assert pytest_arguments(command) == expected


def prepared(*arguments: str, name: str = "s", xdist: bool = True, workers: int | None = None) -> PreparedSuite:
    suite = Suite(name, ("pytest", *arguments), workers=workers)
    return PreparedSuite(suite, Path(), "/py", xdist, arguments)


def test_our_arguments_stand_before_the_suites() -> None:
    command = prepared("-q", "--", "-odd").command(4, fail_fast=True)

    assert command == ("/py", "-m", "pytest", "-p", "understudy_pytest", "-n", "4", "-x", "-q", "--", "-odd")


@pytest.mark.parametrize(
    "own", [("-n", "3"), ("-n3",), ("--numprocesses=2",), ("--dist", "loadfile"), ("-p", "no:xdist")]
)
def test_a_suite_that_speaks_of_workers_keeps_its_own(own: tuple[str, ...]) -> None:
    assert "4" not in prepared(*own).command(4, fail_fast=False)


def test_one_worker_needs_no_xdist_and_maxfail_is_kept() -> None:
    command = prepared("--maxfail=3").command(1, fail_fast=True)

    assert command == ("/py", "-m", "pytest", "-p", "understudy_pytest", "--maxfail=3")


def test_another_command_is_left_as_it_is() -> None:
    suite = Suite("s", ("make", "-x", "check"))

    assert PreparedSuite(suite, Path()).command(4, fail_fast=True) == ("make", "-x", "check")


def test_workers_are_shared_by_those_that_can_use_them() -> None:
    suites = [prepared(name="a", workers=3), prepared(name="b"), prepared(name="c", xdist=False, workers=9)]

    assert share_workers(suites, 8) == {"a": 4, "b": 4, "c": 1}
    assert share_workers(suites, 1) == {"a": 1, "b": 1, "c": 1}
    own = share_workers(suites, None)
    assert (own["a"], own["c"]) == (3, 1)
    assert own["b"] >= 1


def test_file_names_of_suites_stay_inside_and_apart() -> None:
    assert file_name("integration") == "integration"
    odd = ["../../etc", "a/b", "a b", "a-b", ".", "", "é", "x" * 200, "A\n"]
    names = [file_name(name) for name in odd]

    assert len(set(names)) == len(odd)
    assert all("/" not in name and not name.startswith(".") and 0 < len(name) < 80 for name in names)
