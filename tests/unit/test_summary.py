"""The summary, the annotations and the outputs of one record: everything foreign in it is text, and only text."""

from __future__ import annotations

import html
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from understudy.ci.annotations import MOST, annotated
from understudy.ci.github import outputs, publish
from understudy.console import printable
from understudy.report import (
    CauseRecord,
    EndpointRecord,
    KeptRecord,
    LeftoverRecord,
    PartRecord,
    PhaseRecord,
    ReceiptRecord,
    RunRecord,
    SinkRecord,
    SuiteRecord,
    utc,
)
from understudy.report.markdown import COMMENT_LIMIT
from understudy.report.summary import STEP_LIMIT, summary, summary_marker
from understudy.stacks.clone import Change, Fidelity
from understudy.suites.results import Attempt, Case, Outcome, SuiteResult, SuiteStatus

HOSTILE = (
    "a|b`c`<script>alert(1)</script><!-- x --> [l](javascript:x) ![i](https://x.example/p) @all #1 **b** "
    "</code></pre></td></details>\n| new | row |\n::set-output name=a::b\r\n##[error]x\n\x1b[31mred \u202e "
    "GH-1 www.x.example"
)


def suite(*cases: Case, name: str = "api", folder: str = "shop/tests") -> SuiteRecord:
    status = SuiteStatus.FAILED if cases else SuiteStatus.PASSED
    return SuiteRecord.of(SuiteResult(name, status, "", ("pytest",), 1, 1.0, 2.0, 1, cases), folder=folder)


def run(
    *suites: SuiteRecord, code: int = 1, message: str = "Tests failed: 1 failed.", text: str = "topic"
) -> RunRecord:
    receipt = ReceiptRecord("e1", "docker:x", "CLEAN", utc(9), (), "", {"container": 3})
    record = RunRecord(
        "20260102-e1", "e1", "docker:x", "shop", "r", "shop/compose.yaml", "a" * 40, text, "main", utc(1)
    )
    record = replace(
        record,
        ended=utc(9),
        seconds=71.0,
        receipt=receipt,
        suites=suites,
        phases=(PhaseRecord("provision", utc(1), 0.0, 2.5),),
        endpoints=(EndpointRecord("web", 80, "127.0.0.1", 3000, "http", "http://127.0.0.1:3000"),),
    )
    record = record.with_changes((Change("services.web.ports", "80:80", None, "one relay", Fidelity.CHANGED),))
    return record.with_cause(CauseRecord(code, "TestsFailedError", "test", message)) if code else record


def failed(text: str = "assert 1 == 2", identity: str = "test_a.py::test_b") -> Case:
    return Case(identity, Outcome.FAILED, 0.5, 5.0, "", text, text, (), "test_a.py", 7)


def shown(text: str) -> str:
    """What a reader of the rendered page sees."""
    page = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).replace("\u200b", "").split())


def test_the_worst_comes_first() -> None:
    stopped = replace(run(suite(failed(), Case("ok", Outcome.PASSED))), stopped_by="test a failed in suite api")
    text = shown(summary(stopped))
    order = (
        "tests failed",
        "test a failed in suite api",
        "1 passed",
        "1 test failed",
        "assert 1 == 2",
        "shop/tests/test_a.py:7",
        "CLEAN",
    )
    places = [text.index(words) for words in (*order, "What differs from production", "Durations: 1 min 11 s")]
    assert places == sorted(places)
    assert "understudy run --commit " + "a" * 40 + " --file compose.yaml" in text


def test_what_ran_on_aws_is_run_again_there() -> None:
    on_aws = shown(summary(replace(run(suite()), target="aws:123456789012:eu-west-1")))
    assert "--file compose.yaml --target aws" in on_aws
    assert "--target" not in shown(summary(run(suite())))


def test_every_file_is_named_that_a_run_was_of() -> None:
    two = replace(run(suite()), documents=("shop/compose.yaml", "base/images.yaml"))
    assert "--file compose.yaml --file ../base/images.yaml" in shown(summary(two))


def test_each_kind_of_bad_test_is_told_apart() -> None:
    cases = (
        failed("broken"),
        Case("t::env", Outcome.ENVIRONMENT, message="db died"),
        Case("t::flaky", Outcome.FLAKY, earlier=(Attempt(Outcome.FAILED, message="first time"),)),
        Case("t::fine", Outcome.PASSED, message="not told"),
    )
    text = shown(summary(run(suite(*cases))))
    for words in (
        "1 test failed",
        "broken",
        "1 test ran while the environment failed",
        "db died",
        "1 test passed only",
        "first time",
    ):
        assert words in text
    assert "not told" not in text


