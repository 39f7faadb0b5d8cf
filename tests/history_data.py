"""Run records as the history takes them: made from outcomes, one text a test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from understudy.report import CaseRecord, RunRecord, SuiteRecord, utc
from understudy.suites.results import Outcome, SuiteStatus

ROOT = Path(__file__).resolve().parent.parent
START = datetime.now(UTC) - timedelta(days=1)
REPOSITORY, TOPOLOGY = "https://git.example/shop", "compose.yaml"


def case(name: str, outcome: str = "passed", seconds: float = 1.0) -> CaseRecord:
    return CaseRecord(name, Outcome(outcome), seconds, None, "", "", "", (), "", None)


def suite(
    name: str, tests: Mapping[str, tuple[str, float]], status: str = "passed", seconds: float = 3.0
) -> SuiteRecord:
    cases = tuple(case(each, *end) for each, end in tests.items())
    return SuiteRecord(name, SuiteStatus(status), "", (), 0, utc(0), seconds, 1, {}, cases, (), ())


def a_run(number: int, *suites: SuiteRecord, now: datetime = START, **fields: object) -> RunRecord:
    """The run that began `number` minutes after `now`."""
    given = {
        "run": f"run-{number:03}",
        "environment": "e1",
        "target": "docker:x",
        "project": "shop",
        "repository": REPOSITORY,
        "topology": TOPOLOGY,
        "commit": f"{number:040x}",
        "branch": "main",
        "production_ref": "",
        "started": utc((now + timedelta(minutes=number)).timestamp()),
        "suites": suites,
        **fields,
    }
    return RunRecord(**given)  # type: ignore[arg-type] - fields by name


def one(number: int, outcome: str, seconds: float = 1.0, **fields: object) -> RunRecord:
    """A run of the one test `t` of suite `api`."""
    return a_run(number, suite("api", {"t": (outcome, seconds)}), **fields)
