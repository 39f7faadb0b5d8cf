"""Joining the parts of a split run: one record of all, and every lost or doubled test by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from history_data import a_run, case, suite

from understudy.cli import cli
from understudy.errors import HaltedError, TestsFailedError, UsageError
from understudy.export.folder import RunFolder
from understudy.history.place import history_place
from understudy.history.store import History
from understudy.report import (
    CauseRecord,
    ContainerRecord,
    GraphRecord,
    MockRecord,
    Moment,
    NodeRecord,
    PhaseRecord,
    ResourceRecord,
    RunRecord,
    UsageRecord,
    WaitRecord,
    utc,
)
from understudy.report.deaths import DeathRecord
from understudy.report.joining import Part, join
from understudy.report_html.spans import spans_of
from understudy.targets.watching import How

ALL = ("t1", "t2", "t3")


def part(
    index: int, *tests: str, of: int = 2, outcomes: Mapping[str, str] | None = None, **fields: object
) -> RunRecord:
    """A part that ran `tests` of suite `api`, and knows of the others."""
    ran = suite("api", {test: ((outcomes or {}).get(test, "passed"), 1.0) for test in tests})
    ran = replace(ran, elsewhere=tuple(test for test in ALL if test not in tests), files=("suites/api/output.log",))
    given = {"commit": "c" * 40, "shard": f"{index}/{of}", "plan": "p", "ended": "2026-01-01T00:00:00.000000Z"}
    return a_run(index, ran, **{**given, **fields})


def joined(*records: RunRecord) -> RunRecord:
    return join([Part(record, f"parts/{number}") for number, record in enumerate(records)], "whole")


def told(record: RunRecord) -> str:
    return "\n".join(cause.message for cause in record.causes)


def test_parts_become_a_whole() -> None:
    whole = joined(part(2, "t3", "t1"), part(1, "t2"))
    (api,) = whole.suites
    assert (whole.exit_code, whole.causes, whole.shard) == (0, (), "")
    assert {test.id: test.part for test in api.tests} == {"t1": "parts/0", "t2": "parts/1", "t3": "parts/0"}
    assert (api.counts["passed"], sum(api.counts.values()), api.workers) == (3, 3, 2)
    assert [each.shard for each in whole.parts] == ["1/2", "2/2"]
    assert sorted(api.files) == ["parts/0/suites/api/output.log", "parts/1/suites/api/output.log"]
    assert RunRecord.from_json(whole.to_json()) == whole


def test_the_whole_was_ready_with_the_last_part_and_is_as_well_as_the_worst() -> None:
    def ended(number: int, health: str, ready: str | None) -> RunRecord:
        graph = GraphRecord((NodeRecord("db", "database", "faithful", health),))
        return replace(part(number, *ALL[number - 1 :: 2]), graph=graph, ready_at=ready and Moment(ready))

    late = "2026-01-01T00:00:02.000000Z"
    whole = joined(ended(1, "healthy", "2026-01-01T00:00:01.000000Z"), ended(2, "exited", late))
    assert (whole.graph.nodes[0].health, whole.ready_at) == ("exited", late)
    assert joined(ended(1, "healthy", None), ended(2, "", late)).ready_at is None


def measured(index: int, *tests: str) -> RunRecord:
    """A part that began at second 1000, 1060 ... and measured what every run does."""
    at, made = utc(940 + 60 * index), part(index, *tests)
    (api,) = made.suites
    timed = tuple(replace(test, offset=5.0) for test in api.tests)
    api = replace(api, offset=4.0, tests=timed, waited=(WaitRecord("db", 3.0, 1.0),))
    return replace(
        made,
        started=at,
        ended=utc(950 + 60 * index),
        ready_at=utc(943 + 60 * index),
        suites=(api,),
        phases=(PhaseRecord("provision", at, 1.0, 2.0), PhaseRecord("test", at, 4.0, 2.0)),
        resources=(ResourceRecord("db", "container", at, 1.5, 1.0),),
        containers=(ContainerRecord(f"e{index}-db", "db", {"state": "running", "restarts": 0}),),
        usage=(UsageRecord("db", f"e{index}-db", 0.5 * index, index << 20, None, None, None, 3),),
        mocks=(MockRecord("pay", "pay.example", 443, index),),
        deaths=(DeathRecord("db", f"e{index}-db", How.EXITED, at, "exited", 1, "", ""),),
        graph=GraphRecord((NodeRecord("db", "database", "faithful", "healthy"),)),
    )


def test_what_was_made_and_measured_is_joined_on_one_clock_and_names_its_part() -> None:
    whole = joined(measured(2, "t1", "t3"), measured(1, "t2"))
    one, two = "parts/1", "parts/0"
    assert [(p.name, p.offset, p.part) for p in whole.phases] == [
        *[("provision", 1.0, one), ("test", 4.0, one), ("provision", 61.0, two), ("test", 64.0, two)]
    ]
    assert [(r.name, r.offset, r.part) for r in whole.resources] == [("db", 1.5, one), ("db", 61.5, two)]
    assert [(c.name, c.part) for c in whole.containers] == [("e1-db", one), ("e2-db", two)]
    assert [(u.cpu_seconds, u.part) for u in whole.usage] == [(0.5, one), (1.0, two)]
    assert [(m.requests, m.part) for m in whole.mocks] == [(1, one), (2, two)]
    assert [(d.container, d.part) for d in whole.deaths] == [("e1-db", one), ("e2-db", two)]
    (api,) = whole.suites
    assert {test.id: test.offset for test in api.tests} == {"t2": 5.0, "t1": 65.0, "t3": 65.0}
    assert [(wait.offset, wait.part) for wait in api.waited] == [(3.0, one), (63.0, two)]
    assert (api.offset, whole.ready_offset, whole.seconds) == (4.0, 63.0, 70.0)
    assert RunRecord.from_json(whole.to_json()) == whole
    assert [label for group, _, label, *_ in spans_of(whole) if group in {"phases", "resources"}] == [
        *["1/2: provision", "1/2: test", "2/2: provision", "2/2: test", "1/2: container db", "2/2: container db"]
    ]


def test_the_page_of_a_joined_run_shows_what_its_parts_made_and_used(
    tmp_path: Path, merge: Callable[..., Result]
) -> None:
    for index, tests in ((1, ["t2"]), (2, ["t1", "t3"])):
        folder = tmp_path / f"part-{index}"
        (folder / "mocks").mkdir(parents=True)
        (folder / "mocks" / "pay.json").write_text("[]")
        RunFolder(folder).write_run(measured(index, *tests))
    done = merge(str(tmp_path / "part-1"), str(tmp_path / "part-2"))
    assert done.exit_code == 0, done.output
    page = (tmp_path / "understudy-runs" / "latest" / "report.html").read_text()
    assert "<td>1.50 s</td><td>2 MiB</td>" in page  # the sum of the parts, and the highest of them
    assert "<code>2/2: pay</code>" in page
    assert 'href="./parts/2-of-2/mocks/pay.json"' in page
    assert "2/2: container db" in page


def test_a_failure_of_a_part_is_one_of_the_whole() -> None:
    failed = part(1, "t2", outcomes={"t2": "failed"}).with_cause(CauseRecord.of(TestsFailedError("bad"), "test"))
    whole = joined(failed, part(2, "t1", "t3"))
    assert whole.exit_code == 1
    assert told(whole) == "part 1/2: bad"
    assert [test for _, test in whole.bad_tests] == [replace(case("t2", "failed"), part="parts/0")]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([part(1, "t1"), part(2, "t2")], "1 tests of suite api ran in no part:\n  t3"),
        ([part(1, "t1", "t2"), part(2, "t2", "t3")], "1 tests of suite api ran in several parts:\n  t2"),
        ([part(1, "t1", "t2")], "part 2/2 missing"),
        ([part(1, "t1", "t2")], "ran in no part:\n  t3"),
        ([part(1, "t1"), part(2, "t2", "t3", ended=None)], "part 2/2 did not end"),
        ([part(1, *ALL, elsewhere=("lint",)), part(2, elsewhere=())], "suite lint ran in no part"),
    ],
)
def test_what_is_lost_doubled_or_missing_fails_by_name(records: list[RunRecord], message: str) -> None:
    whole = joined(*records)
    assert whole.exit_code == 1
    assert message in told(whole)


def test_tests_that_a_stopped_part_did_not_come_to_are_listed_with_the_cause() -> None:
    cut = replace(suite("api", {"(suite)": ("not-run", 0.0)}, status="stopped"), reason="part 1/2: t2 failed")
    halted = part(2, suites=(cut,), stop_seconds=0.5).with_cause(CauseRecord.of(HaltedError("Stopped"), "test"))
    failed = part(1, "t2", outcomes={"t2": "failed"}).with_cause(CauseRecord.of(TestsFailedError("bad"), "test"))
    whole = joined(halted, failed)
    (api,) = whole.suites
    assert {test.id: test.outcome.value for test in api.tests} == {"t1": "not-run", "t2": "failed", "t3": "not-run"}
    assert {test.message for test in api.tests if test.id != "t2"} == {"not run: part 1/2: t2 failed"}
    assert [cause.message for cause in whole.causes] == ["part 1/2: bad", "part 2/2: Stopped"]
    assert whole.stop_seconds == 0.5


def test_a_suite_that_runs_whole_is_in_one_part() -> None:
    lint = suite("lint", {"x": ("passed", 1.0)})
    first, second = part(1, "t1", elsewhere=("lint",)), part(2, "t2", "t3")
    good = joined(first, replace(second, suites=(*second.suites, lint)))
    assert good.exit_code == 0
    twice = joined(replace(first, suites=(*first.suites, lint)), replace(second, suites=(*second.suites, lint)))
    assert "suite lint ran in parts 1/2, 2/2" in told(twice)


def test_a_part_without_tests_and_a_skipped_file_are_no_loss() -> None:
    empty = a_run(1, suite("api", {"(suite)": ("passed", 0.0), "test_x.py": ("skipped", 0.0)}))
    full = part(2, *ALL)
    api = replace(full.suites[0], tests=(*full.suites[0].tests, case("test_x.py", "skipped", 0.0)))
    first = replace(part(1), suites=(replace(empty.suites[0], elsewhere=ALL),))
    whole = joined(first, replace(full, suites=(api,)))
    assert whole.exit_code == 0
    assert sorted(test.id for test in whole.suites[0].tests) == [*ALL, "test_x.py"]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([part(1, "t1"), part(2, "t2", commit="d" * 40)], "not of one commit"),
        ([part(1, "t1"), part(2, "t2", repository="x")], "not of one repository"),
        ([part(1, "t1"), part(2, "t2", of=3)], "not of one number of parts: 2, 3"),
        ([part(1, "t1"), part(2, "t2", plan="q")], "other files of durations"),
        ([part(1, "t1"), part(1, "t1", run="again"), part(2, "t2")], "of part 1 there are several runs"),
        ([part(1, "t1"), part(2, "t2", shard="")], "ran without --shard"),
    ],
)
def test_what_does_not_belong_together_is_refused(records: list[RunRecord], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        joined(*records)


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """The run folders of two parts, each with a log and a link that leads out of it."""
    made = []
    for number, record in enumerate((part(1, "t1"), part(2, "t2", "t3"))):
        folder = tmp_path / f"part-{number}"
        (folder / "logs").mkdir(parents=True)
        (folder / "logs" / "web.log").write_text(f"log of {number}")
        (folder / "logs" / "link").symlink_to("/etc/passwd")
        RunFolder(folder).write_run(record)
        made.append(str(folder))
    return made


@pytest.fixture
def merge(tmp_path: Path) -> Callable[..., Result]:
    def call(*words: str) -> Result:
        where = ("--runs", str(tmp_path), "--history", str(tmp_path / "h.sqlite"))
        return CliRunner().invoke(cli, ["report", "--merge", *where, *words])

    return call


def test_the_joined_run_is_printed_as_it_is_asked_for(
    tmp_path: Path, folders: list[str], merge: Callable[..., Result]
) -> None:
    assert merge(*folders).stdout.startswith("passed: All 3 tests passed.\n")
    asked = merge("--format", "json", folders[0])
    assert (asked.exit_code, json.loads(asked.stdout)["exit_code"]) == (1, 1)
    page = tmp_path / "page.html"
    written = merge("--output", str(page), *folders)
    assert (written.exit_code, written.stdout) == (0, f"{page}\n")
    assert "All 3 tests passed." in page.read_text()


def test_the_command_makes_a_new_folder_with_all_of_the_parts(
    tmp_path: Path, folders: list[str], merge: Callable[..., Result]
) -> None:
    done = merge(*folders)
    assert done.exit_code == 0, done.output
    made = (tmp_path / "understudy-runs" / "latest").resolve()
    data = json.loads((made / "run.json").read_text())
    assert [each["folder"] for each in data["parts"]] == ["parts/1-of-2", "parts/2-of-2"]
    assert (made / "parts/2-of-2/logs/web.log").read_text() == "log of 1"
    assert not (made / "parts/2-of-2/logs/link").is_symlink()
    assert {"report.html", "summary.md", "parts/1-of-2/run.json"} <= set(data["files"])
    assert all((made / name).is_file() for name in data["files"])
    assert ET.parse(made / "junit.xml").getroot().get("tests") == "3"  # noqa: S314 - our own document
    place = history_place(str(tmp_path / "h.sqlite"))
    assert place
    assert History(place).knows(part(1), data["run"])
    assert merge(folders[0]).exit_code == 1
    assert isinstance(merge().exception, UsageError)
