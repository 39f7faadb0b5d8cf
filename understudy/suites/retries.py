"""A suite that was run again as a whole: what its attempts come to together, test by test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from understudy.suites.results import BAD, Attempt, Case, Outcome
from understudy.suites.verdict import SUITE_CASE

__all__ = ["Past", "merge"]


@dataclass(frozen=True, slots=True)
class Past:
    """A failed attempt at a suite: why, its cases, when it began (seconds since the epoch) and how long it took."""

    reason: str
    cases: tuple[Case, ...]
    started: float
    seconds: float
    detail: str = ""


def merge(past: Sequence[Past], cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """The cases of the last attempt, each with its failures in those before; what passed after one is flaky.

    A test that failed once and is not among the last attempt's did not run there.
    """
    failures: dict[tuple[str, int], list[Attempt]] = {}
    for attempt in past:
        bad = [(key, _attempt(case)) for key, case in _numbered(attempt.cases) if case.outcome in BAD]
        whole = Attempt(Outcome.ERROR, attempt.seconds, attempt.started, attempt.reason, attempt.detail)
        for key, each in bad or [((SUITE_CASE, 0), whole)]:
            failures.setdefault(key, []).append(each)
    last = dict(_numbered(cases))
    merged = [_with(case, failures.pop(key, [])) for key, case in last.items()]
    for (name, _), earlier in failures.items():
        if name != SUITE_CASE:
            told = "not run: the last attempt of the suite did not have it"
            merged.append(Case(name, Outcome.NOT_RUN, message=told, earlier=tuple(earlier)))
        elif not any(case.outcome in BAD for case in cases):
            merged.append(_with(Case(SUITE_CASE, Outcome.PASSED), earlier))
    return tuple(merged)


def _numbered(cases: tuple[Case, ...]) -> list[tuple[tuple[str, int], Case]]:
    """Each case with its id and, where several have the same, which of them it is."""
    seen: Counter[str] = Counter()
    found = []
    for case in cases:
        found.append(((case.id, seen[case.id]), case))
        seen[case.id] += 1
    return found


def _attempt(case: Case) -> Attempt:
    return Attempt(case.outcome, case.seconds, case.started, case.message, case.detail, case.sections)


def _with(case: Case, earlier: list[Attempt]) -> Case:
    if not earlier:
        return case
    if case.outcome is Outcome.PASSED:
        message = f"passed at attempt {len(earlier) + 1}; before: {earlier[-1].message}"
        return replace(case, outcome=Outcome.FLAKY, message=message, earlier=(*earlier, *case.earlier))
    return replace(case, earlier=(*earlier, *case.earlier))
