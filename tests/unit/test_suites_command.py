from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.stacks.topology import Suite
from understudy.suites.interpreter import PreparedSuite, pytest_arguments
from understudy.suites.running import file_name
from understudy.suites.slots import Wish, allot, cap_of, wish_of


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
    command = prepared("-q", "--", "-odd").command(4, stop_after=1)

    assert command == ("/py", "-m", "pytest", "-p", "understudy_pytest", "-n", "4", "-x", "-q", "--", "-odd")


@pytest.mark.parametrize(
    "own", [("-n", "3"), ("-n3",), ("--numprocesses=2",), ("--dist", "loadfile"), ("-p", "no:xdist")]
)
def test_a_suite_that_speaks_of_workers_keeps_its_own(own: tuple[str, ...]) -> None:
    assert "4" not in prepared(*own).command(4, stop_after=None)


def test_no_suite_passes_the_cap() -> None:
    own = prepared("-n", "3", "tests", "--", "-odd")

    assert own.command(2, stop_after=1, capped=True)[-5:] == ("tests", "-n", "2", "--", "-odd")
    assert prepared().command(1, stop_after=1, capped=True)[5:7] == ("-n", "0"), "its configuration may say -n 8"
    assert "-n" not in prepared("-p", "no:xdist").command(1, stop_after=1, capped=True)


@pytest.mark.parametrize(("stop_after", "said"), [(1, "-x"), (3, "--maxfail=0"), (None, "--maxfail=0")])
def test_pytest_stops_itself_only_at_the_first_failure(stop_after: int | None, said: str) -> None:
    assert prepared().command(1, stop_after=stop_after)[5:] == (said,)


def test_one_worker_needs_no_xdist_and_maxfail_is_kept() -> None:
    command = prepared("--maxfail=3").command(1, stop_after=1)

    assert command == ("/py", "-m", "pytest", "-p", "understudy_pytest", "--maxfail=3")


def test_another_command_is_left_as_it_is() -> None:
    suite = Suite("s", ("make", "-x", "check"))

    assert PreparedSuite(suite, Path()).command(4, stop_after=1) == ("make", "-x", "check")


def test_what_a_suite_asks_for() -> None:
    command = PreparedSuite(Suite("make", ("make", "-j4"), workers=4), Path())
    wishes = [
        prepared(name="free"),
        prepared(name="own", workers=3),
        prepared("-n", "5", name="said", workers=3),
        prepared("-n", "auto", name="auto"),
        prepared(name="alone", xdist=False, workers=9),
        prepared("-p", "no:xdist", name="off", workers=9),
        command,
    ]

    found = {wish.name: (wish.weight, wish.most) for wish in map(wish_of, wishes)}

    assert found == {
        "free": (1, None),
        "own": (3, 3),
        "said": (5, 5),
        "auto": (1, None),
        "alone": (1, 1),
        "off": (1, 1),
        "make": (4, 4),
    }


@pytest.mark.parametrize(
    ("free", "waiting", "expected"),
    [
        (2, [Wish("a"), Wish("b"), Wish("c")], {"a": 1, "b": 1}),
        (0, [Wish("a")], {}),
        (5, [Wish("a"), Wish("b")], {"a": 3, "b": 2}),
        (8, [Wish("a", 3, 3), Wish("b", 1, 1)], {"a": 3, "b": 1}),
        (6, [Wish("a", 2), Wish("b", 1)], {"a": 4, "b": 2}),
        (4, [Wish("a"), Wish("b", ready=False)], {"a": 2}),
        (1, [Wish("a", ready=False), Wish("b", ready=False), Wish("c")], {"c": 1}),
        (3, [Wish("a", ready=False)], {}),
    ],
)
def test_processes_are_shared_among_those_that_wait(free: int, waiting: list[Wish], expected: dict[str, int]) -> None:
    assert allot(free, waiting) == expected


@given(
    st.integers(0, 12),
    st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(1, 5), st.booleans()), max_size=8),
)
def test_never_more_than_are_free_and_nobody_ready_waits_in_vain(
    free: int, drawn: list[tuple[int, int | None, bool]]
) -> None:
    waiting = [Wish(str(number), *each) for number, each in enumerate(drawn)]
    most = {wish.name: wish.most for wish in waiting}

    counts = allot(free, waiting)

    assert sum(counts.values()) <= free
    assert list(counts) == [wish.name for wish in waiting if wish.ready][:free]
    assert all(count >= 1 and count <= (most[name] or count) for name, count in counts.items())


def test_without_the_option_nothing_that_is_declared_waits() -> None:
    wishes = [Wish("a", 3, 3), Wish("b"), Wish("c")]

    assert cap_of(wishes, None, 2) == 5
    assert cap_of(wishes, None, 16) == 16
    assert cap_of(wishes, 1, 16) == 1


def test_file_names_of_suites_stay_inside_and_apart() -> None:
    assert file_name("integration") == "integration"
    odd = ["../../etc", "a/b", "a b", "a-b", ".", "", "é", "x" * 200, "A\n"]
    names = [file_name(name) for name in odd]

    assert len(set(names)) == len(odd)
    assert all("/" not in name and not name.startswith(".") and 0 < len(name) < 80 for name in names)
