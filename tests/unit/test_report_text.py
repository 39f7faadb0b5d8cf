from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.report_html.clean import block, line
from understudy.report_html.links import file_link, logs_named
from understudy.report_html.markup import Markup, el
from understudy.report_html.page import _json

HOSTILE = "<script>alert(1)</script>\x1b[31m\x1b]0;title\x07\u202eevil\u2028\x00\x9b1m\ud800"


class Reader(HTMLParser):
    """What a browser would make of some HTML: its tags and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_becomes_visible_and_inert() -> None:
    shown = line(HOSTILE)

    assert shown.startswith("<script>alert(1)</script>")
    assert shown.endswith("\u2039U+202E\u203aevil\u2039U+2028\u203a\u2400\u2039U+D800\u203a")
    assert not any(character in shown for character in "\x1b\x9b\x07\u202e\u2028\ud800")


@given(st.text())
def test_nothing_invisible_is_left_in_any_text(text: str) -> None:
    assert all(character.isprintable() for character in line(text).replace("\t", ""))
    assert all(character.isprintable() for character in block(text) if character not in "\n\t")


def test_what_is_long_is_cut_and_counted() -> None:
    assert line("a" * 3000) == "a" * 2000 + "\u2026 (3000 characters)"
    assert len(line("b" * 50_000_000)) < 2100
    long = block("\n".join(f"line {number}" for number in range(100_000)))
    assert len(long) < 42_000
    assert long.startswith("line 0\n")
    assert long.endswith("line 99999")
    assert "characters left out" in long
    one = block("x" * 1_000_000)
    assert len(one) < 12_000


@pytest.mark.parametrize("text", ['"><img src=x onerror=alert(1)>', "a&amp;b", "<!-- c", "]]>", "'\"`"])
def test_an_elements_text_and_attributes_stay_text(text: str) -> None:
    read = Reader(el("p", text, title=text))

    assert read.tags == ["p"]
    assert read.text == text
    assert read.attributes == {"title": text}


def test_only_what_was_built_is_taken_as_html() -> None:
    assert el("p", el("b", "x"), Markup("<i>y</i>"), None, ["<", el("br")]) == "<p><b>x</b><i>y</i>&lt;<br></p>"


@given(st.text())
def test_data_cannot_end_its_script_block(text: str) -> None:
    written = _json({"text": text, text: ["</script>", "<!--", "\u2028", "]]>"]})

    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written)["text"] == text or text == "text"


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "//evil.example/x", 'a" onclick="b', "logs/a b#c?d.log", "../x"]
)
def test_a_link_to_a_file_of_the_folder_leads_nowhere_else(path: str) -> None:
    href = Reader(file_link(".", path)).attributes["href"]

    assert href is not None
    assert href.startswith("./")
    assert not set('":#? ') & set(href)
    assert file_link(None, "<a>") == "&lt;a&gt;"


def test_the_logs_of_a_service_are_told_from_those_of_another() -> None:
    paths = ("logs/web.log", "logs/web-0123456789ab.log", "logs/web-api.log", "logs/we.log", "web.log")

    assert logs_named("web", paths) == ("logs/web.log", "logs/web-0123456789ab.log")
    assert logs_named("w.b", paths) == ()
