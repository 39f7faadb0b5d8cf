"""The dotenv format, as Compose's documentation describes it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stacks.sources.document import project_variables
from understudy.stacks.sources.document.env_file import MAX_CHARACTERS, decode, parse_raw, read_env
from understudy.stacks.topology import TopologyError


def parse_env(text: str, file: str, variables: dict[str, str], *, raw: bool = False) -> dict[str, str]:
    found: dict[str, str] = {}
    (parse_raw if raw else read_env)(text, file, variables, found)
    return found


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("A=1", {"A": "1"}),
        ("A = 1 ", {"A": "1"}),
        ("A:  1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=\nB=2", {"A": "", "B": "2"}),
        ("export A=1\n  export\tB=2", {"A": "1", "B": "2"}),
        ("exported=1", {"exported": "1"}),
        ("# note\n\n   # more\nA=1\r\nB=2\r\n#end", {"A": "1", "B": "2"}),
        ("A=x # note", {"A": "x"}),
        ("A=x# no note", {"A": "x# no note"}),
        ("A=#note", {"A": "#note"}),
        ("A= #note", {"A": "#note"}),
        ('A="x" B=2', {"A": "x", "B": "2"}),
        ("A=1\n=2", {"A": "1", "": "2"}),
        ("A=1\nB", {"A": "1", "": "B"}),
        ('A="\\0123 \\012 \\0"', {"A": "S \\12 \\"}),
        ("é=1", {"é": "1"}),
        ('A="x # y" # note', {"A": "x # y"}),
        ("A='x # y'# note", {"A": "x # y"}),
        ('A="a\\nb\\t\\"c\\" \\\\ \\q"', {"A": 'a\nb\t"c" \\ \\q'}),
        ("A='a\\nb'", {"A": "a\\nb"}),
        ("A='Let\\'s go'", {"A": "Let's go"}),
        ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
        ("A='$B'", {"A": "$B"}),
        ('B=1\nA="$B"', {"B": "1", "A": "1"}),
        ("B=1\nA=${B}2${C:-3}", {"B": "1", "A": "123"}),
        ("A=$$x", {"A": "$x"}),
        ('A="\\$x"', {"A": "$x"}),
        ("A=$GIVEN", {"A": "given"}),
        ("GIVEN=file\nA=$GIVEN", {"GIVEN": "file", "A": "given"}),
        ("GIVEN\n", {"GIVEN": "given"}),
        ("export GIVEN\nA=1", {"GIVEN": "given", "A": "1"}),
        ("MISSING\nA=1", {"A": "1"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A.B-C=1", {"A.B-C": "1"}),
        ("A=postgres://u:p@h:1/d?x=y", {"A": "postgres://u:p@h:1/d?x=y"}),
        ("\ufeffA=1", {"A": "1"}),
        ("", {}),
        ("\n \n", {}),
    ],
)
def test_the_format(text: str, result: dict[str, str]) -> None:
    assert parse_env(decode(text.encode(), ".env"), ".env", {"GIVEN": "given"}) == result


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("A=1\nGIVEN # note\n", "begins no assignment", 2),
        ("A B=1", "begins no assignment", 1),
        ("A=1\nexport ", "begins no assignment", 2),
        ("A=1\nlol$wut", "begins no assignment", 2),
        ("A=1\nB='x", "closing quote", 2),
        ("A=1\n\nB=${C:?why}", "C is required", 3),
        ("A=${", "no variable", 1),
    ],
)
def test_what_is_no_assignment_has_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(TopologyError, match=message) as caught:
        parse_env(text, "web.env", {})
    assert (caught.value.where.file, caught.value.where.line) == ("web.env", line)


def test_an_error_does_not_show_a_value() -> None:
    with pytest.raises(TopologyError) as caught:
        parse_env("PASS WORD=hunter2\n", ".env", {})
    assert "hunter2" not in str(caught.value)


def test_raw_files_are_taken_as_they_are() -> None:
    assert parse_env("A='$B' # x\nB=\n", "e", {}, raw=True) == {"A": "'$B' # x", "B": ""}


@pytest.mark.parametrize("data", [b"A=\xff", b"A=\0", b"A" * (MAX_CHARACTERS + 1)], ids=["bytes", "nul", "size"])
def test_files_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(TopologyError, match=r"\.env"):
        decode(data, ".env")


def test_the_process_comes_before_the_file() -> None:
    files = {".env": b"A=file\nB=file\nC=$A\n"}
    assert project_variables({"A": "process"}, files.get) == {"A": "process", "B": "file", "C": "process"}
    assert project_variables({"A": "process"}, {}.get) == {"A": "process"}


def test_many_lines_take_linear_time() -> None:
    assert len(parse_env("\n".join(f"A{i}=x" for i in range(20_000)), "e", {})) == 20_000


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="AB=:#'\"\\$ \n\t{}-x", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_env(text, "e", {"B": "1"})
    except TopologyError as error:
        assert error.where.line >= 1  # noqa: PT017 - either outcome is right


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z]{1,4}", fullmatch=True), st.text(alphabet="ab $#'\"\\\n", max_size=12)))
def test_quoted_values_come_back(values: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"'

    text = "\n".join(f"{key}={quoted(value)}" for key, value in values.items())
    assert parse_env(text, "e", {}) == values
