"""The limit of the cost, which refuses before anything is created; and what a run cost, in its record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from price_tables import price_table
from report_records import shop

from understudy.errors import LimitError
from understudy.last_lines import last_lines
from understudy.report import KeptRecord, Moment, PhaseRecord, RunRecord, utc
from understudy.report.cost import CostRecord, joined
from understudy.report.markdown import escaped
from understudy.report.summary import summary
from understudy.report_html.evidence import Logs
from understudy.report_html.page import render
from understudy.stacks.cost.charges import Declared
from understudy.stacks.cost.estimate import estimate, nothing
from understudy.stacks.cost.limit import doubts, hold_cost
from understudy.stacks.cost.table import no_prices

NAT = Declared("aws:ec2/natGateway:NatGateway", "nat", {})
BUS = Declared("aws:msk/cluster:Cluster", "bus", {})
TABLE = price_table({"nat": (0.05, "hour")})
FOUND = estimate([NAT, BUS], TABLE)


def test_what_would_cost_more_than_the_limit_is_refused_with_the_estimate_and_what_it_lacks() -> None:
    with pytest.raises(LimitError) as refused:
        hold_cost(FOUND, 0.049)
    assert refused.value.exit_code == 7
    assert str(refused.value) == (
        "--max-hourly-cost allows 0.049 USD an hour, and the environment is estimated at 0.0500, by the table of "
        "prices of eu-west-1 of 2030-01-02, without what has no price: bus (Cluster). Nothing was created.\n"
        "`understudy plan --cost` shows what it consists of; a profile of x-understudy makes it smaller."
    )
    with pytest.raises(LimitError, match=r"at most 0\.0500"):
        hold_cost(replace(FOUND, at_most=True), 0.01)


@pytest.mark.parametrize("limit", [0.0, 0.05, 1.0])
def test_what_costs_no_more_is_let_through_and_so_is_everything_without_a_limit(limit: float) -> None:
    hold_cost(FOUND, limit)
    hold_cost(nothing(), limit)


def test_a_limit_that_nobody_can_hold_refuses() -> None:
    unknown = estimate([NAT], no_prices("eu-north-1"))
    with pytest.raises(LimitError, match="no table of prices for eu-north-1") as refused:
        hold_cost(unknown, 5.0)
    assert "understudy prices refresh --region eu-north-1" in refused.value.hint
    hold_cost(unknown, 0.0)


def test_what_the_limit_cannot_count_is_said() -> None:
    assert list(doubts(FOUND, 1.0)) == ["--max-hourly-cost does not count what has no price: bus (Cluster)"]
    assert not list(doubts(FOUND, 0.0))
    assert not list(doubts(estimate([NAT], TABLE), 1.0))
    many = estimate([replace(BUS, name=f"bus{n}") for n in range(7)], TABLE)
    assert next(doubts(many, 1.0)).endswith("bus4 (Cluster) and 2 more")


def record(gone: float | None) -> RunRecord:
    """A run whose provisioning began 60 s after it, and whose receipt came so late."""
    made = shop()
    assert made.receipt is not None
    phases = (PhaseRecord("provision", utc(0), 60.0, 30.0), PhaseRecord("test", utc(0), 90.0, 30.0))
    return replace(made, phases=phases, kept=None, receipt=replace(made.receipt, offset=gone))


def test_a_run_cost_its_hours_from_provisioning_to_the_receipt() -> None:
    cost = record(60.0 + 1800.0).with_cost(FOUND).cost
    assert cost == CostRecord(
        per_hour=0.05,
        at_most=False,
        hours=0.5,
        total=0.025,
        currency="USD",
        region="eu-west-1",
        dated="2030-01-02",
        not_priced=("bus (Cluster): no rule says how this kind is charged",),
    )


def test_without_a_receipt_or_with_a_kept_environment_there_is_no_total_yet() -> None:
    kept = KeptRecord(Moment("2030-01-02T00:00:00Z"), Moment("2030-01-02T00:00:00Z"), ())
    for left in (
        record(None),
        replace(record(9.0), receipt=None),
        replace(record(90.0), kept=kept),
        replace(record(90.0), phases=()),
    ):
        cost = left.with_cost(FOUND).cost
        assert cost is not None
        assert (cost.per_hour, cost.hours, cost.total) == (0.05, None, None)


def test_where_nothing_is_charged_by_the_hour_the_record_has_no_cost() -> None:
    assert record(90.0).with_cost(nothing()).cost is None


def test_without_prices_for_the_region_a_run_says_that_its_cost_is_not_known() -> None:
    unpriced = estimate([NAT], no_prices("eu-west-9"))
    cost = record(1860.0).with_cost(unpriced).cost
    assert cost is not None
    assert (cost.per_hour, cost.hours, cost.total) == (None, 0.5, None)
    assert cost.text == "not known, since there was no table of prices for eu-west-9"
    both = joined([cost, CostRecord.of(FOUND, 1800)])
    assert both is not None
    assert (both.per_hour, both.hours, both.total) == (None, 0.5, None)
    made = record(90.0).with_cost(unpriced)
    Draft202012Validator(RunRecord.json_schema()).validate(made.to_data())
    assert RunRecord.from_json(made.to_json()) == made


def test_a_record_with_a_cost_fits_the_published_schema_and_is_read_back() -> None:
    made = record(90.0).with_cost(FOUND)
    Draft202012Validator(RunRecord.json_schema()).validate(made.to_data())
    assert RunRecord.from_json(made.to_json()) == made


def test_parts_of_a_split_run_cost_together_what_each_cost() -> None:
    one, two = CostRecord.of(FOUND, 1800), CostRecord.of(FOUND, 3600)
    both = joined([one, two])
    assert both is not None
    assert (both.per_hour, both.hours, both.total) == (0.1, 1.0, 0.075)
    assert both.not_priced == one.not_priced
    for lacking in (CostRecord.of(FOUND, None), None):
        some = joined([one, lacking])
        assert some is not None
        assert (some.hours, some.total) == (None, None)
    assert joined([None, None]) is None


def test_page_summary_and_console_of_a_run_say_what_it_cost(tmp_path: Path) -> None:
    assert "<dt>cost" not in render(record(90.0), Logs())
    assert "estimated 0.0250 USD for 0.50 hours, without 1 charge that has no price" in render(
        record(60.0 + 1800.0).with_cost(FOUND), Logs()
    )
    known = record(60.0 + 1800.0).with_cost(FOUND)
    assert escaped("estimated 0.0250 USD for 0.50 hours") in summary(known)
    assert "cost:    estimated 0.0250 USD for 0.50 hours, without 1 charge that has no price" in last_lines(
        known, tmp_path
    )
    there = record(None).with_cost(replace(FOUND, at_most=True, not_priced=())).cost
    assert there is not None
    assert there.text == "estimated at most 0.0500 USD an hour"
