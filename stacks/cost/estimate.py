"""The estimate: the rows that have a price, their sum, and by name everything that has none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .charges import Charge, Declared, How, Remark, World
from .compute import TASK, names_of_task
from .kinds import charges
from .table import HOURS, PriceTable, Source, no_prices

__all__ = ["Estimate", "Line", "Row", "estimate", "nothing"]

_DIGITS = 6
"""Decimal places of a sum: the least price of a table is a hundredth of a cent by the hour."""


@dataclass(frozen=True, slots=True)
class Row:
    """One charge: how many of which unit, at which rate of the table, and what that is in an hour.

    A rate for a month is divided by 730 hours. `at_most`: it may cost less, and `note` says why.
    """

    name: str
    kind: str
    quantity: float
    unit: str
    rate: float
    per_hour: float
    at_most: bool
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """What has no row: whose it is, what it is, and why."""

    name: str
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What declared resources cost by the hour, as far as the inputs and the table say; nothing is guessed.

    Attributes:
        region: whose prices; empty where nothing is charged by the hour at all.
        currency: of every amount.
        dated: the day of the table; empty: there is none for the region.
        per_hour: the sum of the rows.
        per_month: the same for 730 hours.
        at_most: some row may cost less.
        rows: what has a price.
        usage_priced: what costs by its use, which nobody knows before.
        free: what AWS does not charge for.
        not_priced: what is charged, or may be, and has no price here.
        sources: where the prices of the rows were read.
    """

    region: str
    currency: str
    dated: str
    per_hour: float
    per_month: float
    at_most: bool
    rows: tuple[Row, ...]
    usage_priced: tuple[Line, ...]
    free: tuple[Line, ...]
    not_priced: tuple[Line, ...]
    sources: tuple[Source, ...]


def estimate(resources: Iterable[Declared], prices: PriceTable) -> Estimate:
    """What these resources of one stack cost by the hour."""
    world = World.of(resources, lambda each: names_of_task(each) if each.type == TASK else ())
    rows: list[Row] = []
    lines: dict[How, list[Line]] = {how: [] for how in How}
    used: set[str] = set()
    for resource in world.resources:
        for found in charges(resource, world):
            match found:
                case Remark(how, what, why):
                    lines[how].append(Line(resource.name, what, why))
                case Charge() if found.price in prices.prices:
                    used.add(found.price)
                    rows.append(_row(resource.name, found, prices))
                case Charge():
                    lines[How.UNKNOWN].append(Line(resource.name, found.what, _no_price(found, prices)))
    total = math.fsum(row.per_hour for row in rows)
    return Estimate(
        region=prices.region,
        currency=prices.currency,
        dated=prices.dated,
        per_hour=round(total, _DIGITS),
        per_month=round(total * HOURS, 2),
        at_most=any(row.at_most for row in rows),
        rows=tuple(rows),
        usage_priced=tuple(lines[How.USAGE]),
        free=tuple(lines[How.FREE]),
        not_priced=tuple(lines[How.UNKNOWN]),
        sources=prices.used(used),
    )


def nothing() -> Estimate:
    """The estimate of what runs where nothing is charged by the hour: on a machine that is there anyway."""
    return estimate((), no_prices(""))


def _row(name: str, charge: Charge, prices: PriceTable) -> Row:
    price = prices.prices[charge.price]
    return Row(
        name=name,
        kind=charge.what,
        quantity=charge.quantity,
        unit=price.unit,
        rate=price.rate,
        per_hour=round(charge.quantity * price.per_hour, _DIGITS + 3),
        at_most=charge.at_most,
        note=charge.note,
    )


def _no_price(charge: Charge, prices: PriceTable) -> str:
    if not prices.dated:
        return f"there is no table of prices for {prices.region}"
    return f"the table of {prices.region} of {prices.dated} has no {charge.price}"
