"""YAML with places: what is read, what is refused, and that nothing hostile is expanded."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stacks.sources.document.yaml_text import MAX_CHARACTERS, MAX_DEPTH, Node, Raw, documents, place
from understudy.stacks.topology import TopologyError


def plain(node: Node) -> Any:
    if isinstance(node.value, Mapping):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(child) for child in node.value]
    return node.value


def parse(text: str, file: str) -> Raw:
    found = documents(text, file)
    return found[0] if found else Raw(None, 1, 1)


def load(text: str) -> Any:
    return plain(place(parse(text, "c.yaml"), "c.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", 1),
        ("a: -12", -12),
        ("a: 0x1F", 31),
        ("a: 0b11", 3),
        ("a: 0o17", 15),
        ("a: 017", 15),
        ("a: 1_000", 1000),
        ("a: 1.10", 1.1),
        ("a: 1e3", 1000.0),
        ("a: 22:22", "22:22"),
        ("a: 2001-01-01", "2001-01-01T00:00:00Z"),
        ("a: 2001-01-01 1:2:3.50", "2001-01-01T01:02:03.5Z"),
        ("a: 2001-01-01T01:02:03+02:00", "2001-01-01T01:02:03+02:00"),
        ("a: 2001-13-01", "2001-13-01"),
        ("a: yes", "yes"),
        ("a: !!binary aGk=", "hi"),
        ("a: ! 1", 1),
        ("a:\tb\t# note", "b"),
        ("a: b\tc", "b\tc"),
        ("a: [b,\tc]", ["b", "c"]),
        ("a: on", "on"),
        ("a: true", True),
        ("a: FALSE", False),
        ("a: ~", None),
        ("a:", None),
        ("a: '1'", "1"),
        ('a: "x\\ty"', "x\ty"),
        ("a: !!str 1", "1"),
        ("a: !!int '3'", 3),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: >-\n  x\n  y\n", "x y"),
        ("a: {b: [1, x]}", {"b": [1, "x"]}),
        ("a: 99999999999999999999", 1e20),
        ("a: 18446744073709551615", (1 << 64) - 1),
        ("a: -9223372036854775809", -9223372036854775809.0),
        ("a: 0xFFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFFF"),
        ("a: 1.2.3", "1.2.3"),
        ("a: " + "9" * 5000, "9" * 5000),
    ],
)
def test_scalars_are_those_that_compose_reads(text: str, value: object) -> None:
    assert load(text) == {"a": value}


def test_each_key_and_value_has_its_place() -> None:
    root = place(parse("a:\n  - x\n  - b.c:  y\n", "c.yaml"), "c.yaml")
    assert isinstance(root.value, Mapping)
    item = root.value["a"].value[1].value["b.c"]  # type: ignore[index,call-overload]  # a tree of known shape
    assert (item.key_where.line, item.key_where.column) == (3, 5)
    assert (item.where.line, item.where.column, item.where.path) == (3, 11, "a[1].b.c")


def test_hostile_keys_are_quoted_in_paths() -> None:
    root = place(parse('"a\\nb": 1', "c.yaml"), "c.yaml")
    assert isinstance(root.value, Mapping)
    assert root.value["a\nb"].where.path == '["a\\nb"]'


def test_merge_keys_fill_what_is_not_there_and_the_first_of_a_list_wins() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n"
    assert load(text)["z"] == {"c": 3, "a": 1, "b": 1}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert load('a: {"<<": 1}') == {"a": {"<<": 1}}


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\na: 2", "stands twice", 2),
        ("a: 1\n'a': 2", "stands twice", 2),
        ("x: &x {a: 1}\nb:\n  <<: *x\n  <<: *x", "stands twice", 4),
        ("a: {<<: 1}", "merges a mapping", 1),
        ("a: !!python/object/apply:os.system [x]", "tag", 1),
        ("a: !!int x", "is none", 1),
        ("a: !!binary /w==", "base 64", 1),
        ("a: !!set {b: }", "tag", 1),
        ("a:\n\tb: 1", "no YAML", 2),
        ("a: 'x", "no YAML", 1),
        ("a: [1", "no YAML", 1),
        ("a: b: c", "no YAML", 1),
        ("a: 1\n b: 2", "no YAML", 2),
        ("a: *nowhere", "no anchor", 1),
        ("a: &a [*a]", "no anchor", 1),
        ("80: x", "is no text", 1),
        ("a: &b.c 1", "letters, digits", 1),
        ("%YAML 1.2\n---\na: 1", "directive", 2),
        ("a: {true: x}", "is no text", 1),
        ("? [a]\n: 1", "plain value", 1),
        ('a: "\\ud800"', "surrogate", 1),
        ('a: "\\0"', "NUL", 1),
        ("a: 1\nb: \x01", "no YAML", 2),
        ('a: "\\UFFFFFFFF"', "no YAML", 1),
        ("%YAML 1.99999999999\n---\na: 1", "no YAML", 1),
    ],
)
def test_bad_documents_are_refused_with_their_place(text: str, message: str, line: int) -> None:
    with pytest.raises(TopologyError, match=message) as caught:
        parse(text, "c.yaml")
    assert caught.value.where.file == "c.yaml"
    assert caught.value.where.line == line


def test_a_malformed_document_names_the_path_that_was_read_last() -> None:
    with pytest.raises(TopologyError) as caught:
        parse("services:\n  web:\n    image: [x\n", "c.yaml")
    assert caught.value.where.path == "services.web.image[0]"


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "aliases expanded"),
        (BOMB.replace("[", "{<<: [").replace("]", "]}").replace("x, ", ""), "merges a mapping"),
        ("a" * 10_000_000, f"at most {MAX_CHARACTERS}"),
        ("[" * (MAX_DEPTH + 2), "deeper than"),
        ("".join(" " * i + "a:\n" for i in range(MAX_DEPTH + 2)), "deeper than"),
        ("- " * 5000, "deeper than"),
    ],
    ids=["aliases", "merges", "10 MB", "brackets", "maps", "lists"],
)
def test_hostile_sizes_are_refused(text: str, message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        parse(text, "c.yaml")


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="a:-[]{}&*!%@\"'|>#?, \n\t\\x0<~", max_size=40))
def test_any_text_is_a_tree_or_a_topology_error(text: str) -> None:
    try:
        place(parse(text, "c.yaml"), "c.yaml")
    except TopologyError as error:
        assert error.where.line >= 1  # noqa: PT017 - either outcome is right


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_any_unicode_is_a_tree_or_a_topology_error(text: str) -> None:
    try:
        place(parse(text, "c.yaml"), "c.yaml")
    except TopologyError as error:
        assert error.where.line >= 1  # noqa: PT017 - either outcome is right
