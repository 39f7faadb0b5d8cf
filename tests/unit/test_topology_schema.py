"""The schema of the extension keys and their reader say the same, as far as a schema can say it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from compose_schema import schema as published_schema
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from understudy.cli import cli
from understudy.stacks.secret_rules import ALPHABETS
from understudy.stacks.sources import compose, nodes
from understudy.stacks.sources.extension_keys import COMPOSE_SCHEMA, GROUPS, keys_of, schema
from understudy.stacks.topology import Topology, TopologyError

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = Draft7Validator(schema())
SECRETS = ("K1", "K2")
SERVICES = ("frontend-1", "database-1")
"""Longer than any text that is made below, which is no service's name then."""


def document(extension: object = None, service: object = None) -> dict[str, Any]:
    web = {"image": "web:1", "environment": dict.fromkeys(SECRETS, "x")}
    return {
        "services": {SERVICES[0]: {**web, "x-understudy": service}, SERVICES[1]: {"image": "db:1"}},
        "x-understudy": extension,
    }


def read(given: Mapping[str, object]) -> Topology:
    text = json.dumps(given, ensure_ascii=False)
    return compose.read(text, "compose.yaml", variables={}, read_file=lambda _path: None)


def refused(given: Mapping[str, object]) -> str:
    try:
        read(given)
    except TopologyError as error:
        return str(error)
    return ""


def agree(given: Mapping[str, object]) -> None:
    """Both take it, or both refuse it."""
    said = [error.message for error in VALIDATOR.iter_errors(given)]
    reader = refused(given)
    assert bool(said) == bool(reader), f"the schema: {said or 'nothing'}; the reader: {reader or 'nothing'}"


# What a schema cannot say is left out of what is made here: references from one key to another (a service's name, a
# secret's variable, two third parties of one host), a size below 6 MiB with a unit, quotes that stay open, paths that
# climb out of the tree, and what a variable becomes.

CHARACTERS = st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs"), exclude_characters="$'\"\\")
TEXTS = st.text(CHARACTERS, max_size=9)
NUMBERS = st.integers(-3, 70000) | st.floats(-2, 70000, allow_nan=False).map(lambda value: round(value, 3))
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
JUNK = SCALARS | st.lists(TEXTS, max_size=2) | st.dictionaries(TEXTS, TEXTS, max_size=1)
DIGITS = NUMBERS.map(str)


