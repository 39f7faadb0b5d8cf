from __future__ import annotations

import pytest

from understudy.suites.attribution import SLACK, attribute, blamed
from understudy.suites.results import Case, Outcome, SuiteResult, SuiteStatus
from understudy.targets.watching import Death, How

DEATH = Death("db", "e1-db", How.EXITED, 100.0, "exited with code 1 (restart policy: no)", 50.0, 1, log="bye")


def suite(*cases: Case, status: SuiteStatus = SuiteStatus.FAILED) -> SuiteResult:
    return SuiteResult("s", status, "as it was", ("pytest",), 1, 90.0, 20.0, 1, cases)


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        (90.0, Outcome.FAILED),
        (100.0 - SLACK - 0.1, Outcome.FAILED),
        (100.0 - SLACK + 0.1, Outcome.ENVIRONMENT),
        (105.0, Outcome.ENVIRONMENT),
        (None, Outcome.ENVIRONMENT),
    ],
)
def test_a_failure_is_the_environments_from_shortly_before_the_death_on(ended: float | None, outcome: Outcome) -> None:
    (case,) = attribute(suite(Case("a", Outcome.FAILED, message="m", ended=ended)), [DEATH], stopped=None).cases

    assert case.outcome is outcome


def test_its_own_words_and_the_services_last_ones_are_kept() -> None:
    own = Case("a", Outcome.ERROR, message="reset", detail="trace", ended=101.0)

    found = attribute(suite(own), [DEATH], stopped=None)

    assert (found.status, found.reason) == (
        SuiteStatus.ENVIRONMENT,
        "service db exited with code 1 (restart policy: no)",
    )
    assert found.cases[0].message == found.reason
    assert found.cases[0].detail == "reset\ntrace\n\nLast log lines of db:\nbye"


def test_a_test_that_failed_before_stays_the_verdict() -> None:
    early, late = Case("a", Outcome.FAILED, ended=92.0), Case("b", Outcome.FAILED, ended=101.0)

    found = attribute(suite(early, late), [DEATH], stopped=DEATH)

    assert found.status is SuiteStatus.FAILED
    assert [case.outcome for case in found.cases] == [Outcome.FAILED, Outcome.ENVIRONMENT]
    assert found.reason == "1 of 2 tests failed, 1 as the environment did"


def test_what_ran_and_what_waited_when_a_death_stopped_everything() -> None:
    cases = [Case("a", Outcome.PASSED), Case("b", Outcome.INTERRUPTED), Case("c", Outcome.NOT_RUN)]

    found = attribute(suite(*cases, status=SuiteStatus.STOPPED), [DEATH], stopped=DEATH)
    other = attribute(suite(*cases, status=SuiteStatus.STOPPED), [DEATH], stopped=None)

    assert [case.outcome.value for case in found.cases] == ["passed", "environment-failed", "not-run"]
    assert found.cases[2].message == f"not run: {DEATH}"
    assert (other.status, other.cases) == (SuiteStatus.STOPPED, tuple(cases))


def test_the_first_of_several_deaths_is_the_cause() -> None:
    later = Death("web", "e1-web", How.UNHEALTHY, 101.0, "turned unhealthy", 51.0)

    assert blamed([later, DEATH], 103.0) is DEATH
    assert blamed([later], 99.0) is None
