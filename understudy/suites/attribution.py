"""Whose failure it was: tests that ran against a dead service are told from tests that failed. A pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from understudy.suites.results import BAD, Case, Outcome, SuiteResult, SuiteStatus
from understudy.targets.watching import Death

__all__ = ["SLACK", "attribute", "blamed"]

SLACK = 1.0
"""Seconds by which a failure may come before the death that caused it: a test sees its connection break when the
process ends, Docker writes down the end when it has heard of it and has cleaned up."""


def blamed(deaths: Sequence[Death], ended: float) -> Death | None:
    """The first death that explains a failure which came at `ended` (seconds since the epoch); None: none does."""
    before = [death for death in deaths if death.at - SLACK <= ended]
    return min(before, key=lambda death: death.at, default=None)


def attribute(result: SuiteResult, deaths: Sequence[Death], *, stopped: Death | None) -> SuiteResult:
    """A suite with every test that a death explains as `environment-failed`, its own message kept as detail.

    Args:
        result: what the suite came to, as if nothing had died.
        deaths: what died while the suites ran.
        stopped: the death that is why everything was stopped; None: that was something else. Tests that were running
            then are the environment's too, and those that did not run name it.
    """
    cases = tuple(_case(case, result, deaths, stopped) for case in result.cases)
    touched = [case for case in cases if case.outcome is Outcome.ENVIRONMENT]
    if any(case.outcome in BAD for case in cases):
        left = sum(case.outcome in BAD for case in cases)
        reason = f"{left} of {len(cases)} tests failed, {len(touched)} as the environment did"
        return replace(result, cases=cases, reason=reason if touched else result.reason)
    if touched:
        return replace(result, cases=cases, status=SuiteStatus.ENVIRONMENT, reason=touched[0].message)
    if stopped is not None and result.status is SuiteStatus.STOPPED:
        return replace(result, cases=cases, reason=str(stopped))
    return replace(result, cases=cases)


def _case(case: Case, suite: SuiteResult, deaths: Sequence[Death], stopped: Death | None) -> Case:
    if stopped is not None and case.outcome is Outcome.INTERRUPTED:
        return replace(case, outcome=Outcome.ENVIRONMENT, message=str(stopped), detail=stopped.log)
    if stopped is not None and case.outcome is Outcome.NOT_RUN:
        return replace(case, message=f"not run: {stopped}")
    if case.outcome not in BAD:
        return case
    death = blamed(deaths, _end(case, suite))
    if death is None:
        return case
    own = "\n".join(part for part in (case.message, case.detail) if part)
    detail = f"{own}\n\nLast log lines of {death.service}:\n{death.log}" if death.log else own
    return replace(case, outcome=Outcome.ENVIRONMENT, message=str(death), detail=detail)


def _end(case: Case, suite: SuiteResult) -> float:
    """When a test was over; of one that did not say it, when its suite was."""
    if case.ended is not None:
        return case.ended
    return (suite.started or 0.0) + suite.seconds