def test_urls_are_those_of_an_environment_that_is_there() -> None:
    record = run(suite())
    assert "http://127.0.0.1:3000" not in shown(summary(record))
    kept = replace(record, receipt=None)
    assert "http://127.0.0.1:3000" in shown(summary(kept))
    assert "understudy down e1" in shown(summary(kept))
    assert json.loads(outputs(kept, Path())["urls"]) == {"web:80": "http://127.0.0.1:3000"}
    assert json.loads(outputs(record, Path())["urls"]) == {}
    killed = replace(kept, ended=None)
    assert "http://127.0.0.1:3000" not in shown(summary(killed))
    assert "not finished" in shown(summary(killed))


def test_an_environment_that_died_is_no_failed_provisioning() -> None:
    record = replace(run(code=0), exit_code=3)
    died = record.with_cause(CauseRecord(3, "EnvironmentFailedError", "test", "db was killed"))
    assert "Understudy: the environment failed while tests ran db was killed" in shown(summary(died))
    built = record.with_cause(CauseRecord(3, "ProvisionError", "build", "no such base image"))
    assert "Understudy: provisioning failed no such base image" in shown(summary(built))


def test_a_kept_environment_says_until_when_and_how_to_go_on() -> None:
    kept = KeptRecord(utc(60), utc(120), ("understudy extend e1", "understudy down e1"))
    text = shown(summary(replace(run(suite(failed())), receipt=None, ended=None, kept=kept)))
    for words in ("1970-01-01T00:01:00", "1970-01-01T00:02:00", "understudy extend e1", "http://127.0.0.1:3000"):
        assert words in text


def test_a_sink_that_failed_and_a_part_are_named() -> None:
    sinks = (
        SinkRecord("s3://b/p", ok=False, attempts=3, seconds=9.0, message="no room"),
        SinkRecord("x", True, 1, 1.0),
    )
    text = shown(summary(replace(run(suite(failed())), sinks=sinks, shard="2/3")))
    assert "Not sent to s3://b/p in 3 tries: no room" in text
    assert "part 2/3" in text


def test_leftovers_are_named_with_the_command_that_removes_them() -> None:
    receipt = ReceiptRecord("e1", "docker:x", "LEFTOVERS", utc(9), (LeftoverRecord("volume", "v", "e1-data"),), "", {})
    text = shown(summary(replace(run(code=4), receipt=receipt)))
    assert "LEFTOVERS" in text
    assert "volume e1-data" in text
    assert "understudy down e1" in text


TAGS = re.compile(
    r"</?(?:h\d|p|code|pre|details|summary|table|t[rdh]|thead|tbody|strong|blockquote|br|i)(?: open)?(?:=\"\")?>"
)
LINKED = re.compile(r"[@#]\w|://\w|www\.|\bGH-\d")


@given(st.text(max_size=60) | st.just(HOSTILE))
def test_no_foreign_text_is_markup_or_a_mention(text: str) -> None:
    case = replace(failed(text, text), file=text)
    record = run(suite(case, name=text, folder=text), message=text, text=text)
    record = replace(record, warnings=(text,), profile=text, topology=text, project=text)
    record = record.with_changes((Change(f"services.{text}", text, text, text, Fidelity.CHANGED),))
    page = summary(record)
    first, _, rest = page.partition("\n")
    assert first == summary_marker(record)
    assert re.fullmatch(r"<!-- [\w.:-]+ -->", first)
    assert "<" not in TAGS.sub("", MarkdownIt("gfm-like", {"linkify": False}).render(rest))
    looked_at = re.sub(r"<pre>.*?</pre>", "", rest, flags=re.DOTALL)
    assert not LINKED.search(html.unescape(looked_at))
    assert page.count("<details") == page.count("</details>")


def test_it_fits_a_comment_and_a_step_and_says_what_was_cut() -> None:
    cases = tuple(failed("x|" * 3000, f"test_{number}") for number in range(300))
    record = run(suite(*cases))
    assert len(summary(record)) <= COMMENT_LIMIT
    assert "cut**" in summary(record)
    assert summary(record).count("<details") == summary(record).count("</details>")
    assert len(summary(record, limit=STEP_LIMIT)) <= STEP_LIMIT


# ---- annotations, in the log


def test_an_annotation_names_file_line_and_title_and_is_one_line() -> None:
    (line,) = annotated(run(suite(failed("50%, a: b\nsecond"))))
    assert line.startswith(
        "::error file=shop/tests/test_a.py,line=7,title=api%3A test_a.py%3A%3Atest_b::50%25, a: b%0Asecond"
    )


