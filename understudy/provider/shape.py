"""Shape: whether values have the properties and types of a table, each failure with its path and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .schema import ListOf, MapOf, Obj, Property, Scalar, Type
from .values import Unknown

__all__ = ["Failure", "shape"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong with one property; `path` is as `uploads[0].file`."""

    path: str
    reason: str


def shape(properties: Mapping[str, Property], values: Mapping[str, Any], at: str = "") -> Iterator[Failure]:
    """All failures of values, unknowns being right anywhere; `at` is the path before their names."""
    for name in values:
        if name not in properties:
            yield Failure(
                f"{at}{name}",
                f"the provider has no property `{name}` here; it has: " + ", ".join(sorted(properties)),
            )
    for name, declared in properties.items():
        value = values.get(name)
        if value is None:
            if declared.required:
                yield Failure(f"{at}{name}", "is required")
            continue
        found = [*_typed(declared.type, value, f"{at}{name}")]
        yield from found
        if not found and declared.rule and not isinstance(value, Unknown) and not declared.rule.allows(value):
            yield Failure(f"{at}{name}", f"is {_shown(value, f'{at}{name}')}; allowed: {declared.rule.words}")


def _typed(kind: Type, value: Any, at: str) -> Iterator[Failure]:  # noqa: ANN401 - JSON
    if isinstance(value, Unknown):
        return
    if not _has_type(kind, value):
        words = kind.value if isinstance(kind, Scalar) else _WORDS[type(kind)]
        yield Failure(at, f"is {_shown(value, at)}; allowed: {words}")
    elif isinstance(kind, ListOf):
        for index, entry in enumerate(value):
            yield from _typed(kind.item, entry, f"{at}[{index}]")
    elif isinstance(kind, MapOf):
        for key, entry in value.items():
            yield from _typed(kind.item, entry, f"{at}.{key}")
    elif isinstance(kind, Obj):
        yield from shape(kind.fields, value, f"{at}.")


_SECRETIVE = re.compile(r"(?:^|\.)(?:envs(?:\[\d+\])?|content|contentBase64)$")
"""The paths of properties in which secrets may stand."""

_WORDS: Mapping[type, str] = {ListOf: "a list", MapOf: "a map", Obj: "an object"}


def _has_type(kind: Type, value: object) -> bool:
    if isinstance(kind, Scalar):
        return _is_scalar(kind, value)
    return isinstance(value, list if isinstance(kind, ListOf) else dict)


def _is_scalar(kind: Scalar, value: object) -> bool:
    if kind is Scalar.BOOL:
        return isinstance(value, bool)
    if kind is Scalar.INT:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _shown(value: object, at: str) -> str:
    """The value for a message, cut as it may be large; its type only where it is no scalar or may hold a secret."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if _SECRETIVE.search(at):
        return {str: "a string", bool: "true or false"}.get(type(value), "a number")
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - one line
