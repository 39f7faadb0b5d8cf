"""Diff: what changed between two sets of inputs, and whether a change forces a new object. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .schema import ListOf, MapOf, Obj, Property, Scalar, Table, Type
from .values import Unknown

__all__ = ["Change", "Difference", "diff"]


class Change(StrEnum):
    """How a property differs."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Difference:
    """One property that differs; `replace` when no update in place will do."""

    path: str
    change: Change
    replace: bool


def diff(table: Table, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The properties of the table that differ, defaults and the order of unordered lists being no difference.

    A property that is not known yet differs: it may turn out to.
    """
    found = []
    for name, declared in table.inputs.items():
        before = _normal(declared, old.get(name))
        after = _normal(declared, new.get(name))
        if before != after:
            taken_away = not declared.removable and after == _normal(declared, None)
            found.append(Difference(name, _change(old.get(name), new.get(name)), declared.replace or taken_away))
    return tuple(found)


def _change(before: object, after: object) -> Change:
    if before is None:
        return Change.ADD
    return Change.DELETE if after is None else Change.UPDATE


def _normal(declared: Property, value: Any) -> Any:  # noqa: ANN401 - JSON
    if value is None:
        value = declared.default
    if value is None:
        return None
    return _shape(declared.type, value)


def _shape(kind: Type, value: Any) -> Any:  # noqa: ANN401 - JSON
    """A value in the one form in which equal ones are equal; empty lists and maps are as absent ones."""
    if isinstance(value, Unknown):
        return object()  # differs from everything, itself included
    match kind:
        case Scalar():
            return int(value) if isinstance(value, float) and value.is_integer() else value
        case ListOf(item=item, unordered=unordered) if isinstance(value, list):
            shaped = [_shape(item, entry) for entry in value]
            return (sorted(shaped, key=_key) if unordered else shaped) or None
        case MapOf(item=item) if isinstance(value, dict):
            return {key: _shape(item, entry) for key, entry in value.items()} or None
        case Obj(fields=fields) if isinstance(value, dict):
            return {
                name: shaped
                for name, declared in fields.items()
                if (shaped := _normal(declared, value.get(name))) is not None
            } or None
        case _:
            return value


def _key(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
