"""Text, JSON, Markdown and HTML of the same record: nothing in a name or a value can steer any of them."""

from __future__ import annotations

import html
import importlib.resources
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from understudy.diff import html as page
from understudy.diff import markdown, text
from understudy.diff.record import (
    DifferenceRecord,
    DiffRecord,
    DriftRecord,
    PreviewRecord,
    PropertyRecord,
    SideRecord,
    StepRecord,
)
from understudy.report.visible import plural, visible

HOSTILE = (
    "a|b`c`<script>alert(1)</script><!-- x --> [l](javascript:x) ![i](https://x.example/p) @all #1 **b** _i_ "
    "https://x.example www.x.example me@x.example </code></td></details>\n| new | row |\n\x1b[31mred\x1b]0;t\x07"
    "\u202egnp.exe\u2066\u200f\ud800 &lt; \\| ~~s~~ :tada: GH-1"
)


def record(value: str = HOSTILE, count: int = 1) -> DiffRecord:
    found = tuple(
        DifferenceRecord(
            f"services.{value}{number}.environment.{value}",
            f"services.{value}{number}",
            f"{number}{value}",
            None if number % 3 else value,
            value,
            "scaled",
            value,
            "commit" if number % 2 else "clone",
        )
        for number in range(count)
    )
    return DiffRecord(
        "topology",
        SideRecord("production", value),
        SideRecord("commit", value, commit="a" * 40, branch=value),
        project=value,
        different=True,
        unchanged=2,
        differences=found,
        fidelity={"scaled": count},
        preview=PreviewRecord(
            value, True, {"create": 1, "same": 4}, (StepRecord("create", value, value, value, {value: "add"}),)
        ),
        drift=(DriftRecord("Container", value, "changed", (PropertyRecord(value, value, None),), value),),
        warnings=(value,),
        version="1",
    )


def small() -> DiffRecord:
    found = (
        DifferenceRecord(
            "services.web.image", "services.web", "web:1", "web:2", "changed by commit abc", "changed", cause="commit"
        ),
        DifferenceRecord("services.db", "services.db", None, "postgres:15"),
    )
    before, after = SideRecord("production", "origin/main"), SideRecord("commit", "0123456", commit="0" * 40)
    return DiffRecord("topology", before, after, "shop", True, 3, found, {"changed": 1})


def test_the_text_says_what_was_what_is_and_why() -> None:
    assert text.render(small()) == (
        "--- production origin/main\n"
        "+++ commit 0123456\n"
        "\n"
        "Changed by the commit\n"
        "  services.web\n"
        "    ~ image: web:1 -> web:2\n"
        "        changed by commit abc [changed]\n"
        "\n"
        "Differences\n"
        "  services.db\n"
        "    + service: (absent) -> postgres:15\n"
        "\n"
        "2 differences in 2 parts, 3 unchanged; fidelity: 1 changed.\n"
    )


def test_what_is_alike_in_several_parts_is_shown_once() -> None:
    each = DifferenceRecord("services.a.user", "services.a", None, "x", "why", cause="clone")
    alike = [replace(each, path=f"{subject}.user", subject=subject) for subject in ("services.b", "networks.a")]
    other = replace(each, path="services.b.init", subject="services.b")
    shown = replace(small(), differences=(each, *alike[:1], other))
    assert (
        "So in every clone\n"
        "  services.a, b\n"
        "    + user: (absent) -> x\n"
        "        why\n"
        "  services.b\n"
        "    + init: (absent) -> x\n"
    ) in text.render(shown)
    assert "  services.a, networks.a\n" in text.render(replace(small(), differences=(each, alike[1])))
    assert len(json.loads(shown.to_json())["differences"]) == 3


def test_the_text_has_colour_only_when_asked_and_keeps_to_its_width() -> None:
    assert "\033[" not in text.render(record())
    coloured = text.render(small(), colour=True)
    assert "\033[33m" in coloured
    assert re.sub(r"\033\[\d+m", "", coloured) == text.render(small())


@given(st.text(max_size=400), st.integers(40, 120))
def test_no_text_is_wider_than_it_may_be_or_steers_a_terminal(value: str, width: int) -> None:
    shown = text.render(record(value), width=width)
    for line in shown.splitlines():
        assert len(line) <= width
    assert all(c == "\n" or c.isprintable() for c in shown)


def test_the_json_fits_the_published_schema() -> None:
    published = importlib.resources.files("understudy").joinpath("schemas/diff.schema.json").read_text("utf-8")
    schema = json.loads(published)
    Draft202012Validator.check_schema(schema)
    assert schema == DiffRecord.json_schema()
    for each in (record(), small(), record(count=5)):
        data = json.loads(each.to_json())
        Draft202012Validator(schema).validate(data)
        assert data["schema"] == 1
    assert json.loads(small().to_json())["differences"][1]["before"] is None


