"""Interpolation of generated templates: what Compose makes of them, and laws that hold without it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from compose import oracle
from compose.oracle import Answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.stacks.sources.document.interpolate import InterpolationError, substitute

VARIABLES: Mapping[str, str] = {
    "SET": "value",
    "EMPTY": "",
    "a": "small",
    "_b1": "under",
    "DOLLAR": "a$b${SET}$$",
    "BRACES": "{x}}",
    "OPERATORS": ":-?+",
    "LINES": "one\ntwo",
}
NAMES = st.sampled_from((*VARIABLES, "MISSING", "set", "ABSENT_2"))
OPERATORS = st.sampled_from((":-", "-", ":?", "?", ":+", "+"))
TEXT = st.text(alphabet="ab1_ .,:-+?/\"'\\#é{}", max_size=6)
WORDS = st.text(alphabet="ab1_ .,:-+?/\"'\\#é", max_size=6)

ATOMS = st.one_of(
    WORDS,
    st.just("$$"),
    st.builds("${0} ".format, NAMES),
    st.builds("${{{0}}}".format, NAMES),
)
TEMPLATES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("${{{0}{1}{2}}}".format, NAMES, OPERATORS, inner),
        st.lists(inner, min_size=2, max_size=4).map("".join),
    ),
    max_leaves=12,
)
WILD = st.text(alphabet="$$${{}}AB_a1:-+? \n", max_size=14)
"""Text of the signs that matter, most of it no template."""

ORACLE = settings(max_examples=8, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def ours(template: str) -> str | None:
    """The template with its variables replaced; None where it is refused."""
    try:
        return substitute(template, VARIABLES.get)
    except InterpolationError:
        return None


def asked(folder: Path, templates: list[str]) -> Answer:
    document = {"services": {"s": {"image": "i", "environment": {f"K{n}": text for n, text in enumerate(templates)}}}}
    (folder / "compose.yaml").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return oracle.config(folder, ["compose.yaml"], variables=VARIABLES)


def compose(folder: Path, templates: list[str]) -> list[str]:
    printed = asked(folder, templates).data["services"]["s"]["environment"]
    return [printed[f"K{n}"].replace("$$", "$") for n in range(len(templates))]


@pytest.mark.compose
@ORACLE
@given(templates=st.lists(st.one_of(TEMPLATES, WILD), min_size=40, max_size=120))
def test_compose_makes_the_same_of_a_template(templates: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    taken = [template for template in templates if ours(template) is not None]
    found = compose(tmp_path_factory.mktemp("case"), taken)
    assert dict(zip(taken, found, strict=True)) == {template: ours(template) for template in taken}


@pytest.mark.compose
@settings(ORACLE, max_examples=20)
@given(template=st.one_of(TEMPLATES, WILD).filter(lambda template: ours(template) is None))
def test_compose_refuses_what_is_refused(template: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    answer = asked(tmp_path_factory.mktemp("case"), [template])
    assert answer.code != 0
    assert "invalid interpolation format" in answer.err or "is missing a value" in answer.err


@given(text=st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_a_dollar_is_itself(text: str) -> None:
    assert ours(text) == text


@given(text=st.text())
def test_text_with_its_dollars_doubled_is_itself(text: str) -> None:
    assert ours(text.replace("$", "$$")) == text


@given(value=st.text(), name=NAMES)
def test_a_value_is_put_in_as_it_is(value: str, name: str) -> None:
    for template in (f"${name}", f"${{{name}}}", f"${{{name}:-}}", f"${{{name}?}}", f"${{{name}-x}}"):
        assert substitute(template, {name: value}.get) == value


@given(value=st.one_of(st.none(), st.text(max_size=3)), word=WORDS.map(lambda word: word.replace("$", "")))
def test_an_operator_chooses_between_value_and_word(value: str | None, word: str) -> None:
    def of(operator: str) -> str | None:
        try:
            return substitute(f"${{V{operator}{word}}}", {"V": value}.get)
        except InterpolationError:
            return None

    assert of(":-") == (value or word)
    assert of("-") == (word if value is None else value)
    assert of(":+") == (word if value else "")
    assert of("+") == ("" if value is None else word)
    assert of(":?") == (value or None)
    assert of("?") == value


@given(parts=st.lists(st.builds("${{{0}}}".format, NAMES) | WORDS, max_size=5))
def test_parts_side_by_side_are_replaced_each_for_itself(parts: list[str]) -> None:
    assert ours("".join(parts)) == "".join(str(ours(part)) for part in parts)


@given(template=TEMPLATES)
def test_nothing_that_was_put_in_is_looked_at_again(template: str) -> None:
    values = dict.fromkeys(VARIABLES, "$SECOND ${SECOND}") | {"SECOND": "second"}
    assert "second" not in substitute(re.sub(r"[?]", "-", template), values.get)
