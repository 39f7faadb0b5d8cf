"""The corpus itself: it is large enough, and every key of the published schema stands in it, in every form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from compose import oracle
from compose.cases import all_cases

from understudy.stacks.sources.document.yaml_text import Raw, documents

NEVER = frozenset(
    f".services.*.{form}"
    for form in (
        # the schema takes these and Compose's types do not: cases that are refused
        "blkio_config.weight: string",
        "blkio_config.weight_device.[].weight: string",
        "build.ulimits.*: string",
        "build.ulimits.*.hard: string",
        "build.ulimits.*.soft: string",
        "volumes.[].tmpfs.mode: string",
        # the path of a key that is no text: Compose takes it, and finds no file of that name
        "build.ssh.*: boolean",
        "build.ssh.*: number",
        # Compose v2.40.0 ends with a panic
        "build.additional_contexts.*: boolean",
        "build.additional_contexts.*: null",
        "build.additional_contexts.*: number",
        "pid: null",
    )
)


def plain(raw: Raw) -> Any:
    if isinstance(raw.value, Mapping):
        return {key: plain(entry.raw) for key, entry in raw.value.items()}
    return [plain(item) for item in raw.value] if isinstance(raw.value, tuple) else raw.value


def kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = ((int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return next(name for types, name in names if isinstance(value, types))


def forms(node: Any, root: Any) -> Iterator[tuple[str, Any]]:
    """The types that a place of the schema allows, each with its own part of the schema."""
    while "$ref" in node:
        node = root["definitions"][node["$ref"].removeprefix("#/definitions/")]
    for branch in node.get("oneOf", ()):
        yield from forms(branch, root)
    types = node.get("type", ())
    for name in [types] if isinstance(types, str) else types:
        yield name, node


def below(form: Any) -> Iterator[tuple[str, Any]]:
    yield from form.get("properties", {}).items()
    if "items" in form:
        yield "[]", form["items"]
    for pattern, node in form.get("patternProperties", {}).items():
        if pattern != "^x-":
            yield "*", node


def everything(node: Any, root: Any, path: str = "") -> Iterator[str]:
    """Each key of the schema with each type that it may have, as `services.*.init: boolean`."""
    for name, form in forms(node, root):
        yield f"{path}: {name}"
        for key, child in below(form):
            yield from everything(child, root, f"{path}.{key}")


def used(value: Any, node: Any, root: Any, path: str = "") -> Iterator[str]:
    """The same of what stands in a document."""
    for name, form in forms(node, root):
        if name != kind(value) and not (name == "number" and kind(value) == "integer"):
            continue
        yield f"{path}: {name}"
        children = dict(below(form))
        if isinstance(value, list) and "[]" in children:
            for item in value:
                yield from used(item, children["[]"], root, f"{path}.[]")
        if isinstance(value, dict):
            for key, child in value.items():
                known = key if key in children else "*"
                if known in children:
                    yield from used(child, children[known], root, f"{path}.{known}")


def test_the_corpus_is_large_and_says_what_each_case_is_about() -> None:
    cases = all_cases()
    assert len(cases) >= 60
    assert sum(1 for case in cases if case.refused) >= 20
    assert all(case.about for case in cases)
    assert len({case.about for case in cases}) == len(cases)


WITHOUT_PLACE = {
    "env-dotenv-bad": "an environment file has lines and no keys",
    "env-dotenv-unterminated": "likewise",
    "env-file-given-missing": "the file is not there",
    "name-invalid": "the name is given on the command line",
    "yaml-cycle": "an anchor that holds itself has no end to point at",
    "yaml-empty": "there is nothing in the file",
    "yaml-list-at-top": "there is no key",
    "yaml-tab-indentation": "the text is no YAML, so it has no keys",
}


def test_every_refusal_is_held_to_file_line_column_and_key() -> None:
    refusals = {case.name: case.refused for case in all_cases() if case.refused}
    short = {name for name, told in refusals.items() if not (told.key and re.search(r":[0-9]+:[0-9]+$", told.at))}
    assert short == set(WITHOUT_PLACE)


@pytest.mark.compose
def test_every_key_of_the_schema_stands_in_the_corpus_in_every_form() -> None:
    schema = oracle.schema()
    found: set[str] = set()
    for case in all_cases():
        if case.refused is None:
            for path in case.documents():
                for raw in documents(path.read_text(encoding="utf-8-sig"), path.name):
                    found.update(used(plain(raw), schema, schema))
    missing = set(everything(schema, schema)) - found - NEVER
    assert not missing, "\n" + "\n".join(sorted(missing))
