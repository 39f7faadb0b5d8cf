"""The document as a tree of nodes that stay where they stood: how its parts are read, replaced and written plainly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from understudy.stacks.topology import TopologyError, Where

from .yaml_scalars import Moment, Scalar
from .yaml_text import Node, join

__all__ = [
    "Plain",
    "entries",
    "fail",
    "get",
    "is_text",
    "items",
    "kind",
    "made",
    "placed",
    "plain",
    "put",
    "same",
    "without",
]

Plain = Any
"""Scalars, lists and dictionaries with text keys, as JSON has them."""

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (Moment, "a date that is not in quotes"),
    (str, "a text"),
    (tuple, "a list"),
    (Mapping, "a mapping"),
)


def fail(node: Node, message: str) -> NoReturn:
    """Raise the TopologyError that something is wrong at a node."""
    raise TopologyError(message, node.where)


def kind(node: Node) -> str:
    """What a node holds, in words."""
    return next((name for types, name in _KINDS if isinstance(node.value, types)), "nothing")


def is_text(node: Node | None) -> bool:
    """Whether the node is a text, which an unquoted date is not."""
    return node is not None and isinstance(node.value, str) and not isinstance(node.value, Moment)


def entries(node: Node | None) -> Mapping[str, Node]:
    """The node's keys and values; none where it is no mapping."""
    return node.value if node is not None and isinstance(node.value, Mapping) else {}


def items(node: Node | None) -> tuple[Node, ...]:
    """The node's items; none where it is no list."""
    return node.value if node is not None and isinstance(node.value, tuple) else ()


def get(node: Node | None, *path: str) -> Node | None:
    """What stands at a path of keys below the node, or None."""
    for key in path:
        node = entries(node).get(key)
    return node


def made(value: Scalar | Iterable[Node] | dict[str, Node], like: Node) -> Node:
    """A node with another value that stands where `like` does."""
    if value is None or isinstance(value, (str, int, float, dict)):
        return Node(value, like.where, like.key_where)
    return Node(tuple(value), like.where, like.key_where)


def put(node: Node, changes: Mapping[str, Node]) -> Node:
    """The mapping with some values set."""
    return replace(node, value={**entries(node), **changes}) if changes else node


def without(node: Node, *keys: str) -> Node:
    """The mapping less some keys."""
    return replace(node, value={key: child for key, child in entries(node).items() if key not in keys})


def plain(node: Node) -> Plain:
    """The node as plain data."""
    if isinstance(node.value, Mapping):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    return str(node.value) if isinstance(node.value, Moment) else node.value


def same(one: Node, other: Node) -> bool:
    """Whether two nodes hold the same, true and 1 being different."""
    if isinstance(one.value, Mapping) and isinstance(other.value, Mapping):
        return one.value.keys() == other.value.keys() and all(
            same(child, other.value[key]) for key, child in one.value.items()
        )
    if isinstance(one.value, tuple) and isinstance(other.value, tuple):
        return len(one.value) == len(other.value) and all(map(same, one.value, other.value))
    return type(one.value) is type(other.value) and one.value == other.value


def placed(node: Node, path: str = "") -> Node:
    """The tree with each node's path where it has come to; file, line and column stay."""
    value: Scalar | tuple[Node, ...] | Mapping[str, Node] = node.value
    if isinstance(value, Mapping):
        value = {key: placed(child, join(path, key)) for key, child in value.items()}
    elif isinstance(value, tuple):
        value = tuple(placed(item, f"{path}[{index}]") for index, item in enumerate(value))
    return Node(value, _at(node.where, path), _at(node.key_where, path), node.text)


def _at(where: Where, path: str) -> Where:
    return Where(where.file, where.line, where.column, path)
