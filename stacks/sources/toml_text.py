"""TOML text as the tree of nodes that documents are read from: each value with the line that it is set on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping

from understudy.stacks.topology import TopologyError, Where

from .document.yaml_text import MAX_CHARACTERS, Node
from .values import as_text

__all__ = ["read_toml"]

_LONGEST = 500
"""Lines of one statement that its place is looked for in; finding the end of a longer one takes too long."""

_Path = tuple[str, ...]


def read_toml(data: bytes, file: str) -> Node:
    """The tree of a TOML document; `file` is its name in places, whose column is always 1.

    Raises:
        TopologyError: it is no UTF-8, no TOML, or larger than documents may be.
    """
    start = Where(file, 1, 1)
    if len(data) > MAX_CHARACTERS:
        raise TopologyError(f"the file has {len(data)} bytes; at most {MAX_CHARACTERS} are read", start)
    try:
        text = data.decode("utf-8")
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TopologyError(f"it is no TOML: {str(error)[:200]}", start) from error
    return _node(found, start, (), dict(_lines(text)))


def _node(value: object, where: Where, path: _Path, lines: Mapping[_Path, int]) -> Node:
    """A value at a place; what is in it and has no line of its own stands on that line too."""

    def inside(child: object, key: str, shown: str, known: Mapping[_Path, int]) -> Node:
        own = (*path, key)
        return _node(child, Where(where.file, known.get(own, where.line), 1, shown), own, known)

    if isinstance(value, dict):
        stem = f"{where.path}." if where.path else ""
        return Node({key: inside(child, key, stem + key, lines) for key, child in value.items()}, where, where)
    if isinstance(value, list):
        several = (inside(child, "", f"{where.path}[{at}]", {}) for at, child in enumerate(value))
        return Node(tuple(several), where, where)
    if isinstance(value, str) and "\0" in value:
        raise TopologyError("a NUL character, which no process can be given", where)
    if isinstance(value, str | bool | int | float):
        return Node(value, where, where, as_text(value))
    return Node(str(value), where, where, str(value))  # a date or a time


def _lines(text: str) -> Iterator[tuple[_Path, int]]:
    """Path and 1-based line of each table and key, one statement after the other: every one begins a line of its own.

    A statement ends with the first line by which it is TOML by itself.
    """
    table: _Path = ()
    statement, began = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        statement, began = (statement + "\n" + line, began) if statement else (line, number)
        if number - began > _LONGEST:
            return
        try:
            found = tomllib.loads(statement)
        except (ValueError, RecursionError):
            continue
        paths = list(_paths(found))
        if statement.lstrip().startswith("["):
            table = paths[-1]
            paths = [table]
        else:
            paths = [(*table, *path) for path in paths]
        yield from ((path, began) for path in paths)
        statement = ""


def _paths(value: object, path: _Path = ()) -> Iterator[_Path]:
    """The paths of all keys, each after what it is in; of an array of tables, those of the one that is there."""
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
    elif isinstance(value, dict):
        for key, child in value.items():
            yield (*path, key)
            yield from _paths(child, (*path, key))