# ---- Markdown


def cells(line: str) -> int:
    return line.count("|") - 1


@pytest.mark.parametrize("count", [1, 30])
def test_markdown_keeps_its_tables_whatever_stands_in_them(count: int) -> None:
    shown = markdown.render(record(count=count), limit=10**9)
    for line in shown.splitlines():
        if line.startswith("|"):
            assert cells(line) in {3, 4}
    tags = set(re.findall(r"</?([a-z]+)[^>]*>", shown.replace(markdown.marker(record(count=count)), "")))
    assert tags == {"code", "details", "summary", "i"}


@given(st.text(max_size=200))
def test_no_foreign_text_means_anything_in_markdown(value: str) -> None:
    """What is left of a foreign text are letters, entities and spaces: no character that Markdown knows."""
    shown = markdown.escaped(value)
    assert (
        not re.sub(r"&#\d+;", "", shown)
        .translate({ord("\u200b"): None})
        .translate({ord(c): None for c in "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "})
        .encode("ascii", "ignore")
    )
    back = html.unescape(shown).replace("\u200b", "")
    assert back == visible(value).replace("\u200b", "")
    for linked in ("@", "#", "://", "www."):
        assert not re.search(re.escape(linked) + r"\w", html.unescape(shown), re.IGNORECASE)


def test_markdown_begins_with_a_marker_that_stays_over_commits_and_closes() -> None:
    one = markdown.render(small())
    other = markdown.render(replace(small(), after=SideRecord("commit", "fedcba9", commit="f" * 40), differences=()))
    assert one.splitlines()[0] == other.splitlines()[0] == "<!-- understudy:diff:topology:shop:production:commit -->"
    hostile = markdown.marker(record("--> <b>"))
    assert hostile.count("-->") == 1
    assert hostile.endswith(" -->")
    assert hostile != markdown.marker(record("another"))


@pytest.mark.parametrize("count", [400, 4000])
def test_markdown_fits_a_comment_and_says_what_it_left_out(count: int) -> None:
    shown = markdown.render(record(count=count))
    assert len(shown) <= markdown.COMMENT_LIMIT
    assert "cut" in shown
    assert shown.count("<details>") == shown.count("</details>")
    assert len(markdown.render(small())) < 2000
    assert "cut" not in markdown.render(small())


# ---- HTML


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def parsed(shown: str) -> Page:
    found = Page()
    found.feed(shown)
    found.close()
    assert found.open == []
    return found


@given(st.text(max_size=200))
def test_the_page_is_well_formed_and_loads_and_runs_nothing(value: str) -> None:
    shown = page.render(record(value))
    found = parsed(shown)
    assert {tag for tag, _ in found.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "details", "summary"),
        *("table", "tr", "th", "td", "code", "span", "i"),
    }
    for _, attributes in found.tags:
        assert set(attributes) <= {"lang", "charset", "http-equiv", "content", "name", "class", "open"}
    assert "url(" not in shown.partition("</style>")[0]


def test_the_page_shows_the_hostile_text_as_text() -> None:
    shown = page.render(record())
    assert "<script" not in shown
    assert not {"\x1b", "\u202e", "\u2066", "\x07"} & set(shown)
    assert visible(HOSTILE) in parsed(shown).said


def test_drift_has_a_sentence_of_its_own() -> None:
    none = replace(small(), kind="drift", differences=(), drift=())
    assert "No drift: 3 resources as provisioned." in text.render(none)
    some = replace(record("x"), kind="drift", differences=(), preview=None)
    assert "1 resource drifted, 2 as provisioned." in text.render(some)
    assert "~ Container x: changed, x\n" in text.render(some)


def test_a_reader_of_markdown_sees_text_in_cells_and_nothing_else() -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = parsed(reader.render(markdown.render(record(count=4), limit=10**9)))
    tags = [tag for tag, _ in found.tags]
    assert set(tags) == {
        *("h3", "p", "strong", "code", "i", "details", "summary", "blockquote"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert all(not attributes for _, attributes in found.tags)
    assert visible(HOSTILE)[:60] in "".join(found.said).replace("\u200b", "")


def test_what_is_counted_has_its_plural() -> None:
    counted = [plural(count, word) for count, word in ((1, "policy"), (0, "policy"), (2, "key"))]
    assert counted == ["1 policy", "0 policies", "2 keys"]
