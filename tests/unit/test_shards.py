"""Shards: every test is in exactly one part, whatever each machine knows; and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from support import make_project

from understudy.cli import cli
from understudy.errors import UsageError
from understudy.options import resolve
from understudy.stacks.topology import Suite
from understudy.suites.arrangement import Arrangement, SuiteOrder, can_be_split
from understudy.suites.pytest_order import shard_of
from understudy.suites.shards import Durations, Shard, Split, durations_document, parse_durations, parse_shard, split

IDS = st.text(min_size=1, max_size=8)
SECONDS = st.floats(0, 1000, allow_nan=False)
DURATIONS = st.builds(
    Durations,
    suites=st.dictionaries(st.sampled_from(["a", "b", "c", "whole"]), SECONDS),
    tests=st.dictionaries(st.sampled_from(["a", "b"]), st.dictionaries(IDS, SECONDS)),
)
SUITES = [("a", True), ("b", True), ("c", False), ("whole", False)]


def parts_of(made: Split, suite: str, test: str) -> list[int]:
    """The parts whose machine would run a test."""
    parts = made.tests[suite]
    return [part for part in range(1, made.of + 1) if shard_of(test, parts, made.of) == part]


@settings(max_examples=100)
@given(of=st.integers(1, 12), durations=DURATIONS, collected=st.lists(IDS, unique=True))
def test_every_test_and_every_suite_is_in_exactly_one_part(of: int, durations: Durations, collected: list[str]) -> None:
    made = split(SUITES, durations, of)
    for suite in ("a", "b"):
        for test in {*collected, *durations.tests.get(suite, {})}:
            assert len(parts_of(made, suite, test)) == 1
    machines = [Arrangement(shard=Shard(part, of), split=made) for part in range(1, of + 1)]
    suites = [Suite(name, ("pytest" if apart else "make",)) for name, apart in SUITES]
    ran = [suite.name for machine in machines for suite in machine.suites(suites)]
    assert sorted(ran) == sorted(["a", "b"] * of + ["c", "whole"])


@settings(max_examples=50)
@given(of=st.integers(2, 6), durations=DURATIONS, mine=st.sets(IDS), theirs=st.sets(IDS))
def test_what_else_a_machine_collected_or_remembers_changes_nothing(
    of: int, durations: Durations, mine: set[str], theirs: set[str]
) -> None:
    made = split(SUITES, durations, of)
    again = split(list(reversed(SUITES)), durations, of)
    assert again == made
    first = Arrangement({"a": SuiteOrder(True, 5.0, tuple(mine))}, Shard(1, of), made)
    for test in mine & theirs:
        assert parts_of(made, "a", test) == parts_of(again, "a", test)
    assert first.elsewhere == Arrangement(shard=Shard(1, of), split=again).elsewhere


def test_known_tests_are_shared_out_by_their_durations() -> None:
    tests = {"slow": 8.0, **{f"t{number}": 1.0 for number in range(8)}}
    made = split([("a", True)], Durations({}, {"a": tests}), 2)
    loads = [sum(seconds for test, seconds in tests.items() if made.tests["a"][test] == part) for part in (1, 2)]
    assert loads == [8.0, 8.0]


def test_unknown_whole_suites_are_spread() -> None:
    made = split([(name, False) for name in "abcd"], Durations(), 2)
    assert sorted(made.whole.values()) == [1, 1, 2, 2]


def test_unknown_tests_are_spread() -> None:
    made = split([("a", True)], Durations(), 4)
    counts = [0] * 5
    for number in range(2000):
        (part,) = parts_of(made, "a", f"tests/test_x.py::test_{number}")
        counts[part] += 1
    assert min(counts[1:]) > 400


def test_another_file_of_durations_is_another_plan() -> None:
    one = split([("a", True)], Durations({}, {"a": {"x": 1.0, "y": 2.0}}), 2)
    other = split([("a", True)], Durations({}, {"a": {"x": 3.0, "y": 2.0}}), 2)
    assert one.plan != other.plan
    assert one.plan == split([("a", True)], Durations({}, {"a": {"x": 1.1, "y": 2.0}}), 2).plan, "the same parts"


@pytest.mark.parametrize(
    ("text", "variables", "shard"),
    [
        ("", {"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "3"}, None),
        ("2/3", {}, Shard(2, 3)),
        ("auto", {"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "3"}, Shard(2, 3)),
        ("auto", {"CI_NODE_TOTAL": "1"}, None),
        ("auto", {"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "3"}, Shard(1, 3)),
        ("auto", {"BUILDKITE_PARALLEL_JOB": "2", "BUILDKITE_PARALLEL_JOB_COUNT": "3"}, Shard(3, 3)),
        ("auto", {}, None),
    ],
)
def test_which_part_this_is(text: str, variables: dict[str, str], shard: Shard | None) -> None:
    assert parse_shard(resolve({"shard": text} if text else {}, {}, None).shard, variables) == shard


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/", "a/b", "1/1001", "\u0661/\u0662", "-1/2"])
def test_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="i/n"):
        resolve({"shard": text}, {}, None)


@given(DURATIONS)
def test_durations_come_back_from_their_file(durations: Durations) -> None:
    text = durations_document(durations)
    back = parse_durations(text.encode(), "f")
    assert back.suites == durations.suites
    assert {name: tests for name, tests in back.tests.items() if tests} == {
        name: tests for name, tests in durations.tests.items() if tests
    }
    assert durations_document(back) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"schema": 2, "suites": {}}', '{"schema": 1, "suites": []}'),
        *('{"schema": 1, "suites": {"a": {"tests": {"x": "1"}}}}', '{"schema": 1, "suites": {"a": {"seconds": -1}}}'),
        *('{"schema": 1, "suites": {"a": {"tests": {"x": NaN}}}}', "[" * 100_000, "\xff"),
    ],
)
def test_a_file_that_holds_no_durations_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no file of durations"):
        parse_durations(text.encode("latin-1"), "f")


def test_only_pytest_can_be_split() -> None:
    assert can_be_split(Suite("a", ("python3", "-m", "pytest", "-q")))
    assert not can_be_split(Suite("a", ("make", "check")))


# ---- the order of suites


def test_suites_that_failed_come_first_then_the_longest() -> None:
    orders = {
        "short": SuiteOrder(seconds=0.1),
        "long": SuiteOrder(seconds=9.0),
        "broken": SuiteOrder(failed=True, seconds=0.5),
    }
    suites = [Suite(name, ("make",)) for name in ("short", "new", "long", "broken")]
    assert [suite.name for suite in Arrangement(orders).suites(suites)] == ["broken", "long", "new", "short"]
    assert Arrangement().suites(suites) == tuple(suites)


def test_durations_of_the_commit_that_nobody_can_read_end_a_run_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = "services: {web: {image: x}}\nx-understudy: {tests: {api: {command: [pytest]}}}\n"
    project = make_project(tmp_path / "repository", tmp_path / "state")
    (project.folder / "compose.yaml").write_text(compose)
    project.commit("Describe production")
    (project.folder / "understudy-durations.json").write_text("{")
    monkeypatch.chdir(project.folder)
    dirty = CliRunner().invoke(cli, ["run", "--shard", "1/2", "--dirty"])
    assert "understudy-durations.json of the working folder" in str(dirty.exception)
    sha = project.commit("Break the durations")
    done = CliRunner().invoke(cli, ["run", "--shard", "1/2"])
    assert isinstance(done.exception, UsageError)
    assert f"understudy-durations.json of commit {sha[:7]}" in str(done.exception)
    assert not (project.folder / "understudy-runs").exists()
