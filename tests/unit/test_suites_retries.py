from __future__ import annotations

from understudy.suites.results import Case, Outcome
from understudy.suites.retries import Past, merge

FAILED, PASSED = Outcome.FAILED, Outcome.PASSED


def past(*cases: Case) -> Past:
    return Past("exit code 1", cases, 5.0, 2.0, "tail")


def outcomes(cases: tuple[Case, ...]) -> list[tuple[str, str, int]]:
    return [(case.id, case.outcome.value, case.attempts) for case in cases]


def test_a_test_that_passed_after_a_failure_is_flaky_and_each_of_a_name_is_itself() -> None:
    first = past(Case("a", FAILED, message="m"), Case("a", PASSED), Case("b", FAILED))

    merged = merge([first], (Case("a", PASSED), Case("a", PASSED), Case("b", FAILED)))

    assert outcomes(merged) == [("a", "flaky", 2), ("a", "passed", 1), ("b", "failed", 2)]


def test_what_the_last_attempt_did_not_have_is_not_lost() -> None:
    (kept, lost) = merge([past(Case("gone", FAILED, message="m"))], (Case("a", PASSED),))

    assert kept.outcome is PASSED
    assert (lost.id, lost.outcome, lost.earlier[0].message) == ("gone", Outcome.NOT_RUN, "m")


def test_an_attempt_that_failed_without_a_failed_test_is_the_suites() -> None:
    passed = merge([past(Case("a", PASSED))], (Case("a", PASSED),))
    failed = merge([past(Case("a", PASSED))], (Case("a", FAILED),))

    assert outcomes(passed) == [("a", "passed", 1), ("(suite)", "flaky", 2)]
    assert (passed[1].earlier[0].message, passed[1].earlier[0].detail) == ("exit code 1", "tail")
    assert outcomes(failed) == [("a", "failed", 1)]


def test_nothing_is_changed_without_an_earlier_attempt() -> None:
    cases = (Case("a", PASSED), Case("b", Outcome.FLAKY))

    assert merge([], cases) == cases
