"""The three lists, held against the published schema of the Compose specification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compose_schema import schema

from understudy.stacks.allowed import ALLOW
from understudy.stacks.sources.compose_keys import Key, Taken, cloned, idle, missing, schema_path, table
from understudy.stacks.sources.compose_keys_parts import KEYS, key_of

ROOT = Path(__file__).resolve().parents[2]


def published(node: dict[str, Any], path: str = "", above: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every key of the schema as a path: names that a document chooses are `*`, items have the path of their list."""
    if reference := node.get("$ref"):
        name = reference.rpartition("/")[2]
        if name not in above:
            yield from published(schema()["definitions"][name], path, above | {name})
        return
    for key, child in node.get("properties", {}).items():
        below = f"{path}.{key}" if path else key
        yield below
        yield from published(child, below, above)
    patterns = [child for pattern, child in node.get("patternProperties", {}).items() if pattern != "^x-"]
    if isinstance(node.get("additionalProperties"), dict):
        patterns.append(node["additionalProperties"])
    for child in patterns:
        yield from published(child, f"{path}.*", above)
    for several in ("oneOf", "anyOf", "allOf"):
        for child in node.get(several, ()):
            yield from published(child, path, above)
    if isinstance(node.get("items"), dict):
        yield from published(node["items"], path, above)


def covered(path: str) -> bool:
    parts = path.split(".")
    return path in KEYS or any(
        (row := KEYS.get(".".join(parts[:length]))) is not None and row.whole for length in range(1, len(parts))
    )


def test_every_key_of_the_specification_is_in_one_of_the_lists() -> None:
    keys = set(published(schema()))
    assert len(keys) > 200
    assert not {path for path in keys if not covered(path)}


def test_no_key_is_in_the_lists_that_the_specification_does_not_have() -> None:
    assert not set(KEYS) - set(published(schema()))


def test_no_key_below_one_that_speaks_for_all_has_a_row_of_its_own() -> None:
    for row in KEYS.values():
        if row.whole:
            assert not [path for path in KEYS if path.startswith(f"{row.path}.")]


def test_a_key_in_two_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="the key a stands in the table twice"):
        table((cloned("a", "x"), idle("a", "y")))


@pytest.mark.parametrize("row", KEYS.values(), ids=lambda row: row.path)
def test_every_row_has_its_reason(row: Key) -> None:
    assert len(row.reason) >= 8
    assert bool(row.allow) == (row.taken is Taken.REFUSED)
    assert {name.partition(":")[0] for name in row.allow} <= {name.partition(":")[0] for name in ALLOW}


def test_every_name_of_allow_is_of_use() -> None:
    assert {name for row in KEYS.values() for name in row.allow} == set(ALLOW)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("services.web", "services.*"),
        ("services.web.ports[0].target", "services.*.ports.target"),
        ("services.web.networks.front.aliases[1]", "services.*.networks.*.aliases"),
        ("services.web.environment.PATH", "services.*.environment"),
        ('services["a.b"].labels["x.y"]', "services.*.labels"),
        ("services.web.volumes[0].type", "services.*.volumes.type"),
        ("services.web.build.ulimits.nofile.soft", "services.*.build.ulimits.*.soft"),
        ("services.volumes.image", "services.*.image"),
        ("volumes.data.driver_opts.o", "volumes.*.driver_opts"),
        ("services.web.depends_on.db.condition", "services.*.depends_on.*.condition"),
    ],
)
def test_a_place_in_a_document_has_its_path_in_the_schema(path: str, expected: str) -> None:
    assert schema_path(path) == expected


def test_what_is_below_a_key_that_goes_whole_goes_with_it() -> None:
    assert key_of("services.*.develop.watch.path") is KEYS["services.*.develop"]
    assert key_of("services.*.nonsense") == missing("services.*.nonsense", "the Compose specification has no such key")
    assert key_of("services.*.deploy.nonsense").taken is Taken.LEFT_OUT
