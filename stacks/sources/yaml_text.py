"""YAML text as a tree that knows where each key and value stands; what is hostile is refused before it is expanded.

YAML 1.2 with the merge keys and the legacy octal numbers that Compose's own parser (go-yaml v3) takes too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.stacks.topology import TopologyError, Where

from .yaml_scalars import Scalar, resolve

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_NODES", "Entry", "Node", "Raw", "parse", "place"]

MAX_CHARACTERS = 1 << 20
"""Characters of one document; the Compose files of public repositories stay under a tenth of it."""

MAX_NODES = 50_000
"""Keys and values of one document with all its aliases expanded: what stops an alias bomb."""

MAX_DEPTH = 64
"""Levels of nesting."""

_TAG = "tag:yaml.org,2002:"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_PLAIN_KEY = re.compile(r"[\w-][\w./-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as it stands in the text: scalar, tuple of values, or mapping of entries; `size` counts what is below."""

    value: Scalar | tuple[Raw, ...] | Mapping[str, Entry]
    line: int
    column: int
    text: str = ""
    size: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's own position and its value."""

    line: int
    column: int
    raw: Raw


@dataclass(frozen=True, slots=True)
class Node:
    """A value in its place. `key_where` is where its key stands (a list item's: the item's); `text` is a scalar's."""

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    where: Where
    key_where: Where
    text: str = ""


def parse(text: str, file: str) -> Raw:
    """The one document in `text`.

    Raises:
        TopologyError: the text is no YAML, has several documents, repeats a key, has a tag that is not of YAML's
            core, an alias to itself, or is larger or deeper than this module's limits.
    """
    if len(text) > MAX_CHARACTERS:
        raise TopologyError(
            f"the document has {len(text)} characters; at most {MAX_CHARACTERS} are read", Where(file, 1, 1)
        )
    # imported here because it is heavy, and the command line's help does without it
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    composer = _Composer(YAML(typ="safe", pure=True).parse(text), file)
    try:
        return composer.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1, composer.path) if mark else Where(file, 1, 1)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise TopologyError(f"this is no YAML: {problem}", where) from error
    except YAMLError as error:
        before = text[: getattr(error, "position", 0)]
        where = Where(file, before.count("\n") + 1, len(before) - before.rfind("\n"), composer.path)
        raise TopologyError(f"this is no YAML: {getattr(error, 'reason', error)}", where) from error
    except (ArithmeticError, LookupError, ValueError, TypeError, AttributeError, AssertionError) as error:
        if isinstance(error, TopologyError):
            raise
        # the scanner lets such errors out for escapes and directives that are no YAML
        raise TopologyError(f"this is no YAML: {error}", Where(file, 1, 1, composer.path)) from error


def place(raw: Raw, file: str, transform: Callable[[str, Where], str] | None = None) -> Node:
    """The tree with a path for each value, and each text value (never a key) through `transform`."""
    return _place(raw, file, "", None, transform)


def _place(raw: Raw, file: str, path: str, key: Entry | None, transform: Callable[[str, Where], str] | None) -> Node:
    where = Where(file, raw.line, raw.column, path)
    key_where = Where(file, key.line, key.column, path) if key else where
    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    if isinstance(raw.value, tuple):
        value = tuple(_place(item, file, f"{path}[{index}]", None, transform) for index, item in enumerate(raw.value))
    elif isinstance(raw.value, Mapping):
        value = {
            name: _place(entry.raw, file, _join(path, name), entry, transform) for name, entry in raw.value.items()
        }
    elif isinstance(raw.value, str) and transform:
        value = transform(raw.value, where)
    else:
        value = raw.value
    return Node(value, where, key_where, raw.text)


def _join(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key[:100])}]"
    return f"{path}.{key}" if path else key


