"""The language of the tables: types of properties, what values they allow, and what a change of one forces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "BOOL",
    "INT",
    "STRING",
    "STRINGS",
    "STRING_MAP",
    "ListOf",
    "MapOf",
    "Obj",
    "Property",
    "Rule",
    "Scalar",
    "Table",
    "Type",
]


class Scalar(StrEnum):
    """A single value."""

    STRING = "a string"
    INT = "a whole number"
    BOOL = "true or false"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one type. In an unordered one the order makes no difference."""

    item: Type
    unordered: bool = False


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from strings to one type."""

    item: Type


@dataclass(frozen=True, slots=True)
class Obj:
    """An object with named properties."""

    fields: Mapping[str, Property]


Type = Scalar | ListOf | MapOf | Obj

STRING = Scalar.STRING
INT = Scalar.INT
BOOL = Scalar.BOOL
STRINGS = ListOf(Scalar.STRING)
STRING_MAP = MapOf(Scalar.STRING)


@dataclass(frozen=True, slots=True)
class Rule:
    """What values are allowed: some, a pattern or a range; `words` say it to a person."""

    words: str
    values: tuple[Any, ...] = ()
    pattern: str = ""
    minimum: int | None = None
    maximum: int | None = None

    def allows(self, value: Any) -> bool:  # noqa: ANN401 - any scalar
        """Whether a value of the right type keeps to the rule."""
        if self.values and value not in self.values:
            return False
        if self.pattern and re.fullmatch(self.pattern, str(value)) is None:
            return False
        if self.minimum is not None and value < self.minimum:
            return False
        return self.maximum is None or bool(value <= self.maximum)


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `replace`: a change makes a new object; else it is updated in place.

    Where it is not `removable`, Docker changes the value in place but cannot take it away again.
    """

    type: Type
    rule: Rule | None = None
    default: Any = None
    required: bool = False
    replace: bool = True
    removable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One resource type: its token, its inputs, what only outputs have, and whether it carries ownership labels.

    Where it is `named`, the provider chooses a name when the program gives none.
    """

    token: str
    inputs: Mapping[str, Property]
    outputs: tuple[str, ...] = ()
    owned: bool = True
    named: bool = True
