"""The shape of a key: what may stand at it, and how its value is cast, merged, made canonical and printed.

A `Shape` is one row of the tables in this package (`keys`, `service_keys`, `container_keys`). Every stage walks a
document beside them, so that what Compose does with a key is said once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = [
    "ANY",
    "NAMES",
    "Shape",
    "boolean",
    "choice",
    "integer",
    "items",
    "listed",
    "named",
    "number",
    "record",
    "text",
    "texts",
]

NAMES = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
"""The names of services, volumes, secrets and configs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What may stand at a key, and what becomes of it.

    What may stand: `types` (`string`, `number`, `integer`, `boolean`, `null`, `array`, `object`; empty: anything);
    for a text `choices` or `pattern` (found anywhere in it), for a number `least` and `most`, for a list `item` and
    `distinct`, for a mapping the known `keys`, those that are `required`, `others` for keys that `names` matches, and
    whether it is `closed` to any other but (with `extensible`) those that begin with `x-`.

    What becomes of it: `cast` of a text after interpolation; `merge` with a later file; `unique`, by which entries of
    a list that say the same twice are one; `form`, the long form of a short one; `default`, what is filled in;
    `out`, how it is read and printed at last; `alias`, another name in JSON.
    """

    types: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    pattern: str = ""
    least: int | None = None
    most: int | None = None
    item: Shape | None = None
    distinct: bool = False
    keys: Mapping[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    others: Shape | None = None
    names: re.Pattern[str] | None = None
    closed: bool = True
    extensible: bool = True
    cast: str = ""
    merge: str = ""
    unique: str = ""
    form: str = ""
    default: str = ""
    out: str = "any"
    alias: str = ""

    def child(self, key: str) -> Shape:
        """The shape of a mapping's key; ANY where the tables know none."""
        return self.keys.get(key) or self.others or ANY

    @property
    def element(self) -> Shape:
        """The shape of a list's items."""
        return self.item or ANY

    def but(self, **changes: Any) -> Shape:  # noqa: ANN401 - any of the fields
        """The same shape with some fields set otherwise."""
        return replace(self, **changes)


ANY = Shape()


def text(out: str = "text", **more: Any) -> Shape:  # noqa: ANN401 - fields of a Shape, here and below
    """A text."""
    return Shape(types=("string",), out=out, **more)


def choice(*allowed: str, **more: Any) -> Shape:  # noqa: ANN401 - as above
    """One of a few texts."""
    return text(choices=allowed, **more)


def boolean(out: str = "flag", cast: str = "", **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A boolean, or a text that becomes one."""
    return Shape(types=("boolean", "string"), out=out, cast=cast, **more)


def integer(out: str = "int", cast: str = "", **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A whole number, or a text that becomes one."""
    return Shape(types=("integer", "string"), out=out, cast=cast, **more)


def number(out: str = "int", cast: str = "", **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A number, or a text that becomes one."""
    return Shape(types=("number", "string"), out=out, cast=cast, **more)


def items(item: Shape, out: str = "list", **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A list."""
    return Shape(types=("array",), item=item, out=out, **more)


def texts(out: str = "texts", *, distinct: bool = True, **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A list of texts."""
    return items(text(), out, distinct=distinct, **more)


def listed(item: Shape | None = None, out: str = "labels", **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A list of `KEY=value`, or a mapping."""
    value = item or Shape(types=("string", "number", "boolean", "null"))
    return Shape(
        types=("object", "array"),
        item=text(),
        distinct=True,
        others=value,
        extensible=False,
        out=out,
        **more,
    )


def record(keys: Mapping[str, Shape], out: str = "struct", **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A mapping with known keys."""
    return Shape(types=("object",), keys=keys, out=out, **more)


def named(item: Shape, names: re.Pattern[str] | None = NAMES, out: str = "map", **more: Any) -> Shape:  # noqa: ANN401 - as above
    """A mapping whose keys are names of one's own."""
    return Shape(types=("object",), others=item, names=names, extensible=False, out=out, **more)
