"""What strangers choose - branches, messages, authors, titles, names of tests - is text, wherever it goes (S1, S11)."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hostile_strings import TRAP, hostile
from markdown_it import MarkdownIt
from report_records import case, shop, suite
from repositories import Repo

from understudy.build.git import Repository
from understudy.ci.annotations import annotated
from understudy.commenting import body_of
from understudy.console import printable
from understudy.errors import UnderstudyError
from understudy.report import RunRecord
from understudy.report.markdown import COMMENT_LIMIT
from understudy.report_html.evidence import Logs
from understudy.report_html.page import render
from understudy.stacks.identity import environment_id, environment_key, name
from understudy.suites.results import Outcome

CALM = "plain"


class Started:
    """Every program that was started, as it was started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.argv: list[list[str]] = []
        real = subprocess.Popen.__init__

        def init(process: Any, args: Any, *rest: Any, **options: Any) -> None:
            assert not options.get("shell")
            assert not isinstance(args, str | bytes)
            self.argv.append([os.fsdecode(each) for each in args])
            real(process, args, *rest, **options)

        monkeypatch.setattr(subprocess.Popen, "__init__", init)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


def traps(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob(TRAP) if "refs" not in path.parts]


def test_there_are_200_and_each_is_another() -> None:
    assert len(set(hostile())) >= 200


def test_ids_and_names_are_hashes_of_them(tmp_path: Path) -> None:
    found = [
        environment_id(text, text, environment_key("up", branch=text or "x"))
        for text in hostile(tmp_path)
        if "\ud800" not in text
    ]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"e[a-z2-7]{10}", each) for each in found)
    names = [name(found[0], text) for text in hostile(tmp_path) if "\ud800" not in text]
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", each) for each in names)


def test_git_is_asked_for_them_as_one_word_each(tmp_path: Path, started: Started) -> None:
    repo = Repo(tmp_path / "repo")
    repo.commit({"a": "b"})
    repository = Repository.find(repo.folder)
    for text in hostile(tmp_path):
        begun = len(started.argv)
        try:
            repository.commit(text)
        except (UnderstudyError, ValueError):
            pass
        else:
            assert text in {".", "-"} or not text.strip(), text
        for argv in started.argv[begun:]:
            assert Path(argv[0]).name == "git"
            holding = [index for index, word in enumerate(argv) if text and text in word and len(text) > 3]
            assert len(holding) <= 1
            assert not holding or "--end-of-options" in argv[: holding[0]] or "=" in argv[holding[0]]
    for path in (text for text in hostile(tmp_path) if "\ud800" not in text):
        assert repository.read("HEAD", path) is None
    assert traps(tmp_path) == []


def is_branch(text: str) -> bool:
    if "\0" in text or "\ud800" in text or len(text.encode()) > 200:
        return False
    asked = ["git", "check-ref-format", "--branch", text]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def test_messages_authors_and_branches_are_read_as_they_are(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    repo.commit({"a": "b"})
    tree = repo.git("rev-parse", "HEAD^{tree}")
    read = 0
    for number, text in enumerate(hostile()):
        if "\0" in text or "\ud800" in text:
            continue
        author = re.sub(r"[\n\r<>]", "", text)[:200] or "a"
        who = {"GIT_AUTHOR_NAME": f"a{author}", "GIT_AUTHOR_EMAIL": "a@b.example"}
        message = tmp_path / "message"
        message.write_bytes(text.encode() + b"\n\nbody\n")
        commit = repo.git("commit-tree", "-F", str(message), "-p", "HEAD", tree, env=who)
        found = Repository.find(repo.folder).commit(commit) if number % 10 == 0 else None
        read += found is not None
    branches = [text for text in hostile()[::3] if is_branch(text)]
    for branch in branches:
        repo.git("update-ref", f"refs/heads/{branch}", "HEAD")
        repo.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        assert Repository.find(repo.folder).checked_out() == branch
    assert (read, len(branches)) > (15, 15)
    assert traps(tmp_path) == []


def record_of(text: str) -> RunRecord:
    """A record with the text wherever a stranger chooses it."""
    failed = replace(case(text, Outcome.FAILED), message=text, detail=text, file=text)
    return replace(shop(1), branch=text, suites=(suite(text, (failed,)),))


class Tags(HTMLParser):
    """The elements and attributes of a page, and its text outside of code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.words: list[str] = []
        self.inside = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[" ".join([tag, *sorted({key for key, _ in attrs})])] += 1
        self.inside += tag in {"code", "pre", "script", "style"}
        for key, value in attrs:
            assert not key.startswith("on")
            assert not re.match(r"\s*(javascript|data|vbscript):", value or "", re.IGNORECASE)

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag in {"code", "pre", "script", "style"}

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.words.append(data)


@pytest.fixture(scope="module")
def calm() -> tuple[set[str], set[str]]:
    record = record_of(CALM)
    return set(tags_of_markdown(record).found), set(Tags(render(record, Logs())).found)


def tags_of_markdown(record: RunRecord) -> Tags:
    return Tags(
        MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(body_of(record, None, mark="<!-- m -->"))
    )


def each() -> Iterator[str]:
    return iter(hostile())


def test_a_comment_has_no_element_mention_or_link_of_theirs(calm: tuple[set[str], set[str]]) -> None:
    for text in each():
        found = tags_of_markdown(record_of(text))
        assert set(found.found) <= calm[0], text
        said = "".join(found.words)
        assert not re.search(r"@[A-Za-z]|#\d|\bGH-\d|\bwww\.|://", said), text


def test_a_comment_is_no_longer_than_is_taken() -> None:
    many = tuple(case(f"{number}{'x' * 3000}", Outcome.FAILED) for number in range(500))
    long = replace(shop(1), suites=(suite("s" * 3000, many),), branch="b" * 100_000)
    assert len(body_of(long, None, mark="<!-- m -->")) <= COMMENT_LIMIT


def test_a_page_has_no_element_of_theirs(calm: tuple[set[str], set[str]]) -> None:
    for text in each():
        assert set(Tags(render(record_of(text), Logs())).found) <= calm[1], text


def test_an_annotation_is_one_line_that_begins_with_our_command() -> None:
    for text in each():
        for line in annotated(record_of(text)):
            assert re.match(r"::(error|warning|notice) ", line)
            assert "\n" not in line
            assert "\r" not in line
            assert line.count("::") == 2 or "::" in text


def test_the_console_shows_no_control_character() -> None:
    for text in each():
        shown = printable(text)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown), repr(shown)


def test_a_record_is_read_again_as_it_was() -> None:
    for text in each():
        if "\ud800" not in text:
            record = record_of(text)
            assert RunRecord.from_json(record.to_json()) == record
