"""YAML text as a tree that knows where each key and value stands; what is hostile is refused before it is expanded.

YAML 1.2 with the merge keys and the legacy octal numbers that Compose's own parser (go-yaml v3) takes too.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from understudy.stacks.topology import TopologyError, Where

from .yaml_scalars import Moment, Scalar, resolve
from .yaml_tabs import parser

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_NODES", "Entry", "Node", "Raw", "documents", "join", "place"]

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
_ANCHOR = re.compile(r"[\w-]+", re.ASCII)
_PLAIN_KEY = re.compile(r"[\w-][\w./-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as it stands in the text: scalar, tuple of values, or mapping of entries.

    `size` counts what is below; `resets` are the paths below it whose values are tagged `!reset` or `!override`, and
    `overrides` those tagged `!override`, the only ones that count at an alias too.
    """

    value: Scalar | tuple[Raw, ...] | Mapping[str, Entry]
    line: int
    column: int
    text: str = ""
    size: int = 1
    resets: tuple[tuple[str, ...], ...] = ()
    overrides: tuple[tuple[str, ...], ...] = ()


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


@lru_cache(maxsize=16)
def documents(text: str, file: str) -> tuple[Raw, ...]:
    """The documents in `text`, without what is tagged `!reset`.

    The last few are kept: parsing takes most of the time of a load, and production's file is often the commit's.

    Raises:
        TopologyError: the text is no YAML, repeats a key, has a key that is no text, a tag of YAML's own that is not
            of its core, an alias to itself, or is larger or deeper than this module's limits.
    """
    if len(text) > MAX_CHARACTERS:
        raise TopologyError(
            f"the document has {len(text)} characters; at most {MAX_CHARACTERS} are read", Where(file, 1, 1)
        )
    # imported here because it is heavy, and the command line's help does without it
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    composer = _Composer(parser().parse(text), file)
    try:
        return composer.documents()
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


def place(raw: Raw, file: str) -> Node:
    """The tree with a path for each value."""
    return _place(raw, file, "", None)


def _place(raw: Raw, file: str, path: str, key: Entry | None) -> Node:
    where = Where(file, raw.line, raw.column, path)
    key_where = Where(file, key.line, key.column, path) if key else where
    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    if isinstance(raw.value, tuple):
        value = tuple(_place(item, file, f"{path}[{index}]", None) for index, item in enumerate(raw.value))
    elif isinstance(raw.value, Mapping):
        value = {name: _place(entry.raw, file, join(path, name), entry) for name, entry in raw.value.items()}
    else:
        value = raw.value
    return Node(value, where, key_where, raw.text)


def join(path: str, key: str) -> str:
    """The path of a key below a path, in brackets where it is no plain name."""
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key[:100])}]"
    return f"{path}.{key}" if path else key


def _with_resets(raw: Raw, below: list[tuple[tuple[str, ...], Raw]]) -> Raw:
    """The value with what is reset and overridden below it."""
    resets = tuple((*path, *reset) for path, value in below for reset in value.resets)
    overrides = tuple((*path, *reset) for path, value in below for reset in value.overrides)
    return replace(raw, resets=resets, overrides=overrides) if resets or overrides else raw


