from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

from understudy.errors import ExportError
from understudy.report import CauseRecord, PhaseRecord, ResourceRecord, RunRecord, WaitRecord, utc
from understudy.report.timeline import timeline
from understudy.suites.results import Case, Outcome, SuiteResult, SuitesResult, SuiteStatus

BEGAN = 1000.0


def record() -> RunRecord:
    cases = (
        Case("a", Outcome.PASSED, 1.0, started=1.0, worker="gw0", clock=BEGAN + 5),
        Case("b", Outcome.FAILED, 0.5, started=1.0, worker="gw1", message="no", clock=BEGAN + 5),
        Case("never", Outcome.NOT_RUN),
    )
    suite = SuiteResult("api", SuiteStatus.FAILED, "", ("x",), 1, 1.0, 2.0, 2, cases, clock=BEGAN + 4)
    made = RunRecord("r", "e", "t", "p", "", "", "c", "", production_ref="", started=utc(0))
    made = replace(
        made,
        phases=(PhaseRecord("provision", utc(0), 0.25, 3.0),),
        resources=(
            ResourceRecord("db", "container", utc(0), 1.0, 2.0),
            ResourceRecord("web", "container", utc(0), 2.0, 0.5, ok=False),
            ResourceRecord("late", "container", utc(0), 2.5, 0.5),
        ),
    )
    cause = CauseRecord.of(ExportError("x"), "export", utc(7), 7.0)
    made = made.with_suites(SuitesResult((suite,), 1.0, 2.0), BEGAN).with_cause(cause)
    waited = (WaitRecord("relay", offset=2.5, seconds=1.5), WaitRecord("db", offset=3.0, seconds=2.0))
    return replace(made, suites=(replace(made.suites[0], waited=waited),))


def events(kind: str) -> list[dict[str, Any]]:
    found: Any = json.loads(json.dumps(timeline(record())))["traceEvents"]
    return [event for event in found if event["ph"] == kind]


def test_everything_that_took_time_is_a_complete_event_in_microseconds() -> None:
    assert {(event["name"], event["ts"], event["dur"]) for event in events("X")} == {
        ("provision", 250_000, 3_000_000),
        ("db", 1_000_000, 2_000_000),
        ("web", 2_000_000, 500_000),
        ("late", 2_500_000, 500_000),
        ("waited for relay", 1_000_000, 1_500_000),
        ("waited for db", 1_000_000, 2_000_000),
        ("api", 4_000_000, 2_000_000),
        ("a", 5_000_000, 1_000_000),
        ("b", 5_000_000, 500_000),
    }
    assert [(event["name"], event["ts"]) for event in events("i")] == [("ExportError: export", 7_000_000)]


def test_no_two_events_of_a_row_overlap_and_every_row_has_a_name() -> None:
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in events("X"):
        rows.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for spans in rows.values():
        spans.sort()
        assert all(first[1] <= then[0] for first, then in itertools.pairwise(spans))
    named = {
        (event["pid"], event["tid"]): event["args"]["name"] for event in events("M") if event["name"] == "thread_name"
    }
    assert rows.keys() <= named.keys()
    assert {named[key] for key in rows if key[0] >= 10} == {"suite", "gw0", "gw1", "waits"}
    assert sum(name == "container" for name in named.values()) == 2