def test_no_more_are_made_than_are_shown() -> None:
    lines = annotated(run(suite(*(failed(identity=f"t{number}") for number in range(30)))))
    assert len(lines) == MOST
    assert "21 more" in lines[-1]
    assert len(annotated(run(suite(*(failed(identity=f"t{number}") for number in range(10)))))) == MOST


def test_a_cause_that_is_no_test_is_an_error_and_a_flaky_test_a_warning() -> None:
    record = run(suite(Case("f", Outcome.FLAKY)), code=4, message="Something is left.")
    assert [line.partition(" ")[0] for line in annotated(record)] == ["::error", "::warning"]
    assert annotated(run(suite(), code=0)) == ()


@given(st.text(max_size=60) | st.just(HOSTILE))
def test_foreign_text_ends_no_property_and_begins_no_line(text: str) -> None:
    for line in annotated(run(suite(replace(failed(text, text), file=text), folder=text), text=text)):
        assert len(line.splitlines()) == 1
        head, _, _ = line.removeprefix("::").partition("::")
        kind, _, given_ = head.partition(" ")
        assert kind == "error"
        assert {each.partition("=")[0] for each in given_.split(",")} <= {"file", "line", "title"}


@pytest.mark.parametrize("file", ["/etc/passwd", "../../x", ""])
def test_a_file_outside_of_the_repository_is_not_named(file: str) -> None:
    (line,) = annotated(run(suite(replace(failed(), file=file), folder="tests")))
    assert "file=" not in line


@pytest.mark.parametrize(
    "text",
    ["::set-output name=a::b", "  ::stop-commands::x", "fine\n::error::x", "a ##[set-output name=a;]b", "x\r::y::z"],
)
def test_what_is_printed_is_no_command(text: str) -> None:
    for line in printable(text).splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


def test_what_is_no_command_is_printed_as_it_is() -> None:
    assert printable("a::b [::1]:80 ## c [d]\n") == "a::b [::1]:80 ## c [d]\n"


# ---- the step's files


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    given = {"GITHUB_STEP_SUMMARY": tmp_path / "summary", "GITHUB_OUTPUT": tmp_path / "output"}
    return {"GITHUB_ACTIONS": "true"} | {name: str(path) for name, path in given.items()}


def test_the_step_gets_annotations_summary_and_outputs(tmp_path: Path, variables: dict[str, str]) -> None:
    out = io.StringIO()
    record = run(suite(failed()), text="x\nunderstudy_\nverdict=passed")
    (tmp_path / "summary").write_text("before\n", encoding="utf-8")
    publish(record, tmp_path, variables, out)
    assert out.getvalue().startswith("::error ")
    assert (tmp_path / "summary").read_text(encoding="utf-8") == "before\n" + summary(record, limit=STEP_LIMIT - 7)
    written = (tmp_path / "output").read_text(encoding="utf-8")
    found = dict(re.findall(r"^([\w-]+)<<(?:(understudy_\w{32}))\n", written, re.MULTILINE))
    assert list(found) == ["environment", "verdict", "exit-code", "run", "run-folder", "urls"]
    assert len(set(found.values())) == len(found)
    assert f"verdict<<{found['verdict']}\ntests failed\n{found['verdict']}\n" in written


def test_a_full_summary_stays_within_the_limit_and_a_missing_file_fails_nothing(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    out = io.StringIO()
    (tmp_path / "summary").write_bytes(b"x" * (STEP_LIMIT - 3000))
    publish(run(suite(*(failed("\u00e9" * 900, f"t{n}") for n in range(40)))), tmp_path, variables, out)
    assert STEP_LIMIT - 3000 < (tmp_path / "summary").stat().st_size <= STEP_LIMIT
    publish(run(), tmp_path, variables | {"GITHUB_OUTPUT": str(tmp_path / "none" / "output")}, out)
    assert "::warning title=Understudy::Wrote the step's outputs, and it failed" in out.getvalue()


def test_outside_of_github_nothing_happens(tmp_path: Path, variables: dict[str, str]) -> None:
    out = io.StringIO()
    publish(run(suite(failed())), tmp_path, variables | {"GITHUB_ACTIONS": ""}, out)
    assert (out.getvalue(), list(tmp_path.iterdir())) == ("", [])


def test_a_joined_run_names_no_environment_of_its_own() -> None:
    parts = tuple(PartRecord(f"{n}/2", f"r{n}", f"e{n}", f"parts/{n}", utc(0), 4.0, 0, "CLEAN") for n in (1, 2))
    joined = replace(run(code=0), environment="", receipt=None, parts=parts)
    assert "environment" not in shown(summary(joined))
