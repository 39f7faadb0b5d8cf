"""What may stand in the places of `x-understudy`, in the words of JSON Schema (draft 7, which editors know best).

Each shape allows what its reader in `nodes` and `values` takes. A text with a variable in it is allowed everywhere:
what it becomes is known only when the document is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = [
    "ENDPOINT",
    "FLAG",
    "NAME",
    "NEED",
    "NUMBER",
    "PATH",
    "PORT",
    "SECONDS",
    "TEXT",
    "TRUE",
    "VARIABLE",
    "Shape",
    "choices",
    "list_of",
    "mapping_of",
    "matching",
    "or_nothing",
    "size",
    "union",
    "whole",
]

Shape = Mapping[str, object]

NAME = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""A pattern: the name of a service, of a third party, of a suite."""

VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
"""A pattern: the name of a variable."""

_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HIGHEST_PORT = 65535
_INTERPOLATED: Shape = {"type": "string", "pattern": r"\$"}

TEXT: Shape = {"type": ["string", "number", "boolean"]}
"""A text; a number or boolean is taken as Compose writes it."""


def union(*shapes: Shape) -> Shape:
    """What one of the shapes allows."""
    return {"anyOf": list(shapes)}


def or_nothing(shape: Shape) -> Shape:
    """What the shape allows, or a key without a value, which is as good as absent."""
    several = shape.get("anyOf")
    return union(*(several if isinstance(several, list) else [shape]), {"type": "null"})


def matching(*patterns: str) -> Shape:
    """A text that one of the patterns matches."""
    return union(*({"type": "string", "pattern": pattern} for pattern in patterns), _INTERPOLATED)


def choices(values: Iterable[str]) -> Shape:
    """One of these texts."""
    return union({"enum": list(values)}, _INTERPOLATED)


def whole(least: int, most: int | None = None, digits: str = r"^(?=.{1,18}$)0*[1-9][0-9]*$") -> Shape:
    """A whole number, also as a text that `digits` matches."""
    bounds = {"minimum": least} | ({} if most is None else {"maximum": most})
    return union({"type": "integer", **bounds}, *_several(matching(digits)))


def _several(shape: Shape) -> list[Shape]:
    found = shape["anyOf"]
    assert isinstance(found, list)  # noqa: S101 - of our own unions
    return found


PORT = whole(1, _HIGHEST_PORT, rf"^(?=.{{1,18}}$)0*{_PORT}$")

ENDPOINT = matching(rf"^[A-Za-z0-9][A-Za-z0-9._-]*:(?=.{{1,5}}$)0*{_PORT}$")

NEED = matching(rf"^[A-Za-z0-9][A-Za-z0-9._-]*(:(?=.{{1,5}}$)0*{_PORT})?$")

NUMBER = union(
    {"type": "number", "exclusiveMinimum": 0},
    *_several(matching(r"^(?=.*[1-9])[0-9]{0,18}(\.[0-9]{1,18})?$")),
)
"""A number above zero."""


def size(least: int) -> Shape:
    """Bytes, or a number with a unit, as Docker writes it."""
    text = r"^(?=.{1,40}$)[0-9]+(\.[0-9]+)? ?[kKmMgGtTpP]?[iI]?[bB]?$"
    return union({"type": "number", "minimum": least}, *_several(matching(text)))


SECONDS = union(
    {"type": "number", "exclusiveMinimum": 0},
    *_several(
        matching(
            r"^(?=.{1,100}$)(?=.*[1-9])(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$",
            r"^(?=.*[1-9])[0-9]{0,18}(\.[0-9]{1,18})?$",
        )
    ),
)
"""A number of seconds, or a duration, above zero."""

_YES = "^([tT][rR][uU][eE]|[yY][eE][sS]|[yY]|[oO][nN]|1)$"
_NO = "^([fF][aA][lL][sS][eE]|[nN][oO]|[nN]|[oO][fF][fF]|0)$"

TRUE: Shape = union({"enum": [True, 1]}, {"type": "string", "pattern": _YES})
"""What counts as true."""

FLAG = union({"type": "boolean"}, {"enum": [0, 1]}, *_several(matching(_YES, _NO)))
"""A boolean, or one of the words for it."""

PATH = union({"type": ["number", "boolean"]}, *_several(matching(r"^(?![/~]|[A-Za-z]:[\\/])[\s\S]")))
"""A path relative to the document's folder."""


def list_of(item: Shape) -> Shape:
    """A list of these."""
    return {"type": "array", "items": item}


def mapping_of(value: Shape, names: str = "") -> Shape:
    """A mapping of names, which this pattern matches, to these."""
    found: dict[str, object] = {"type": "object", "additionalProperties": value}
    return found | ({"propertyNames": {"pattern": names}} if names else {})
