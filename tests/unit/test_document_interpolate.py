"""Interpolation, against the Compose specification's table, Compose's own ways, and as properties."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stacks.sources.document.interpolate import (
    MAX_VALUE,
    InterpolationError,
    Interpolator,
    substitute,
)
from understudy.stacks.topology import TopologyError, Where

VARIABLES = {"SET": "value", "EMPTY": "", "DIGIT1": "one"}


def put(text: str, variables: dict[str, str] | None = None) -> str:
    return substitute(text, (VARIABLES if variables is None else variables).get)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a$SET-b", "avalue-b"),
        ("$DIGIT1.x", "one.x"),
        ("$NOT", ""),
        ("${NOT}", ""),
        ("${NOT:-d}", "d"),
        ("${NOT-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${SET:-d}", "value"),
        ("${SET-d}", "value"),
        ("${SET:+alt}", "alt"),
        ("${SET+alt}", "alt"),
        ("${EMPTY:+alt}", ""),
        ("${EMPTY+alt}", "alt"),
        ("${NOT:+alt}", ""),
        ("${NOT+alt}", ""),
        ("${SET:?no}", "value"),
        ("${EMPTY?no}", ""),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("$$$SET", "$value"),
        ("$$$$", "$$"),
        ("${NOT:-${SET}}", "value"),
        ("${NOT:-${ALSO:-deep $SET}}!", "deep value!"),
        ("${NOT:-a:-b}", "a:-b"),
        ("${NOT:-a?b}", "a?b"),
        ("${NOT-:x}", ":x"),
        ("${NOT:-$$x}", "$x"),
        ("${NOT:-}", ""),
        ("${NOT:-{}}", "{}"),
        ("${SET:+${NOT:-in}}", "in"),
        ("$", "$"),
        ("a $ b", "a $ b"),
        ("$1 $(pwd) $.x", "$1 $(pwd) $.x"),
        ("${NOT-x}y} ${SET}", "xy} value"),
        ('${NOT:-{"a": 1}} and ${NOT-b}', '{"a": 1} and b'),
    ],
)
def test_the_table_of_the_specification(text: str, result: str) -> None:
    assert put(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NOT:?say why}", "NOT is required and is not set: say why"),
        ("${NOT?}", "NOT is required and is not set"),
        ("${EMPTY:?x}", "EMPTY is required and is empty"),
        ("${NOT:?see $SET}", "see value"),
        ("${NOT:+${MISSING:?asked though it is not needed}}", "MISSING is required"),
        ("${A:-one\ntwo}", "is no variable"),
        ("${NOT-x} ${NOT:?}", "NOT is required"),
        ("${}", "is no variable"),
        ("${1A}", "is no variable"),
        ("${A", "is no variable"),
        ("${A B}", "is no variable"),
        ("${A:x}", "is no variable"),
        ("${A/x/y}", "is no variable"),
        ("${é}", "is no variable"),
    ],
)
def test_what_is_no_template_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InterpolationError, match=re.escape(message)):
        put(text)


def test_nesting_and_lengths_are_bounded() -> None:
    with pytest.raises(InterpolationError, match="nested deeper"):
        put("${A:-" * 100 + "}" * 100)
    with pytest.raises(InterpolationError, match="longer"):
        put("$X$X", {"X": "x" * (MAX_VALUE - 1)})


def test_a_document_of_long_values_is_refused() -> None:
    interpolator = Interpolator({"X": "x" * MAX_VALUE}, total=1 << 24)
    with pytest.raises(TopologyError, match="values become longer"):
        interpolator("$X", Where("c.yaml", 1, 1))


def test_what_has_no_value_is_remembered_once_with_its_place() -> None:
    interpolator = Interpolator({"A": "1"})
    first, second = Where("c.yaml", 1, 1), Where("c.yaml", 2, 1)
    assert interpolator("$A$B", first) + interpolator("$B${C:-x}", second) == "1x"
    assert interpolator.unset == {"B": first}
    assert interpolator.named == {"A", "B", "C"}


def test_an_error_has_its_place() -> None:
    with pytest.raises(TopologyError) as caught:
        Interpolator({})("${A:?b}", Where("c.yaml", 7, 3, "services.web.image"))
    assert str(caught.value).startswith("c.yaml:7:3: services.web.image: the variable A is required")


WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="${}\n\0"), max_size=8)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=50))
def test_escaped_text_comes_back_as_it_was(text: str) -> None:
    assert put(text.replace("$", "$$")) == text


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="$\\{}AB:-+? ", max_size=30))
def test_any_text_has_a_value_or_an_interpolation_error(text: str) -> None:
    try:
        result = put(text, {"A": "x"})
    except InterpolationError:
        return
    if "$" not in text:
        assert result == text


@settings(max_examples=50, deadline=None)
@given(NAMES, WORDS, st.one_of(st.none(), WORDS), st.sampled_from((":-", "-", ":+", "+")))
def test_the_operators_agree_with_their_definition(name: str, word: str, value: str | None, operator: str) -> None:
    given_value = value is not None and (value != "" or operator in {"-", "+"})
    expected = (value or "") if given_value else word
    if operator.endswith("+"):
        expected = word if given_value else ""
    assert put(f"<${{{name}{operator}{word}}}>", {} if value is None else {name: value}) == f"<{expected}>"


@settings(max_examples=50, deadline=None)
@given(NAMES, WORDS, WORDS)
def test_values_are_not_interpolated_again(name: str, before: str, after: str) -> None:
    assert put(f"{before}${{{name}}}{after}", {name: "$$x${y}"}) == f"{before}$$x${{y}}{after}"
