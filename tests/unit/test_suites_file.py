"""understudy.toml: suites with the keys and checks of the Compose document, each with its file and line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.documents import Documents, from_folder
from understudy.errors import UsageError
from understudy.options import Options, resolve
from understudy.stacks.sources.compose import read_files
from understudy.stacks.sources.toml_text import read_toml
from understudy.stacks.topology import Need, Suite, Topology, TopologyError

COMPOSE = "services:\n  web: {image: x, environment: {KEY: '${KEY:-x}'}}\n  db: {image: 'postgres:15'}\n"


def load(toml: str, extension: Mapping[str, Any] | None = None, **variables: str) -> Topology:
    text = COMPOSE + f"x-understudy: {json.dumps(extension or {}, ensure_ascii=False)}\n"
    files = {"compose.yaml": text.encode(), "understudy.toml": toml.encode()}
    return read_files(
        ("compose.yaml",), folder="app", variables=variables, read_file=files.get, suites="understudy.toml"
    )


def test_suites_of_the_file_have_the_same_keys() -> None:
    found = load(
        """\
workers = 3

[tests.integration]
command = ["pytest", "-q"]
folder = "tests"
timeout = "5m"
retries = 2
needs = [
  "db:5432",
  "web",
]
environment = {A = "${B:-c}", COST = "$$5"}

