"""What may stand in a document: each value held against the table of keys, with its place where it may not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from .shape import ANY, Shape
from .tree import fail, is_text, kind, plain
from .yaml_scalars import Scalar
from .yaml_text import Node

__all__ = ["check"]

_MOST_NAMED = 12
"""Allowed keys that fit into a message."""

_WORDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "a mapping",
}


def check(node: Node, shape: Shape) -> None:
    """Hold the node and all below it against a shape.

    Raises:
        TopologyError: something stands where it may not, with what is allowed.
    """
    if not shape.types:
        return
    if not any(_HOLDS[name](node) for name in shape.types):
        wanted = " or ".join(_WORDS[name] for name in shape.types)
        fail(node, f"here stands {kind(node)}; allowed is {wanted}")
    if isinstance(node.value, Mapping):
        _check_mapping(node, node.value, shape)
    elif isinstance(node.value, tuple):
        _check_list(node.value, shape)
    else:
        _check_scalar(node, node.value, shape)


def _whole(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


_HOLDS: Mapping[str, Callable[[Node], bool]] = {
    "string": is_text,
    "boolean": lambda node: isinstance(node.value, bool),
    "number": lambda node: isinstance(node.value, int | float) and not isinstance(node.value, bool),
    "integer": lambda node: _whole(node.value) and not isinstance(node.value, bool),
    "null": lambda node: node.value is None,
    "array": lambda node: isinstance(node.value, tuple),
    "object": lambda node: isinstance(node.value, Mapping),
}


def _check_scalar(node: Node, value: Scalar, shape: Shape) -> None:
    if isinstance(value, str):
        if shape.choices and value not in shape.choices:
            fail(node, f"{value[:60]!r} is not allowed; allowed are {', '.join(shape.choices)}")
        if shape.pattern and not re.search(shape.pattern, value):
            fail(node, f"{value[:60]!r} is not allowed; allowed is what has {shape.pattern}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if shape.least is not None and value < shape.least:
            fail(node, f"{node.text or value} is not allowed; it has to be at least {shape.least}")
        if shape.most is not None and value > shape.most:
            fail(node, f"{node.text or value} is not allowed; it has to be at most {shape.most}")


def _check_list(children: tuple[Node, ...], shape: Shape) -> None:
    for child in children:
        check(child, shape.element)
    if shape.distinct and len(children) > 1:
        seen: set[str] = set()
        for child in children:
            said = json.dumps(_comparable(plain(child)), sort_keys=True)
            if said in seen:
                fail(child, f"{said[:60]} stands twice in this list, which allows each once")
            seen.add(said)


def _comparable(value: object) -> object:
    """The value with whole numbers of one kind, as JSON knows but one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _comparable(child) for key, child in value.items()}
    return [_comparable(child) for child in value] if isinstance(value, list) else value


def _check_mapping(node: Node, children: Mapping[str, Node], shape: Shape) -> None:
    for key, child in children.items():
        known = shape.keys.get(key)
        if known is None and shape.others is not None and (shape.names is None or shape.names.fullmatch(key)):
            known = shape.others
        if known is None and shape.closed and not (shape.extensible and key.startswith("x-")):
            _refuse_key(key, child, shape)
        check(child, known or ANY)
    for key in shape.required:
        if key not in children:
            fail(node, f"{key!r} is missing")


def _refuse_key(key: str, child: Node, shape: Shape) -> None:
    if shape.keys:
        near = _near(key, shape)
        few = sorted(shape.keys) if len(shape.keys) <= _MOST_NAMED else []
        said = [f"the nearest: {', '.join(near)}"] * bool(near) + [f"allowed are {', '.join(few)}"] * bool(few)
        allowed = "; ".join(said) or "docs/compose-keys.md lists those that are"
    else:
        allowed = f"allowed is what matches {shape.names.pattern if shape.names else 'nothing'}"
    raise_at = Node(None, child.key_where, child.key_where)
    fail(raise_at, f"{key[:60]!r} is not known here; {allowed}")


def _near(key: str, shape: Shape) -> tuple[str, ...]:
    """The allowed keys that look like the one that is not, the likest first."""
    from difflib import get_close_matches

    return tuple(get_close_matches(key, sorted(shape.keys), 3, 0.7))
