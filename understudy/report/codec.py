"""Frozen dataclasses to JSON-ready data and back, and their JSON schema: one reading of the types for all three."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from understudy.report.moments import MOMENT_PATTERN, Moment

__all__ = ["RecordError", "decode", "encode", "hints", "read_version", "schema_of"]

T = TypeVar("T")

_PLAIN: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}

_LARGEST = 1e100
"""Seconds, bytes or whatever a record counts: no sum of such numbers in one file is infinite."""


class RecordError(ValueError):
    """Data that is no such record; the message names the place and what was expected there."""


def encode(value: object) -> Any:  # noqa: ANN401 - JSON-ready data has no narrower type
    """A record as JSON-ready data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: encode(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode()  # a lone surrogate is no text elsewhere
    return value


def read_version(kind: type[T], text: str, version: int) -> T:
    """An object from JSON text whose `schema` says that version.

    Raises:
        RecordError: the text is no such record, or one of another version.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"$: JSON expected: {error}") from error
    found = data.get("schema") if isinstance(data, dict) else None
    if found != version:
        raise RecordError(f"$.schema: version {version} is what this Understudy reads, not {found!r}")
    return decode(kind, data)


def decode(kind: type[T], data: object) -> T:
    """The record that `encode` made `data` of. Unknown keys are left out, absent ones take their defaults.

    Raises:
        RecordError: the data does not fit.
    """
    return cast("T", _decode(kind, data, "$"))


def _decode(kind: Any, data: object, place: str) -> object:  # noqa: ANN401 - a type form
    kind = kind.__supertype__ if isinstance(kind, NewType) else kind
    if get_origin(kind) is not None:
        return _decode_form(kind, data, place)
    if kind is object:
        return data
    if dataclasses.is_dataclass(kind) and isinstance(data, dict):
        return _decode_fields(cast("type[object]", kind), data, place)
    return _decode_plain(kind, data, place)


def _decode_form(kind: Any, data: object, place: str) -> object:  # noqa: ANN401 - a type form
    """Of `X | None`, `tuple[X, ...]`, `tuple[X, Y]`, `Mapping[str, X]` and `Literal[...]`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal and data in arguments:
        return data
    if origin in (Union, types.UnionType):
        inner = next(each for each in arguments if each is not type(None))
        return None if data is None else _decode(inner, data, place)
    if origin is tuple and arguments[-1] is not ... and isinstance(data, list) and len(data) == len(arguments):
        return tuple(_decode(each, item, place) for each, item in zip(arguments, data, strict=True))
    if origin is tuple and arguments[-1] is ... and isinstance(data, list):
        return tuple(_decode(arguments[0], item, f"{place}[{number}]") for number, item in enumerate(data))
    if origin is Mapping and isinstance(data, dict):
        return {str(key): _decode(arguments[1], item, f"{place}.{key}") for key, item in data.items()}
    raise RecordError(f"{place}: {kind} expected, not {type(data).__name__}")


@functools.cache
def hints(kind: type[object]) -> dict[str, Any]:
    """The types of a dataclass's fields, evaluated once: a run may have ten thousand tests."""
    return get_type_hints(kind)


def _decode_fields(kind: type[object], data: dict[str, object], place: str) -> object:
    found = hints(cast("Any", kind))  # mypy takes no class for hashable
    known = {name: _decode(hint, data[name], f"{place}.{name}") for name, hint in found.items() if name in data}
    try:
        return kind(**known)
    except TypeError as error:
        raise RecordError(f"{place}: {error}") from error


def _decode_plain(kind: Any, data: object, place: str) -> object:  # noqa: ANN401 - a type form
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        return _finite(data, place)
    if kind in _PLAIN and type(data) is kind:
        return data
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError as error:
            raise RecordError(f"{place}: one of {[each.value for each in kind]} expected, not {data!r}") from error
    raise RecordError(f"{place}: {getattr(kind, '__name__', kind)} expected, not {type(data).__name__}")


def _finite(data: float, place: str) -> float:
    """A number that can be reckoned with and written again: JSON has no others (RFC 8259, section 6)."""
    if not -_LARGEST < data < _LARGEST:
        raise RecordError(f"{place}: a finite number expected")
    return float(data)


def schema_of(kind: type[object], *, identity: str, title: str) -> dict[str, object]:
    """The JSON schema (draft 2020-12) of a dataclass; descriptions are the classes' docstrings."""
    definitions: dict[str, object] = {}
    root = _schema(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": identity,
        "title": title,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(kind: Any, definitions: dict[str, object]) -> dict[str, object]:  # noqa: ANN401 - a type form
    if get_origin(kind) is not None:
        return _schema_of_form(kind, definitions)
    if kind is object:
        return {}
    if kind is Moment:
        return {"type": "string", "format": "date-time", "pattern": MOMENT_PATTERN}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    return _define(kind, definitions)


def _schema_of_form(kind: Any, definitions: dict[str, object]) -> dict[str, object]:  # noqa: ANN401 - a type form
    """Of `X | None`, `tuple[X, ...]`, `Mapping[str, X]` and `Literal[...]`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    inner = next(each for each in arguments if each is not type(None))
    return {"anyOf": [_schema(inner, definitions), {"type": "null"}]}


def _define(kind: type[object], definitions: dict[str, object]) -> dict[str, object]:
    """A reference to a dataclass, described once under `$defs`. Every field is required: absence is `null`."""
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}
        hints = get_type_hints(kind)
        definitions[kind.__name__] = {
            "type": "object",
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "additionalProperties": False,
            "required": list(hints),
            "properties": {name: _schema(hint, definitions) for name, hint in hints.items()},
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}