[tests]
inside.command = "make"
inside.image = "t:1"
inside.inputs = ["tests/common"]
"""
    )
    assert found.suites == (
        Suite(
            "integration",
            ("pytest", "-q"),
            "tests",
            timeout=300.0,
            retries=2,
            needs=(Need("db", 5432), Need("web")),
            environment={"A": "c", "COST": "$5"},
        ),
        Suite("inside", ("make",), image="t:1", runs_on="network", inputs=("tests/common",)),
    )
    assert found.suites[0].where.place == "app/understudy.toml:3:1"
    assert found.suites[0].needs[1].where.place == "app/understudy.toml:8:1"
    (warning,) = found.warnings
    assert warning.startswith(
        "app/understudy.toml:8: tests.integration.needs[1]: suite 'integration' needs 'web', which "
    )
    assert warning.endswith("it is waited for, and cannot be called; `web:PORT` publishes one")


@pytest.mark.parametrize(
    ("toml", "place", "message"),
    [
        ("[tests.a]\n\ncomand = 'x'", "3:1: tests.a.comand", "'comand' is not known here; allowed are command"),
        ("[tests.a]\nfolder = 'x'", "1:1: tests.a", "'command' is missing"),
        ("[tests.a]\ncommand = 'x'\ntimeout = 0", "3:1: tests.a.timeout", "above 0"),
        ("[tests.a]\ncommand = 'x'\nneeds = [\n'web',\n'queue']", "3:1: tests.a.needs[1]", "no service and no mock"),
        ("[tests.a]\ncommand = 'x'\nneeds = ['web:99999']", "3:1: tests.a.needs[0]", "nothing to need"),
        ("[tests.'../a']\ncommand = 'x'", "1:1: tests.../a", "no name for a suite"),
        (
            "[tests.a]\ncommand = 'x'\nenvironment.K = '$KEY'",
            "3:1: tests.a.environment.K",
            "secret KEY is interpolated",
        ),
        ("x = 1\ntests = 3", "2:1: tests", "allowed is a mapping"),
        ("[[tests]]\na = 1", "1:1: tests", "allowed is a mapping"),
        ("[tests.a\n", "1:1", "it is no TOML"),
        ("a = " + "[" * 5000, "1:1", "it is no TOML"),
        ('[tests.a]\ncommand = "\\u0000"', "2:1: tests.a.command", "a NUL character"),
        ("x = 2026-01-01\n[tests]\na = 2026-01-01", "3:1: tests.a", "allowed is a mapping"),
    ],
)
def test_the_file_is_as_strict_and_says_where(toml: str, place: str, message: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        load(toml, {"secrets": ["KEY"]}, KEY="hunter22hunter22")
    assert str(caught.value).startswith(f"app/understudy.toml:{place}: ")


def test_of_one_name_the_file_s_suite_is_taken_and_that_is_told() -> None:
    found = load("[tests.a]\ncommand = 'ours'\n", {"tests": {"a": {"command": "x"}, "b": {"command": "y"}}})
    assert [(suite.name, suite.command) for suite in found.suites] == [("a", ("ours",)), ("b", ("y",))]
    (warning,) = found.warnings
    assert warning.startswith(
        "app/understudy.toml:1: tests.a: it takes the place of the suite of this name at app/compose.yaml:"
    )


def test_a_variable_without_a_value_is_told() -> None:
    assert load("[tests.a]\ncommand = 'x'\nenvironment = {K = '$NOWHERE'}\n").warnings == (
        "app/understudy.toml:3: tests.a.environment.K: the variable 'NOWHERE' is not set: it is empty",
    )


NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,5}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), exclude_characters="$"), max_size=8)
WORDS = TEXTS | st.sampled_from(["web", "db:5432", "network", "host", "5m", "1", ""])
VALUES = (
    st.booleans()
    | st.integers(-2, 70000)
    | WORDS
    | st.lists(WORDS, max_size=3)
    | st.dictionaries(NAMES, WORDS, max_size=2)
)
KEYS = st.sampled_from(
    [
        "command",
        "folder",
        "python",
        "image",
        "runs_on",
        "needs",
        "timeout",
        "retries",
        "workers",
        "environment",
        "other",
    ]
)


def toml_of(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml_of(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(toml_of, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(
    st.dictionaries(NAMES, st.dictionaries(KEYS, VALUES, max_size=4).map(lambda d: {"command": "x", **d}), max_size=2)
)
def test_both_places_mean_the_same_or_are_refused_alike(tests: dict[str, dict[str, object]]) -> None:
    lines = [
        line
        for name, suite in tests.items()
        for line in (f"[tests.{json.dumps(name)}]", *(f"{key} = {toml_of(value)}" for key, value in suite.items()))
    ]

    def outcome(toml: str, extension: Mapping[str, Any]) -> object:
        try:
            return load(toml, extension).suites
        except TopologyError as error:
            return str(error).partition(": ")[2].removeprefix("x-understudy.")

    assert outcome("\n".join(lines), {}) == outcome("", {"tests": tests})


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=3), max_size=4), st.data())
def test_every_key_has_the_line_that_it_is_set_on(document: dict[str, dict[str, object]], data: st.DataObject) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table, keys in document.items():
        lines += data.draw(st.lists(st.sampled_from(["", "# a note", "  "]), max_size=2))
        lines.append(f"[{json.dumps(table)}] # [x]")
        expected[table,] = len(lines)
        for key, value in keys.items():
            lines.append(f"{json.dumps(key)} = {toml_of(value)}")
            expected[table, key] = sum(line.count("\n") + 1 for line in lines[:-1]) + 1
        expected[table,] = (
            sum(line.count("\n") + 1 for line in lines[: lines.index(f"[{json.dumps(table)}] # [x]")]) + 1
        )
    root: Any = read_toml("\n".join(lines).encode(), "u.toml")
    found = {(table,): node.where.line for table, node in root.value.items()}
    found |= {(table, key): child.where.line for table, node in root.value.items() for key, child in node.value.items()}
    assert found == expected


def test_the_nearest_file_up_to_the_root_counts_and_options_are_let_alone(tmp_path: Path) -> None:
    (tmp_path / "app" / "deep").mkdir(parents=True)
    (tmp_path / "app" / "deep" / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "understudy.toml").write_text("[tests.root]\ncommand = 'x'\n")
    documents, reader = Documents(("compose.yaml",)), from_folder(tmp_path, "app/deep")

    def names() -> list[str]:
        return [suite.name for suite in documents.read(reader, "app/deep", "p", "here").suites]

    assert names() == ["root"]
    (tmp_path / "app" / "understudy.toml").write_text("workers = 2\n[tests.near]\ncommand = 'x'\n")
    assert names() == ["near"]
    only_compared = documents.read(reader, "app/deep", "p", "here", provisioned=False)
    assert only_compared.suites == ()
    assert resolve({}, {}, tmp_path / "app" / "understudy.toml").workers == 2
    (tmp_path / "app" / "understudy.toml").write_text("[test.near]\ncommand = 'x'\n")
    with pytest.raises(UsageError, match="there is no option 'test'"):
        resolve({}, {}, tmp_path / "app" / "understudy.toml")
    (tmp_path / "app" / "understudy.toml").write_text("[tests.near]\n")
    with pytest.raises(UsageError, match=r"app/understudy.toml:1:1: tests.near: 'command' is missing"):
        names()
    assert Options().workers is None


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        ("needs = ['web']", True),
        ("needs = ['web:80']", False),
        ("needs = ['web']\nimage = 't:1'", False),
        ("needs = ['web']\n[tests.b]\ncommand = 'y'\nneeds = ['web:80']", False),
        ("", False),
    ],
)
def test_a_need_that_publishes_nothing_is_told(suite: str, *, told: bool) -> None:
    found = load(f"[tests.a]\ncommand = 'x'\n{suite}\n")
    assert any("cannot be called" in warning for warning in found.warnings) is told
    declared = load(f"[tests.a]\ncommand = 'x'\n{suite}\n", {"endpoints": ["web:80"]})
    assert declared.warnings == ()
