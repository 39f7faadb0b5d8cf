"""Tables of prices for tests: of one region and a day to come, from one page."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.stacks.cost.table import Price, PriceTable, Source

__all__ = ["price_table"]


def price_table(prices: Mapping[str, tuple[float, str]]) -> PriceTable:
    """The table of these prices, each a rate and its unit."""
    return PriceTable(
        region="eu-west-1",
        currency="USD",
        dated="2030-01-02",
        sources={"page": Source("a page", "https://prices.example", "2030")},
        prices={name: Price(rate, unit, ("page",)) for name, (rate, unit) in prices.items()},
    )
