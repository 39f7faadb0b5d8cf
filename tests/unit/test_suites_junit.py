from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.suites import junit
from understudy.suites.junit import JUnitError, read_junit, render_junit
from understudy.suites.results import BAD, Attempt, Case, Outcome, SuiteResult, SuiteStatus

HOSTILE = "\x1b[31mred\x1b[0m \x00\x08 ]]> <b> & \ud800 \ufffe end"


def suite(*cases: Case, name: str = "s") -> SuiteResult:
    status = SuiteStatus.FAILED if any(case.outcome in BAD for case in cases) else SuiteStatus.PASSED
    return SuiteResult(name, status, "", ("pytest",), 0, 1_700_000_000.0, 1.5, 1, cases)


def parsed(*suites: SuiteResult) -> ET.Element:
    return ET.fromstring(render_junit(suites))  # noqa: S314 - our own document


def test_counts_add_up_in_each_suite_and_in_all() -> None:
    one = suite(*(Case(f"t::{o.value}", o, message="why") for o in Outcome), name="one")
    two = suite(Case("t::x", Outcome.FAILED), name="two")

    root = parsed(one, two)

    for element in (root, *root.findall("testsuite")):
        cases = list(element.iter("testcase"))
        found = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
        assert element.get("tests") == str(len(cases))
        assert element.get("failures") == str(found["failure"])
        assert element.get("errors") == str(found["error"])
        assert element.get("skipped") == str(found["skipped"])
    assert (root.get("tests"), root.get("skipped"), root.get("flakes")) == ("12", "5", "1")


def test_every_failed_attempt_of_a_test_is_kept_and_counted_once() -> None:
    earlier = (Attempt(Outcome.FAILED, message="first", detail="trace 1"), Attempt(Outcome.ERROR, message="second"))
    cases = [
        Case(f"t::{outcome.value}", outcome, message="last", earlier=earlier)
        for outcome in (Outcome.FLAKY, Outcome.FAILED, Outcome.INTERRUPTED)
    ]

    root = parsed(suite(*cases))

    assert [[(child.tag, child.get("message")) for child in case] for case in root.iter("testcase")] == [
        [("flakyFailure", "first"), ("flakyError", "second")],
        [("failure", "last"), ("rerunFailure", "first"), ("rerunError", "second")],
        [("skipped", "last"), ("rerunFailure", "first"), ("rerunError", "second")],
    ]
    assert (root.get("failures"), root.get("errors"), root.get("flakes")) == ("1", "0", "1")
    assert root.findtext(".//flakyFailure/stackTrace") == "trace 1"


def test_what_an_environment_did_is_an_error_of_its_own_type() -> None:
    error = parsed(suite(Case("t::a", Outcome.ENVIRONMENT, message="db exited with code 1"))).find(".//error")

    assert error is not None
    assert (error.get("type"), error.get("message")) == ("environment-failed", "db exited with code 1")


def test_a_pass_after_retries_of_another_tool_is_flaky(tmp_path: Path) -> None:
    path = tmp_path / "j.xml"
    path.write_text(
        '<testsuite><testcase name="a"><flakyFailure message="m"><stackTrace>at x</stackTrace></flakyFailure>'
        '</testcase><testcase name="b"><failure message="last"/><rerunError message="again"/></testcase></testsuite>'
    )

    one, two = read_junit(path)

    assert (one.outcome, one.attempts, one.earlier[0].message, one.earlier[0].detail) == (Outcome.FLAKY, 2, "m", "at x")
    assert (two.outcome, two.earlier) == (Outcome.FAILED, (Attempt(Outcome.ERROR, message="again"),))


def test_a_test_that_did_not_run_says_why() -> None:
    root = parsed(suite(Case("t::a", Outcome.NOT_RUN, message="not run: test b failed")))

    skipped = root.find(".//skipped")
    assert skipped is not None
    assert skipped.get("message") == "not run: test b failed"