def several(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def fairly(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of these, each as often as another: `|` counts every alternative inside of them."""
    return st.integers(0, len(strategies) - 1).flatmap(lambda index: strategies[index])


@dataclass(frozen=True)
class Values:
    """What is likely taken, and what may well be refused; which it is, is for the two to say alike."""

    good: st.SearchStrategy[Any]
    odd: st.SearchStrategy[Any] = JUNK

    @property
    def any(self) -> st.SearchStrategy[Any]:
        return fairly(self.good, self.odd)


def values(good: list[object], odd: list[object], junk: st.SearchStrategy[Any] = JUNK) -> Values:
    return Values(several(*good), fairly(several(*odd), junk))


EDGES = ["0", "007", "08", ".5", "1.", "1.5.1", "0.0", "65536", "1024", "1025", "9" * 19, 2.0, 1.5, 0, 65536, 1025]
NUMERIC = fairly(several(*EDGES), DIGITS, NUMBERS, JUNK)
STAYING = JUNK.filter(lambda value: ".." not in str(value))
NO_SIZE = st.booleans() | NUMBERS
WHOLE = Values(several(1, 2, "3", "007", 2.0), NUMERIC)
PORTS = Values(several(1, 80, "443", 65535, "65535", "0080"), NUMERIC)
AMOUNTS = Values(several(1, 0.5, "2", ".5", "1.25"), NUMERIC)
SIZES = values(
    ["6m", "1.5gb", "64MiB", "7 m", "6291456", 6291456, 7e6],
    ["7  m", "m", "8x", "-1", "1g ", 6291455, [], {}],
    NO_SIZE,
)
FLAGS = values([False, "off", "N", 0, "0", 0.0], [True, "true", "YES", "1", 1, 1.0, "maybe", 2])
PATHS = values(["a", "a/b", ".", "c", 5, True, "c:"], ["", "/a", "~", "~a", "C:/x", "C:\\x"], STAYING)
LENGTHS = values([8, 24, 1024, "12", "8"], [7, "7", 0], NUMERIC)
CHARACTER_SETS = values(["hex", "digits", "ab", "0aB-_"], ["aa", "a", "", "aba", 5, True])
FORMATS = values(["", "{}", "a{}b", "{{}"], ["uuid", "password", "{}{}", "plain", 5, True])
HOSTS = values(
    ["a.example", "A_b", "a..b", "a" * 253],
    ["1.2.3.4", "5", "-a", "a-", ".a", "a" * 254, "a b", "a:1"],
)
SECONDS = values(["5m", "1m30s", "500ms", "1.h", ".5s", 90, "1.5"], ["0s", "5 m", "0", "h", "0m0s"], NUMERIC)
COMMANDS = values(
    [["a"], ["a", 5], ["a", ""], "a b", 7, True],
    [["", "a"], [], [None], [["a"]], " ", [True]],
)
PAIRS = values(
    [["A=1"], ["A"], [5], {"A": None}, {"A": 1}],
    [["=1"], [""], {"": "x"}, {"A=B": 1}, {"A": [1]}],
)
TEXT = Values(TEXTS | several(3, True))


def choice(*good: str) -> Values:
    return values([*good], [*(word.upper() for word in good), "other"])


def mapping(needed: tuple[str, ...] = (), **keys: Values) -> Values:
    """A mapping with some of these keys; or with one wrong value, a key too many or too few, or something else."""
    good = st.fixed_dictionaries(
        {key: keys[key].good for key in needed},
        optional={key: given.good for key, given in keys.items() if key not in needed},
    )
    wrong = fairly(*(st.tuples(st.just(key), given.odd) for key, given in keys.items()))
    strange = st.tuples(several("extra", "x-own", ""), JUNK)
    spoilt = st.tuples(good, fairly(wrong, wrong, wrong, strange)).map(lambda both: {**both[0], both[1][0]: both[1][1]})
    lacking = st.tuples(good, several(*keys)).map(lambda both: {k: v for k, v in both[0].items() if k != both[1]})
    return Values(good, fairly(spoilt, spoilt, spoilt, lacking, SCALARS))


def named(names: Values, each: Values, most: int = 2) -> Values:
    good = st.dictionaries(names.good, each.good, min_size=1, max_size=most)
    strange = st.dictionaries(names.any, each.good, max_size=most)
    spoilt = st.dictionaries(names.good, each.odd, min_size=1, max_size=1)
    return Values(good, fairly(spoilt, spoilt, spoilt, strange, SCALARS, several([], [5], {})))


NAMES = Values(several("a", "A-1_.b", "0"), several("-a", "", "a b", ".", "é"))
SIZED = {"replicas": WHOLE, "cpus": AMOUNTS, "memory": SIZES}
SECRET = mapping(length=LENGTHS, alphabet=CHARACTER_SETS, format=FORMATS)
EXTERNAL = mapping(("host",), host=HOSTS, port=PORTS, scheme=choice("http", "https"), mock=PATHS, allow=FLAGS)
PROFILE = mapping(
    **SIZED,
    network=choice("closed", "open"),
    without=Values(several(["frontend-1"], [], ["frontend-1", "frontend-1"]), several([None], [[]], {}) | SCALARS),
    services=named(Values(several("database-1"), several("database-1")), mapping(**SIZED)),
)
NEEDS = Values(
    st.lists(several("frontend-1", "frontend-1:80", "database-1:65535", "database-1:00080"), max_size=2),
    several(
        ["frontend-1:0"], ["frontend-1:65536"], ["database-1:"], [":80"], ["a b"], [None], [5], [[]], "frontend-1", {}
    )
    | SCALARS,
)
INPUTS = Values(
    st.lists(several("a", "a/b", ".", 5, True, "c:"), max_size=2),
    several(["/a"], ["~"], ["C:/x"], [""], [None], [[]], "a", {}) | SCALARS,
)
SUITE = mapping(
    ("command",),
    command=COMMANDS,
    folder=PATHS,
    python=TEXT,
    image=values(["a", "a:1", "é"], ["", " ", 5, True, []]),
    runs_on=choice("host", "network"),
    needs=NEEDS,
    timeout=SECONDS,
    retries=values([0, 1, "0", "03", 2.0], [-1, "-1", 0.5], NUMERIC),
    workers=WHOLE,
    environment=PAIRS,
    inputs=INPUTS,
)
ENDPOINT = Values(
    several("frontend-1:1", "database-1:65535", "frontend-1:08", "frontend-1:00080"),
    several("database-1:65536", "database-1:0", "frontend-1:000080", "frontend-1", "frontend-1:", ":1", "frontend-1:x")
    | SCALARS,
)
SECRET_NAMES = Values(several(*SECRETS), several("1A", "A-B", ""))


@given(named(SECRET_NAMES, SECRET).any | st.lists(SECRET_NAMES.any | several(5, True, None), max_size=3))
def test_secrets(value: object) -> None:
    agree(document({"secrets": value}))


@given(named(NAMES, EXTERNAL, most=1).any)
def test_externals(value: object) -> None:
    agree(document({"externals": value}))


@given(st.lists(ENDPOINT.good, max_size=2) | st.lists(ENDPOINT.any, max_size=2) | SCALARS)
def test_endpoints(value: object) -> None:
    agree(document({"endpoints": value}))


@given(named(Values(TEXTS, TEXTS), PROFILE).any)
def test_profiles(value: object) -> None:
    agree(document({"profiles": value}))


@given(named(NAMES, SUITE).any)
def test_suites(value: object) -> None:
    agree(document({"tests": value}))


MANAGED = mapping(
    ("service", "name"),
    service=choice("rds", "elasticache", "sqs", "s3"),
    name=TEXT,
    **dict.fromkeys(("engine", "version", "database", "user", "password"), TEXT),
    options=Values(several({"a": "b"}, {}, {"a": None}, {"": 5}), several({"a": [1]}) | SCALARS),
)


ON_AWS = mapping(
    ("form",),
    form=choice("instance", "snapshot", "aurora-clone"),
    **dict.fromkeys(("source", "instance_class"), TEXT),
    storage=Values(several(20, 100, "25", "0020"), several(19, "19", 0, -1, 20.5, "GB") | SCALARS),
)


@given(mapping(kind=choice("job", "queue", "bucket"), managed=MANAGED, on_aws=ON_AWS).any)
def test_services(value: object) -> None:
    agree(document(None, value))


@given(mapping(**dict.fromkeys(keys_of("extension"), Values(st.none(), several([], {}, 5)))).any)
def test_the_extension_as_a_whole(value: object) -> None:
    agree(document(value))


@pytest.mark.parametrize(
    "extension",
    [
        {"profiles": {"default": {"replicas": "${N:-2}", "cpus": "$C", "memory": "${M}", "network": "${X:-open}"}}},
        {"externals": {"a": {"host": "${H:-a.example}", "port": "${P:-80}", "allow": "${A:-yes}", "scheme": "$S"}}},
        {"endpoints": ["${S:-frontend-1}:80"]},
        {"tests": {"a": {"command": "$C", "timeout": "${T:-5m}", "workers": "$W", "folder": "${F}"}}},
        {"secrets": {"K1": {"length": "${L}", "alphabet": "${A}", "format": "${F}"}}},
    ],
)
def test_a_variable_may_stand_where_it_is_replaced(extension: object) -> None:
    VALIDATOR.validate(document(extension))


def test_every_alphabet_has_its_name_in_the_schema() -> None:
    for name in ALPHABETS:
        agree(document({"secrets": {"K1": {"alphabet": name}}}))


# One source


def test_the_reader_takes_every_declared_key_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}
    take = nodes.Fields.take

    def note(self: nodes.Fields, key: str) -> nodes.Node | None:
        asked.setdefault(self.node.where.path, set()).add(key)
        return take(self, key)

    monkeypatch.setattr(nodes.Fields, "take", note)
    whole = {
        "secrets": {"K1": {"length": 8}},
        "externals": {"a": {"host": "a.example"}},
        "profiles": {"default": {"services": {"database-1": {"replicas": 1}}}},
        "tests": {"all": {"command": "a"}},
    }
    own = {"managed": {"service": "rds", "name": "a"}, "on_aws": {"form": "instance"}}
    read(document(whole, {"kind": "service", **own}))
    places = {
        "x-understudy": "extension",
        "x-understudy.secrets.K1": "secret",
        "x-understudy.externals.a": "external",
        "x-understudy.profiles.default": "profile",
        "x-understudy.profiles.default.services.database-1": "serviceProfile",
        "x-understudy.tests.all": "suite",
        "services.frontend-1.x-understudy": "service",
        "services.frontend-1.x-understudy.managed": "managed",
        "services.frontend-1.x-understudy.on_aws": "onAws",
    }
    assert set(places.values()) == set(GROUPS)
    assert {place: asked[place] for place in places} == {place: set(keys_of(group)) for place, group in places.items()}


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(schema())
    packaged = json.loads((ROOT / "understudy/schemas/topology.schema.json").read_text(encoding="utf-8"))
    assert packaged == schema()


def test_the_command_prints_it_alone_or_with_compose_s() -> None:
    done = CliRunner().invoke(cli, ["topology", "schema"])
    assert (done.exit_code, json.loads(done.output)) == (0, schema())
    both = json.loads(CliRunner().invoke(cli, ["topology", "schema", "--with-compose"]).output)
    assert both == {**schema(), "allOf": [{"$ref": COMPOSE_SCHEMA}]}


def test_together_with_compose_s_schema_both_speak() -> None:
    both = json.loads(CliRunner().invoke(cli, ["topology", "schema", "--with-compose"]).output)
    theirs = Resource(published_schema(), DRAFT7)
    validator = Draft7Validator(both, registry=Registry().with_resource(COMPOSE_SCHEMA, theirs))
    good = document({"endpoints": ["frontend-1:80"]}, {"kind": "service"})
    assert list(validator.iter_errors(good)) == []
    for bad in (document({"endpoint": []}), document(None, {"kind": "x"}), {"services": {"web": {"imagge": "x"}}}):
        assert list(validator.iter_errors(bad))
