"""Each value as Compose keeps and prints it: its type taken on, and what says nothing left out.

The reference is compose-go v2.9.0, package types. A rule with `?` at its end keeps what was given though it be zero,
one with `!` prints it always; the others leave out an empty text, a zero, an empty list or mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .go_values import as_float32, as_text, boolean, byte_size, command_line, duration, floating, whole, written
from .shape import ANY, Shape
from .tree import fail, is_text, items, kind, made
from .yaml_scalars import Scalar
from .yaml_text import Node

__all__ = ["typed"]


def typed(node: Node, shape: Shape) -> Node | None:
    """The node as Compose prints it, or None where it leaves it out.

    Raises:
        TopologyError: the value is not of its key's type.
    """
    rule = shape.out.rstrip("?!")
    if rule == "any":
        return node
    if rule == "never":
        return None
    if rule == "command":
        return _command(node)
    if node.value is None:
        return None
    if (scalar := _SCALARS.get(rule)) is not None:
        value = _scalar(node, scalar)
        return None if not value and rule == shape.out else made(value, node)
    result = _NESTED[rule](node, shape)
    kept = rule in {"struct", "ulimit"} or shape.out != rule or result.value or (rule == "hosts" and node.value)
    return result if kept else None


def _scalar(node: Node, convert: Callable[[Scalar], Scalar]) -> Scalar:
    if isinstance(node.value, tuple | Mapping):
        fail(node, f"here stands {kind(node)}; allowed is a single value")
    try:
        return convert(node.value)
    except ValueError as error:
        fail(node, str(error))


def _text(value: Scalar) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{as_text(value)} is no text; write it in quotes")


def _flag(value: Scalar) -> bool:
    if isinstance(value, str):
        return boolean(value)
    if isinstance(value, bool):
        return value
    raise ValueError(f"{as_text(value)} is neither true nor false")


def _int(value: Scalar) -> int:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 1 << 63:
        raise ValueError(f"{as_text(value)} is no whole number of 64 bits")
    return int(value)


def _unsigned(bits: int) -> Callable[[Scalar], int]:
    def convert(value: Scalar) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << bits:
            raise ValueError(f"{as_text(value)!r} is no whole number from 0 that {bits} bits hold")
        return int(value)

    return convert


def _float32(value: Scalar) -> float:
    number = floating(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{as_text(number)} is no number")  # noqa: TRY004 - one error for all bad values
    kept = as_float32(number)
    return int(kept) if kept.is_integer() else kept


def _bytes(value: Scalar) -> str:
    size = byte_size(value) if isinstance(value, str) else value
    # a number with a fraction counts for nothing, as Compose has it
    return str(size) if isinstance(size, int) and not isinstance(size, bool) and size else ""


def _bytes_always(value: Scalar) -> str:
    return _bytes(value) or "0"


def _duration(value: Scalar) -> str:
    return written(duration(as_text(value)))


def _duration_given(value: Scalar) -> str:
    nanoseconds = duration(as_text(value))
    return written(nanoseconds) if nanoseconds else ""


def _mode(value: Scalar) -> str:
    given = int(value, 8) if isinstance(value, str) and re.fullmatch("[0-7]{1,20}", value) else value
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValueError(f"{as_text(value)[:60]!r} is no file mode; allowed are octal digits, such as 0440")  # noqa: TRY004 - as above
    return f"0{given:o}"


def _count(value: Scalar) -> int:
    if isinstance(value, str) and value.lower() == "all":
        return -1
    if isinstance(value, float):
        raise ValueError(f"{as_text(value)} is no whole number")  # noqa: TRY004 - as above
    return _int(value)


_SCALARS: Mapping[str, Callable[[Scalar], Scalar]] = {
    "text": _text,
    "flag": _flag,
    "int": _int,
    "uint": _unsigned(64),
    "uint16": _unsigned(16),
    "uint32": _unsigned(32),
    "float32": _float32,
    "cpus": _float32,
    "bytes": _bytes,
    "rate": _bytes_always,
    "duration": _duration,
    "wait": _duration_given,
    "mode": _mode,
    "count": _count,
}


def _command(node: Node) -> Node | None:
    if is_text(node):
        return made(tuple(made(word, node) for word in _split(node)), node)
    if not isinstance(node.value, tuple):
        return None
    return made((made(_scalar(item, _text), item) for item in node.value), node)


def _split(node: Node) -> tuple[str, ...]:
    try:
        return command_line(str(node.value))
    except ValueError as error:
        fail(node, str(error))


def _texts(node: Node, _shape: Shape) -> Node:
    found = (node,) if is_text(node) else items(node)
    return made((made(_scalar(item, _text), item) for item in found), node)


def _numbers(node: Node, _shape: Shape) -> Node:
    return made((made(_scalar(item, as_text), item) for item in items(node)), node)


def _test(node: Node, _shape: Shape) -> Node:
    if is_text(node):
        return made((made("CMD-SHELL", node), node), node)
    return _texts(node, ANY)


def _pairs(node: Node) -> Iterator[tuple[str, Scalar, bool, Node]]:
    """Each key with its value, and whether it has one; of a list `key=value` or of a mapping."""
    if isinstance(node.value, Mapping):
        for key, child in node.value.items():
            yield key, _scalar(child, lambda value: value), child.value is not None, child
        return
    for item in items(node):
        key, mark, value = as_text(_scalar(item, lambda value: value)).partition("=")
        yield key, value, bool(mark), item


def _labels(node: Node, _shape: Shape) -> Node:
    return _sorted(
        {key: made(as_text(value) if given else "", child) for key, value, given, child in _pairs(node)}, node
    )


def _equals(node: Node, _shape: Shape) -> Node:
    found: dict[str, Node] = {}
    for key, value, given, child in _pairs(node):
        if isinstance(node.value, tuple) and key[-1:].isspace():
            fail(child, f"the variable {key[:60]!r} ends with a space")
        found[key] = made(as_text(value) if given else None, child)
    return _sorted(found, node)


def _dictionary(node: Node, _shape: Shape) -> Node:
    if not isinstance(node.value, Mapping):
        fail(node, f"here stands {kind(node)}; allowed is a mapping")
    return _sorted(
        {key: made("" if child.value is None else _scalar(child, _text), child) for key, child in node.value.items()},
        node,
    )


def _multi(node: Node, _shape: Shape) -> Node:
    found: dict[str, Node] = {}
    for key, child in node.value.items() if isinstance(node.value, Mapping) else ():
        if values := items(child) if isinstance(child.value, tuple) else (child,):
            found[key] = made((made(_scalar(value, as_text), value) for value in values), child)
    return _sorted(found, node)


def _sorted(found: Mapping[str, Node], node: Node) -> Node:
    return made(dict(sorted(found.items())), node)


def _hosts(node: Node, _shape: Shape) -> Node:
    found: list[tuple[str, str, Node]] = []
    for host, address, item in _host_pairs(node):
        if not host or ":" in host or "=" in host:
            fail(item, f"{host[:60]!r} is no host name")
        short = address[1:-1] if len(address) > 2 and address[0] + address[-1] == "[]" else address  # noqa: PLR2004 - brackets
        found.append((host, short, item))
    lines = sorted(((f"{host}={address}", item) for host, address, item in found), key=lambda line: line[0])
    return made((made(line, item) for line, item in lines), node)


def _host_pairs(node: Node) -> Iterator[tuple[str, str, Node]]:
    if isinstance(node.value, Mapping):
        for host, child in node.value.items():
            for value in items(child) if isinstance(child.value, tuple) else (child,):
                yield host, "" if value.value is None else as_text(_scalar(value, as_text)), value
        return
    for item in items(node):
        line = as_text(_scalar(item, as_text))
        mark = "=" if "=" in line else ":"
        host, found, addresses = line.partition(mark)
        if not found:
            fail(item, f"{line[:60]!r} has no address; allowed is HOST=ADDRESS")
        for address in addresses.split(","):
            yield host, address, item


def _list(node: Node, shape: Shape) -> Node:
    found = (typed(item, shape.element) for item in items(node))
    return made((item for item in found if item is not None), node)


def _map(node: Node, shape: Shape) -> Node:
    found: dict[str, Node] = {}
    for key, child in node.value.items() if isinstance(node.value, Mapping) else ():
        value = typed(child, shape.child(key))
        found[key] = made(None, child) if value is None else value
    return made(found, node)


def _struct(node: Node, shape: Shape) -> Node:
    if not isinstance(node.value, Mapping):
        fail(node, f"here stands {kind(node)}; allowed is a mapping")
    found: dict[str, Node] = {}
    for key, known in shape.keys.items():
        child = node.value.get(key)
        value = None if child is None else typed(child, known)
        if value is not None:
            found[key] = value
    if shape.extensible:
        found.update((key, child) for key, child in node.value.items() if key.startswith("x-"))
    return made(found, node)


def _ulimit(node: Node, shape: Shape) -> Node:
    if isinstance(node.value, Mapping):
        return _struct(node, shape)
    value = _scalar(node, _int)
    return made(value, node) if value else made({}, node)


def _ssh(node: Node, _shape: Shape) -> Node:
    return _sorted(
        {key: made(as_text(value) if given else None, child) for key, value, given, child in _pairs(node)}, node
    )


_NESTED: Mapping[str, Callable[[Node, Shape], Any]] = {
    "texts": _texts,
    "strings": _texts,
    "numbers": _numbers,
    "test": _test,
    "labels": _labels,
    "mapping": _labels,
    "options": _labels,
    "equals": _equals,
    "dictionary": _dictionary,
    "multi": _multi,
    "hosts": _hosts,
    "list": _list,
    "map": _map,
    "struct": _struct,
    "ulimit": _ulimit,
    "ssh": _ssh,
}