def test_names_are_those_of_pytest() -> None:
    root = parsed(suite(Case("tests/api/test_a.py::TestB::test_c[x/y::z]", Outcome.PASSED, file="f.py", line=7)))

    case = root.find(".//testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == ("tests.api.test_a.TestB", "test_c[x/y::z]")
    assert (case.get("file"), case.get("line")) == ("f.py", "7")


def test_hostile_text_stays_text() -> None:
    case = Case(f"t::{HOSTILE}", Outcome.FAILED, message=HOSTILE, detail=HOSTILE, sections=(("out", HOSTILE),))

    root = parsed(suite(case, name=HOSTILE))

    failure = root.find(".//failure")
    assert failure is not None
    assert failure.text == "red \\x00\\x08 ]]> <b> & \\ud800 \\ufffe end"
    assert failure.get("message") == failure.text
    assert root.find(".//b") is None


@given(st.text(st.characters(), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_makes_a_document(text: str) -> None:
    case = Case(f"t::{text}", Outcome.ERROR, message=text, detail=text, sections=((text, text),), file=text)

    assert parsed(suite(case, name=text)).get("errors") == "1"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    again = (Attempt(Outcome.FAILED, message="once", detail="trace"),)
    cases = [
        Case(f"t::{o.value}", o, seconds=0.25, message="why", earlier=again if o is Outcome.FLAKY else ())
        for o in Outcome
    ]
    path = tmp_path / "j.xml"
    path.write_bytes(render_junit([suite(*cases)]))

    read = read_junit(path)

    assert [case.outcome.value for case in read] == [
        "passed",
        "flaky",
        "failed",
        "error",
        "skipped",
        "skipped",
        "passed",
        "skipped",
        "error",
        "skipped",
        "skipped",
    ]
    assert {case.seconds for case in read} == {0.25}
    assert read[1].earlier == again
    assert read[2].message == "why"


BOMB = b'<!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;&x;">]><testsuite><testcase name="&y;"/></testsuite>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>'


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        (b"", "no well-formed XML"),
        (b"not xml", "no well-formed XML"),
        (b"<testsuite>", "no well-formed XML"),
        (b"<html/>", "begins with <html>"),
        (b"<testsuite>" * 100 + b"</testsuite>" * 100, "nested deeper"),
        (b'<?xml version="1.0" encoding="nonsense"?><testsuite/>', "no well-formed XML"),
        (b"<testsuite>\xff</testsuite>", "no well-formed XML"),
        (b'<testsuite><testcase name="&undefined;"/></testsuite>', "no well-formed XML"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "j.xml"
    path.write_bytes(data)

    with pytest.raises(JUnitError, match=why):
        read_junit(path)


def test_size_links_and_missing_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.suites.junit.LARGEST", 10)
    (tmp_path / "big.xml").write_bytes(b"<testsuite></testsuite>")
    (tmp_path / "link.xml").symlink_to(tmp_path / "big.xml")
    os.mkfifo(tmp_path / "pipe.xml")

    for name, why in (
        ("big", "larger"),
        ("link", "cannot be read"),
        ("none", "cannot be read"),
        ("pipe", "cannot be read"),
    ):
        with pytest.raises(JUnitError, match=why):
            read_junit(tmp_path / f"{name}.xml")


def test_odd_files_of_other_tools_are_read(tmp_path: Path) -> None:
    path = tmp_path / "j.xml"
    path.write_text(
        '<testsuite><testcase name="a" time="1,234.5"/><testcase time="x" line="y"><failure>first\nrest</failure>'
        "</testcase></testsuite>"
    )

    one, two = read_junit(path)

    assert (one.id, one.seconds) == ("a", 1234.5)
    assert (two.id, two.seconds, two.line, two.message) == ("(case 2)", 0.0, None, "first")


def test_a_file_of_nothing_but_elements_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "_MOST", 100)
    (tmp_path / "r.xml").write_text("<testsuite>" + '<testcase name="a"/>' * 100 + "</testsuite>")

    with pytest.raises(JUnitError, match="more than 100 elements"):
        read_junit(tmp_path / "r.xml")
