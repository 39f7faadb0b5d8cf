"""The table of keys beside the published schema of the Compose specification: they say the same of every key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from compose.oracle import schema

from understudy.stacks.sources.document.keys import DOCUMENT
from understudy.stacks.sources.document.shape import Shape

pytestmark = pytest.mark.compose


def variants(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A part of the schema with its references followed, and each of its alternatives."""
    while "$ref" in part:
        part = schema()["definitions"][part["$ref"].rpartition("/")[2]]
    for one in part.get("oneOf", ()):
        yield from variants(one)
    if "oneOf" not in part:
        yield part


def types(variant: dict[str, Any]) -> set[str]:
    named = variant.get("type", ())
    return {named} if isinstance(named, str) else set(named)


def single(found: list[Any]) -> Any:
    assert len(found) < 2, f"several alternatives limit one type: {found}"
    return found[0] if found else None


def differences(part: dict[str, Any], shape: Shape, path: str) -> Iterator[str]:
    """What the table says otherwise of a key and of all below it."""
    found = list(variants(part))

    def said(key: str) -> Any:
        return single([variant[key] for variant in found if key in variant])

    pairs: dict[str, tuple[Any, Any]] = {
        "types": (set().union(*map(types, found)), set(shape.types)),
        "enum": (set(said("enum") or ()), set(shape.choices)),
        "pattern": (said("pattern") or "", shape.pattern),
        "minimum": (said("minimum"), shape.least),
        "maximum": (said("maximum"), shape.most),
    }
    for variant in found:
        if "array" in types(variant):
            pairs["uniqueItems"] = (bool(variant.get("uniqueItems")), shape.distinct)
            yield from differences(variant.get("items", {}), shape.element, f"{path}[]")
        if "object" in types(variant):
            pairs |= mappings(variant, shape)
            for key, below in variant.get("properties", {}).items():
                yield from differences(below, shape.child(key), f"{path}.{key}")
            for below in others(variant).values():
                yield from differences(below, shape.others or Shape(), f"{path}.*")
    yield from (f"{path} {what}: {theirs!r}, not {ours!r}" for what, (theirs, ours) in pairs.items() if theirs != ours)


def others(variant: dict[str, Any]) -> dict[str, Any]:
    return {name: below for name, below in variant.get("patternProperties", {}).items() if name != "^x-"}


def mappings(variant: dict[str, Any], shape: Shape) -> dict[str, tuple[Any, Any]]:
    closed = variant.get("additionalProperties") is False
    named = single(list(others(variant)))
    ours = None if shape.others is None else shape.names.pattern if shape.names else ".+"
    return {
        "keys": (set(variant.get("properties", {})), set(shape.keys)),
        "required": (set(variant.get("required", ())), set(shape.required)),
        "closed": (closed, shape.closed),
        "extensible": (closed and "^x-" in variant.get("patternProperties", {}), closed and shape.extensible),
        "names": (None if named is None else named.strip("^$"), ours),
    }


def test_the_table_is_the_published_schema() -> None:
    assert list(differences(schema(), DOCUMENT, "")) == []


def test_a_difference_would_be_found() -> None:
    """The comparison itself: a key less, a type more, another limit."""
    service = DOCUMENT.keys["services"].others
    assert service is not None
    keys = {key: shape for key, shape in service.keys.items() if key != "tty"}
    keys["image"] = keys["image"].but(types=("string", "null"))
    keys["oom_score_adj"] = keys["oom_score_adj"].but(most=10)
    changed = DOCUMENT.keys["services"].but(others=service.but(keys=keys))
    found = list(differences(schema(), DOCUMENT.but(keys={**DOCUMENT.keys, "services": changed}), ""))
    assert {line.partition(":")[0] for line in found} >= {
        ".services.* keys",
        ".services.*.image types",
        ".services.*.oom_score_adj maximum",
    }
