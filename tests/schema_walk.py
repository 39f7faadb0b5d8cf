"""Inputs as they were declared, held against the argument classes that an SDK generated from its provider's schema."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import pulumi
from pulumi._types import input_type_py_to_pulumi_names, is_input_type

__all__ = ["mismatches"]


def mismatches(value: Any, expected: Any, path: str) -> list[str]:  # noqa: PLR0911 - one for each form of a type
    """Where a plain value is not of a type that the SDK generated from the provider's schema."""
    origin, inner = typing.get_origin(expected), typing.get_args(expected)
    if origin in {typing.Union, types.UnionType}:
        tried = [mismatches(value, member, path) for member in inner if not _plumbing(member)]
        return [] if any(not found for found in tried) else min(tried, key=len)
    if origin in {Sequence, list}:
        found = [] if isinstance(value, list) else [f"{path}: {value!r} is no list"]
        return found or [m for n, item in enumerate(value) for m in mismatches(item, inner[0], f"{path}[{n}]")]
    if origin in {Mapping, dict}:
        if not isinstance(value, dict):
            return [f"{path}: {value!r} is no mapping"]
        return [m for key, item in value.items() for m in mismatches(item, inner[1], f"{path}.{key}")]
    if isinstance(expected, type) and is_input_type(expected):
        return _object(value, expected, path)
    if isinstance(expected, type) and issubclass(expected, Enum):
        return (
            [] if value in {member.value for member in expected} else [f"{path}: {value!r} is no {expected.__name__}"]
        )
    if expected is int:
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        return [] if whole else [f"{path}: {value!r} is no int"]
    return [] if isinstance(value, expected) else [f"{path}: {value!r} is no {expected.__name__}"]


def _object(value: Any, expected: type, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no {expected.__name__}"]
    names = {wire: name for name, wire in input_type_py_to_pulumi_names(expected).items()}
    hints = _hints(expected)
    found = [f"{path}.{wire} is not in the schema" for wire in value if wire not in names]
    needed = {wire for wire, name in names.items() if name in _required(expected)}
    found += [f"{path}.{wire} is required" for wire in sorted(needed - value.keys())]
    for wire in value.keys() & names.keys():
        found += mismatches(value[wire], hints[names[wire]], f"{path}.{wire}")
    return found


def _required(expected: type) -> frozenset[str]:
    """The parameters that have no default, but for the object itself."""
    parameters = inspect.signature(expected.__init__).parameters.values()  # type: ignore[misc]  # of the class itself
    return frozenset(p.name for p in parameters if p.default is p.empty and p.name.strip("_") != "self")


def _hints(expected: type) -> dict[str, Any]:
    scope = {
        **vars(typing),
        **vars(sys.modules[f"{expected.__module__.rpartition('.')[0]}._inputs"]),
        "pulumi": pulumi,
        "Output": pulumi.Output,
    }
    return {
        name: typing.get_type_hints(getter.fget, scope)["return"]
        for name, getter in vars(expected).items()
        if isinstance(getter, property) and getter.fget is not None
    }


def _plumbing(member: Any) -> bool:
    """Members of `Input[T]` that are not T: awaitables, outputs, and None for what is left out."""
    origin = typing.get_origin(member)
    return member is type(None) or (isinstance(origin, type) and issubclass(origin, pulumi.Output | typing.Awaitable))
