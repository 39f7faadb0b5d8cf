"""What the console ends with: the verdict first, the failed tests by name, the page to open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from understudy.last_lines import last_lines
from understudy.report import CauseRecord, ReceiptRecord, RunRecord, SuiteRecord, utc
from understudy.suites.results import Case, Outcome, SuiteResult, SuiteStatus

RECORD = RunRecord("20260102-e1", "e1", "docker:x", "shop", "r", "compose.yaml", "a" * 40, "topic", "main", utc(1))


def suite(failed: int, passed: int) -> SuiteRecord:
    cases = (
        *(Case(f"t.py::bad[{number}]", Outcome.FAILED) for number in range(failed)),
        *(Case(f"t.py::good[{number}]", Outcome.PASSED) for number in range(passed)),
    )
    status = SuiteStatus.FAILED if failed else SuiteStatus.PASSED
    return SuiteRecord.of(SuiteResult("api", status, "", ("pytest",), 1, 1.0, 2.0, 1, cases))


def ended(code: int, *suites: SuiteRecord, kind: str = "TestsFailedError", message: str = "") -> RunRecord:
    causes = (CauseRecord(code, kind, "test", message),) if code else ()
    return replace(RECORD, ended=utc(9), exit_code=code, causes=causes, suites=suites)


def test_a_run_that_passed_says_so_and_names_the_page(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    receipt = ReceiptRecord("e1", "docker:x", "CLEAN", utc(9), (), "", {"container": 3})
    assert list(last_lines(replace(ended(0, suite(0, 2)), receipt=receipt), tmp_path)) == [
        "passed: All 2 tests passed.",
        f"report:  {tmp_path}/report.html",
        f"receipt: CLEAN ({tmp_path}/receipt.json)",
    ]


@pytest.mark.parametrize(("failed", "named", "more"), [(1, 1, []), (13, 10, ["  and 3 more"])])
def test_failed_tests_are_named_up_to_a_screen(tmp_path: Path, failed: int, named: int, more: list[str]) -> None:
    record = replace(ended(1, suite(failed, 1)), stopped_by="test t.py::bad[0] failed in suite api", stop_seconds=0.5)
    assert list(last_lines(record, tmp_path)) == [
        f"tests failed: {failed} of {failed + 1} tests failed; 1 passed.",
        *(f"  api: t.py::bad[{number}]" for number in range(named)),
        *more,
        "stopped: test t.py::bad[0] failed in suite api; no test process was left 0.50 s later",
        f"report:  {tmp_path}",
    ]


def test_an_environment_that_failed_is_told_by_its_cause(tmp_path: Path) -> None:
    record = ended(3, suite(0, 1), kind="EnvironmentFailedError", message="Service db died.\nIts last lines: ...")
    assert next(last_lines(record, tmp_path)) == "the environment failed while tests ran: Service db died."