class _Composer:
    """Builds the tree from the parser's events, which arrive without recursion and before any alias is followed."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, Raw] = {}
        self.path = ""

    def documents(self) -> tuple[Raw, ...]:
        found: list[Raw] = []
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                if event.version not in {None, (1, 1)}:
                    raise self._error(
                        "a %YAML directive of another version than 1.1, which Compose does not take", event
                    )
                self._anchors.clear()
                found.append(self._value(next(self._events), "", 0))
        return tuple(found)

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
        if event.anchor and not _ANCHOR.fullmatch(event.anchor):
            raise self._error(f"the anchor {event.anchor[:60]!r} has more than letters, digits, - and _", event)
        if kind == "AliasEvent":
            return self._aliased(event)
        tag = str(event.ctag) if event.ctag is not None else ""
        if kind == "ScalarEvent":
            raw = Raw(self._scalar(event, tag), line, column, event.value)
        elif kind == "SequenceStartEvent":
            self._expect(tag, "seq", event)
            items = tuple(self._items(path, depth))
            kept = tuple(item for item in items if item.size)
            raw = _with_resets(
                Raw(kept, line, column, size=1 + sum(item.size for item in items)),
                [((str(index),), item) for index, item in enumerate(items)],
            )
        else:
            self._expect(tag, "map", event)
            entries, below = self._entries(path, depth)
            size = 1 + sum(1 + entry.raw.size for entry in entries.values())
            raw = _with_resets(Raw(entries, line, column, size=size), below)
        if tag == "!reset":
            raw = replace(raw, size=0, resets=((),), overrides=())
        elif tag == "!override":
            raw = replace(raw, resets=((),), overrides=((),))
        if raw.size > MAX_NODES:
            raise self._error(f"more than {MAX_NODES} keys and values with all aliases expanded", event)
        if event.anchor:
            self._anchors[event.anchor] = raw if raw.size == 0 else replace(raw, resets=raw.overrides)
        return raw

    def _aliased(self, event: Any) -> Raw:  # noqa: ANN401 - as above
        if event.anchor not in self._anchors:
            raise self._error(f"*{event.anchor} stands for no anchor that ended before it", event)
        return self._anchors[event.anchor]

    def _expect(self, tag: str, core: str, event: Any) -> None:  # noqa: ANN401 - as above
        if tag.startswith(_TAG) and tag != _TAG + core:
            raise self._error(f"the tag {tag!r} is not read; of YAML's own, only those of the core schema are", event)

    def _scalar(self, event: Any, tag: str) -> Scalar:  # noqa: ANN401 - as above
        text: str = event.value
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise self._error("a NUL character or half a surrogate pair, which no process can be given", event)
        core = tag.removeprefix(_TAG)
        if tag == _TAG + "binary":
            return self._decoded(text, event)
        tag = "" if tag == "!" else tag
        if tag == _TAG + "str" or (tag and not tag.startswith(_TAG)) or (not tag and event.style is not None):
            return text
        value = resolve(text)
        if not tag:
            return value
        if tag == core or core not in _TYPES:
            self._expect(tag, "str", event)
        if not isinstance(value, _TYPES[core]) or (isinstance(value, bool) and core != "bool"):
            raise self._error(f"{text[:100]!r} is tagged !!{core} and is none", event)
        return value

    def _decoded(self, text: str, event: Any) -> str:  # noqa: ANN401 - as above
        try:
            return base64.b64decode(text, validate=False).decode()
        except ValueError:
            raise self._error("what is tagged !!binary is no text in base 64", event) from None

    def _items(self, path: str, depth: int) -> Iterator[Raw]:
        for index, event in enumerate(self._events):
            if type(event).__name__ == "SequenceEndEvent":
                return
            yield self._value(event, f"{path}[{index}]", depth + 1)

    def _entries(self, path: str, depth: int) -> tuple[dict[str, Entry], list[tuple[tuple[str, ...], Raw]]]:
        entries: dict[str, Entry] = {}
        below: list[tuple[tuple[str, ...], Raw]] = []
        merges: list[Raw] = []
        seen: set[str] = set()
        for event in self._events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = self._key(event, path)
            place_of_value = join(path, key)
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            value = self._value(next(self._events), place_of_value, depth + 1)
            if value.value is None and not value.text and value.line > line:
                # nothing stands there, and the parser gives the next line
                value = replace(value, line=line, column=column)
            self.path = place_of_value
            if key in seen:
                raise self._error(f"the key {key[:100]!r} stands twice in this mapping", event)
            seen.add(key)
            if key == "<<" and event.style is None:
                merges.extend(self._merged(value, event))
                below.append(((), value))
                continue
            below.append(((key,), value))
            if value.size:
                entries[key] = Entry(line, column, value)
        for source in merges:
            if isinstance(source.value, Mapping):
                for key, entry in source.value.items():
                    entries.setdefault(key, entry)
        return entries, below

    def _key(self, event: Any, path: str) -> str:  # noqa: ANN401 - as above
        self.path = path
        kind = type(event).__name__
        if kind == "AliasEvent" and event.anchor in self._anchors:
            key = self._anchors[event.anchor].value
        elif kind == "ScalarEvent":
            tag = str(event.ctag) if event.ctag is not None else ""
            key = "<<" if event.value == "<<" else self._scalar(event, tag)
            if event.anchor:
                self._anchors[event.anchor] = Raw(key, event.start_mark.line + 1, event.start_mark.column + 1)
        else:
            raise self._error("a key has to be a plain value", event)
        if not isinstance(key, str) or isinstance(key, Moment):
            raise self._error(f"the key {event.value[:100]!r} is no text; write it in quotes", event)
        return str(key)

    def _merged(self, value: Raw, event: Any) -> tuple[Raw, ...]:  # noqa: ANN401 - as above
        sources = value.value if isinstance(value.value, tuple) else (value,)
        if not all(isinstance(source.value, Mapping) for source in sources):
            raise self._error("<< merges a mapping or a list of mappings", event)
        return sources