class _Composer:
    """Builds the tree from the parser's events, which arrive without recursion and before any alias is followed."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, Raw] = {}
        self.path = ""

    def document(self) -> Raw:
        root: Raw | None = None
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                if root is not None:
                    raise self._error("a second document begins here; one is read", event)
                root = self._value(next(self._events), "", 0)
        return root or Raw(None, 1, 1)

    def _error(self, message: str, event: Any) -> TopologyError:  # noqa: ANN401 - ruamel's events are untyped
        return TopologyError(
            message, Where(self._file, event.start_mark.line + 1, event.start_mark.column + 1, self.path)
        )

    def _value(self, event: Any, path: str, depth: int) -> Raw:  # noqa: ANN401 - as above
        self.path = path
        if depth > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH} levels", event)
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        kind = type(event).__name__
        if kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise self._error(f"*{event.anchor} stands for no anchor that ended before it", event)
            return self._anchors[event.anchor]
        tag = str(event.ctag) if event.ctag is not None else ""
        if kind == "ScalarEvent":
            raw = Raw(self._scalar(event, tag), line, column, event.value)
        elif kind == "SequenceStartEvent":
            self._expect(tag, "seq", event)
            items = tuple(self._items(path, depth))
            raw = Raw(items, line, column, size=1 + sum(item.size for item in items))
        else:
            self._expect(tag, "map", event)
            entries = self._entries(path, depth)
            raw = Raw(entries, line, column, size=1 + sum(1 + entry.raw.size for entry in entries.values()))
        if raw.size > MAX_NODES:
            raise self._error(f"more than {MAX_NODES} keys and values with all aliases expanded", event)
        if event.anchor:
            self._anchors[event.anchor] = raw
        return raw

    def _expect(self, tag: str, core: str, event: Any) -> None:  # noqa: ANN401 - as above
        if tag not in {"", "!", _TAG + core}:
            raise self._error(f"the tag {tag!r} is not read; of tags, only those of YAML's core schema are", event)

    def _scalar(self, event: Any, tag: str) -> Scalar:  # noqa: ANN401 - as above
        text: str = event.value
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise self._error("a NUL character or half a surrogate pair, which no process can be given", event)
        core = tag.removeprefix(_TAG)
        if tag in {"!", _TAG + "str"} or (not tag and event.style is not None):
            return text
        value = resolve(text)
        if not tag:
            return value
        if tag == core or core not in _TYPES:
            self._expect(tag, "str", event)
        if not isinstance(value, _TYPES[core]) or (isinstance(value, bool) and core != "bool"):
            raise self._error(f"{text[:100]!r} is tagged !!{core} and is none", event)
        return value

    def _items(self, path: str, depth: int) -> Iterator[Raw]:
        for index, event in enumerate(self._events):
            if type(event).__name__ == "SequenceEndEvent":
                return
            yield self._value(event, f"{path}[{index}]", depth + 1)

    def _entries(self, path: str, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        merges: list[Raw] = []
        merged = False
        for event in self._events:
            if type(event).__name__ == "MappingEndEvent":
                break
            self.path = path
            if type(event).__name__ != "ScalarEvent":
                raise self._error("a key has to be a plain value", event)
            key: str = str(event.value)
            place_of_value = _join(path, key)
            raw_key = self._value(event, place_of_value, depth + 1)
            value = self._value(next(self._events), place_of_value, depth + 1)
            self.path = place_of_value
            is_merge = key == "<<" and event.style is None
            if key in entries or (is_merge and merged):
                raise self._error(f"the key {key[:100]!r} stands twice in this mapping", event)
            if is_merge:
                merged = True
                merges.extend(self._merged(value, event))
            else:
                entries[key] = Entry(raw_key.line, raw_key.column, value)
        for source in merges:
            if isinstance(source.value, Mapping):
                for key, entry in source.value.items():
                    entries.setdefault(key, entry)
        return entries

    def _merged(self, value: Raw, event: Any) -> tuple[Raw, ...]:  # noqa: ANN401 - as above
        sources = value.value if isinstance(value.value, tuple) else (value,)
        if not all(isinstance(source.value, Mapping) for source in sources):
            raise self._error("<< merges a mapping or a list of mappings", event)
        return sources
