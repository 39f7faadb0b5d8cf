"""An environment's estimate is of what its components really declare, and of nothing that they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aws.plans import PLATFORM, declare, everything_plan, private, shop_plan
from price_tables import price_table

from understudy.prices.estimating import of_plan
from understudy.stacks.aws.declared import chargeable
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.cost.charges import Declared
from understudy.stacks.cost.estimate import Estimate, estimate

TABLE = price_table(
    {
        "fargate/vcpu/x86_64": (0.04, "vCPU-hour"),
        "fargate/memory/x86_64": (0.004, "GB-hour"),
        "fargate/vcpu/arm64": (0.03, "vCPU-hour"),
        "fargate/memory/arm64": (0.003, "GB-hour"),
        "ipv4": (0.005, "address-hour"),
        "secret": (0.73, "secret-month"),
    }
)


def shared_plan() -> AwsPlan:
    return everything_plan("db", "cache")


def on_spot() -> AwsPlan:
    return replace(shop_plan(), services=tuple(replace(each, spot=True) for each in shop_plan().services))


def in_private_subnets() -> AwsPlan:
    return replace(shop_plan(), platform=private(PLATFORM))


def of_components(plan: AwsPlan) -> Estimate:
    """The estimate of what the components declare under Pulumi's mocks."""
    found = [Declared(r.type, r.name, r.inputs, (f"arn:{r.name}",)) for r in declare(plan).resources]
    return estimate(found, TABLE)


def counted(found: Estimate) -> Counter[tuple[object, ...]]:
    """Rows and lines without their names: the components have names of their own."""
    rows = [(r.kind, r.quantity, r.unit, r.rate, r.per_hour, r.at_most, r.note) for r in found.rows]
    lines = [("usage", r.kind, r.why) for r in found.usage_priced] + [("none", r.kind, r.why) for r in found.not_priced]
    return Counter(rows) + Counter(lines)


@pytest.mark.parametrize("plan", [shop_plan, everything_plan, shared_plan, on_spot, in_private_subnets])
def test_the_plan_costs_what_the_components_declare(plan: Callable[[], AwsPlan]) -> None:
    made = plan()
    found = estimate(chargeable(made), TABLE)
    declared = of_components(made)
    assert counted(found) == counted(declared)
    assert found.per_hour == declared.per_hour > 0
    assert not declared.not_priced, "every kind that the components declare has a rule"
    assert declared.free, "and what has no charge is known to have none"


def test_tasks_on_spot_cost_at_most_what_they_cost_on_demand() -> None:
    demand, spot = estimate(chargeable(shop_plan()), TABLE), estimate(chargeable(on_spot()), TABLE)
    assert spot.per_hour == demand.per_hour
    assert (demand.at_most, spot.at_most) == (False, True)
    assert not any(row.note for row in demand.rows)
    assert all("Spot has no fixed price" in row.note for row in spot.rows if row.kind.startswith("Fargate"))


def test_tasks_in_private_subnets_have_no_public_address() -> None:
    public = [row for row in estimate(chargeable(shop_plan()), TABLE).rows if row.kind == "public IPv4"]
    assert sum(row.quantity for row in public) == sum(service.replicas for service in shop_plan().services)
    hidden = estimate(chargeable(in_private_subnets()), TABLE)
    assert not [row for row in hidden.rows if row.kind == "public IPv4"]


def test_the_example_in_us_east_1_has_a_price_by_the_shipped_table(tmp_path: Path) -> None:
    there = replace(shop_plan(), platform=replace(PLATFORM, region="us-east-1"))
    found = of_plan(there, tmp_path)
    assert found.per_hour > 0
    assert not found.not_priced
    assert of_plan(shop_plan(), tmp_path).dated == "", "of eu-west-1 no table is shipped"
