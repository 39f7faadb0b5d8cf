"""What the past means for a run: the order of its suites and tests, and what its record says of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from understudy.history.past import KEPT, Ended, Past, clipped, failed_last, usual_seconds
from understudy.report import BeforeRecord, RunRecord
from understudy.suites.arrangement import SuiteOrder
from understudy.suites.shards import Durations

__all__ = ["durations_of", "orders_of", "with_before"]


def orders_of(past: Past) -> Mapping[str, SuiteOrder]:
    """Suite -> whether it failed last, its usual seconds, and the same of its tests."""
    failed: dict[str, list[str]] = {}
    seconds: dict[str, dict[str, float]] = {}
    for (suite, test), ends in past.tests.items():
        usual = usual_seconds(ends)
        if failed_last(ends):
            failed.setdefault(suite, []).append(test)
        if usual is not None:
            seconds.setdefault(suite, {})[test] = usual
    return {
        suite: SuiteOrder(
            failed=bool(failed.get(suite)) or failed_last(past.suites.get(suite, ())),
            seconds=usual_seconds(past.suites.get(suite, ())),
            failed_tests=tuple(failed.get(suite, ())),
            tests=seconds.get(suite, {}),
        )
        for suite in {*past.suites, *failed, *seconds}
    }


def durations_of(past: Past) -> Durations:
    """What `--durations` reads: usual seconds, and nothing that says when or of which commit they are."""
    orders = orders_of(past)
    return Durations(
        {name: round(order.seconds, 4) for name, order in orders.items() if order.seconds is not None},
        {name: {test: round(each, 4) for test, each in order.tests.items()} for name, order in orders.items()},
    )


def with_before(record: RunRecord, past: Past) -> RunRecord:
    """The record with up to 10 earlier ends of each suite and test, newest last."""
    return replace(
        record,
        suites=tuple(
            replace(
                suite,
                before=_before(past.suites.get(clipped(suite.name), ())),
                tests=tuple(
                    replace(test, before=_before(past.tests.get((clipped(suite.name), clipped(test.id)), ())))
                    for test in suite.tests
                ),
            )
            for suite in record.suites
        ),
    )


def _before(ends: Sequence[Ended]) -> tuple[BeforeRecord, ...]:
    return tuple(BeforeRecord(end.outcome, end.seconds) for end in ends[-KEPT:])
