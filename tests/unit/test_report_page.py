from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_records import BEGAN, case, folder_of, shop, suite

from understudy.errors import UsageError
from understudy.report import (
    CauseRecord,
    CiRecord,
    EndpointRecord,
    KeptRecord,
    MockRecord,
    PartRecord,
    ResourceRecord,
    RunRecord,
    SinkRecord,
    WaitRecord,
    utc,
)
from understudy.report_html import page_of, write_report
from understudy.report_html.evidence import Logs
from understudy.report_html.layout import draw
from understudy.report_html.moments import duration
from understudy.report_html.page import render
from understudy.report_html.parts_tests import history_part
from understudy.report_html.spans import spans_of
from understudy.report_html.verdict import verdict_of
from understudy.suites.results import Outcome

BOX, GAP = (10.0, 4.0), (5.0, 2.0)


def script_of(page: str) -> str:
    return page.rpartition("<script>")[2].partition("</script>")[0]


def test_the_page_allows_its_own_script_and_nothing_else() -> None:
    page = render(shop(), Logs())
    digest = base64.b64encode(hashlib.sha256(script_of(page).encode()).digest()).decode()

    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    wanted = (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    assert [html.unescape(each) for each in policy] == ["; ".join(wanted)]
    assert page.count("<script") == 2
    assert not re.search(r"""(src|href)=["']?(https?:|//|data:)|@import|url\(""", page)
    assert "innerHTML" not in page


def test_the_same_record_makes_the_same_page(tmp_path: Path) -> None:
    folder = folder_of(shop(40, 2, 3), tmp_path)

    assert page_of(folder) == page_of(folder)
    written = write_report(folder)
    assert written.read_text(encoding="utf-8") == page_of(folder)
    assert written.stat().st_mode & 0o777 == 0o600


def test_links_lead_back_to_the_run_folder_from_wherever_the_page_is(tmp_path: Path) -> None:
    folder = folder_of(shop(), tmp_path)

    page = write_report(folder, tmp_path / "elsewhere.html").read_text(encoding="utf-8")
    assert f'href="{folder.name}/junit.xml"' in page
    assert 'href="./junit.xml"' in write_report(folder).read_text(encoding="utf-8")
    assert "<li>junit.xml</li>" in page_of(folder, None)


def test_a_folder_without_a_record_of_this_version_is_refused(tmp_path: Path) -> None:
    for text in ("", "{}", '{"schema": 1}'):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(UsageError, match=r"run\.json") as caught:
            page_of(tmp_path)
        assert caught.value.hint
    with pytest.raises(UsageError, match="No such file"):
        page_of(tmp_path / "absent")


@pytest.mark.parametrize(
    ("record", "kind", "said"),
    [
        (shop(), "passed", "All 12 tests passed."),
        (shop(1), "passed", "The one test passed."),
        (shop(12, failing=2), "failed", "2 of 12 tests failed; 10 passed."),
        (replace(shop(), suites=()), "passed", "No tests were run."),
        (replace(shop(3), ended=None), "unfinished", "Last known: after test. All 3 tests passed."),
        (replace(shop(), ended=None, phases=(), suites=()), "unfinished", "Last known: at its beginning."),
        (
            shop().with_cause(CauseRecord(130, "InterruptedRunError", "test", "Interrupted.\nx")),
            "interrupted",
            "Interrupted.",
        ),
        (shop().with_cause(CauseRecord(3, "ProvisionError", "ready", "db died.\nLook.")), "broken", "db died."),
        (shop().with_cause(CauseRecord(99, "X", "", "Odd.")), "broken", "Odd."),
    ],
)
def test_the_verdict_says_what_the_record_says(record: RunRecord, kind: str, said: str) -> None:
    verdict = verdict_of(record)

    assert verdict.kind == kind
    assert said in verdict.reason
    page = render(record, Logs())
    assert f'<body class="is-{kind}">' in page
    assert verdict.reason in page


def test_an_environment_that_died_under_the_tests_is_not_one_that_was_never_made() -> None:
    died = shop().with_cause(CauseRecord(3, "EnvironmentFailedError", "test", "Service db died."))
    unmade = shop().with_cause(CauseRecord(3, "ProvisionError", "ready", "db died."))
    assert (verdict_of(died).word, verdict_of(unmade).word) == ("The environment failed", "Not provisioned")


def test_causes_say_what_to_do_and_failing_tests_are_told_without_scripts() -> None:
    failed = shop(3, failing=1).with_cause(CauseRecord(6, "ExportError", "export", "Wrote it.\nMake some room."))
    page = render(failed, Logs())

    assert "Make some room." in page
    assert "ExportError in phase export, exit code 6" in page
    inside = page.partition("<noscript>")[2].partition("</noscript>")[0]
    assert "test_number_00002" in inside
    assert "assert 502 == 200" in inside


def test_a_record_of_the_beginning_alone_makes_a_page() -> None:
    least = RunRecord("r", "e", "t", "p", "", "", "", "", "", utc(0))

    page = render(least, Logs())
    assert "Did not finish" in page
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert (data["tests"], data["spans"], data["total"]) == ([], [], 0.0)


def test_flaky_tests_and_those_that_take_longer_are_told_with_their_history() -> None:
    steady = case("t::steady", seconds=0.02)
    slow = case("t::slow", seconds=1.5)
    retried = case("t::retried", Outcome.FLAKY)
    turns = replace(
        case("t::turns"),
        before=tuple(replace(b, outcome=o) for b, o in zip(steady.before, ("failed", "passed"), strict=True)),
    )
    newly = case("t::newly", Outcome.FAILED)
    cut_off = case("t::cut-off", Outcome.INTERRUPTED, seconds=9.0)
    idle = replace(case("t::idle", seconds=9.0), before=(replace(steady.before[0], outcome="not-run", seconds=0.0),))
    every = (steady, slow, retried, turns, newly, cut_off, idle)
    part = history_part(replace(shop(), suites=(suite("one", every),)))

    assert part is not None
    flaky, _, moved = part.partition("Slower or faster")
    assert [name in flaky for name in ("t::steady", "t::retried", "t::turns", "t::newly")] == [False, True, True, False]
    assert "1 of 3" in flaky
    assert "t::slow" in moved
    assert "+1.48 s" in moved
    assert not [name for name in ("t::steady", "t::cut-off", "t::idle") if name in moved]
    assert history_part(replace(shop(), suites=())) is None


def test_a_drawing_puts_what_is_needed_to_the_right_and_nothing_over_another() -> None:
    names = ["web", "api", "db", "queue", "alone", "lonely"]
    edges = [("web", "api"), ("api", "db"), ("web", "db"), ("api", "queue"), ("x", "db"), ("db", "db")]
    drawing = draw(names, edges, box=BOX, gap=GAP)

    assert set(drawing.nodes) == set(names)
    assert set(drawing.edges) == {("web", "api"), ("api", "db"), ("web", "db"), ("api", "queue")}
    assert all(drawing.nodes[a][0] < drawing.nodes[b][0] for a, b in drawing.edges)
    assert len(drawing.edges["web", "db"]) == 3
    places = list(drawing.nodes.values())
    for index, (x, y) in enumerate(places):
        assert all(abs(x - u) >= BOX[0] or abs(y - v) >= BOX[1] for u, v in places[index + 1 :])
        assert BOX[0] / 2 <= x <= drawing.width - BOX[0] / 2
        assert BOX[1] / 2 <= y <= drawing.height - BOX[1] / 2
    assert draw(names, edges, box=BOX, gap=GAP) == drawing
    assert drawing.nodes["alone"][1] > max(drawing.nodes[name][1] for name in names[:4])


def test_a_circle_or_nothing_to_draw_is_drawn_all_the_same() -> None:
    circle = draw(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")], box=BOX, gap=GAP)
    assert set(circle.nodes) == {"a", "b", "c"}
    assert draw([], [], box=BOX, gap=GAP).nodes == {}


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "0 ms"), (9.999, "10.00 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (3600, "1 h 0 min")]
)
def test_durations_are_told_as_people_tell_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_offsets_by_the_monotonic_clock_win_over_the_moments() -> None:
    moved = replace(case("t::x", at=100.0), offset=2.5)
    page = render(replace(shop(), started=utc(BEGAN), suites=(suite("one", (moved,)),)), Logs())

    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["tests"][0][3] == 2.5


def test_what_was_kept_sent_and_joined_is_told() -> None:
    kept = KeptRecord(utc(60), utc(120), ("understudy down e0shop",))
    record = replace(
        shop(failing=1),
        kept=kept,
        endpoints=(EndpointRecord("web", 80, "127.0.0.1", 3000, "http", "http://127.0.0.1:3000"),),
        sinks=(SinkRecord("s3://bucket/x", ok=False, attempts=3, seconds=2.0, message="no such bucket"),),
        parts=(PartRecord("1/2", "r1", "e1", "parts/1", utc(0), 4.0, 0),),
        mocks=(MockRecord("payments", "pay.example", 443, 7, 2, lost=3),),
        ci=CiRecord("github", "javascript:alert(1)", "build", 7),
    )
    page = render(record, Logs())

    for told in ("Kept until 1970-01-01 00:01:00 UTC", "understudy down e0shop", "web:80 at http://127.0.0.1:3000"):
        assert told in page
    for told in ("no such bucket", "1/2", "pay.example:443", "3 of them are gone", "github build"):
        assert told in page
    assert 'href="javascript' not in page


def test_a_killed_run_says_in_what_it_was() -> None:
    record = replace(shop(2), ended=None, running=("test",))
    assert verdict_of(record).reason.endswith("Last known: test. All 2 tests passed.")


def test_what_may_be_there_still_is_named_with_the_command_that_removes_it() -> None:
    killed = replace(shop(2), ended=None, receipt=None)
    assert "<code>understudy down e0shop</code>" in render(killed, Logs())
    assert "understudy down" not in render(shop(2), Logs())
    parts = tuple(
        PartRecord(f"{n}/2", f"r{n}", f"e{n}", f"parts/{n}", utc(0), 4.0, 0, receipt)
        for n, receipt in ((1, "CLEAN"), (2, ""))
    )
    joined = render(replace(killed, environment="", parts=parts), Logs())
    assert "<code>understudy down e2</code>" in joined
    assert "down e1" not in joined
    assert "No receipt" not in joined, "those of the parts are there"


def test_the_time_until_a_service_is_ready_is_a_wait_in_the_timeline() -> None:
    made = (
        ResourceRecord("db", "container", utc(BEGAN + 1), 1.0, 2.0),
        ResourceRecord("db", "wait", utc(BEGAN + 3), 3.0, 0.5, ok=False),
    )
    spans = spans_of(replace(shop(), resources=made, phases=(), suites=()))

    assert spans == [
        ("resources", "container", "container db", 1.0, 2.0, True),
        ("ready", "wait", "db gets ready", 3.0, 0.5, False),
    ]


def test_a_suites_wait_ends_in_the_timeline_when_that_was_ready() -> None:
    waiting = replace(suite("one", ()), waited=(WaitRecord("db", offset=9.0, seconds=7.5),))
    spans = spans_of(replace(shop(), phases=(), suites=(waiting,)))

    assert spans[0] == ("waits", "one", "one waited for db", 1.5, 7.5, True)


def test_the_files_of_a_run_that_did_not_reach_its_end_are_linked_too(tmp_path: Path) -> None:
    page = page_of(folder_of(replace(shop(), ended=None, files=()), tmp_path, {"db": ""}))

    assert 'href="./logs/db.log">log</a>' in page
    assert 'href="./run.json"' in page
