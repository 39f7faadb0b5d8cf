"""A table of prices: one region, one day, and for each price the page or the answer that it was read in."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from understudy.errors import UsageError

__all__ = ["HOURS", "MONTHLY", "SCHEMA", "Price", "PriceTable", "Source", "checked_region", "no_prices"]

SCHEMA: Literal[1] = 1
"""The version of the file; it rises when a field changes its meaning or goes."""

HOURS = 730
"""Hours of a month, as AWS's own calculator counts them: 8760 in a year, by twelve."""

MONTHLY = frozenset({"GB-month", "secret-month"})
"""The units whose rate is for a month; every other one is for an hour."""

UNITS = MONTHLY | {"vCPU-hour", "GB-hour", "address-hour", "hour"}

_REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where prices were read: a page or an answer by name and URL, and its date as far as it says one."""

    name: str
    url: str
    dated: str


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs: `vCPU-hour`, `GB-hour`, `address-hour`, `hour`, `GB-month` or `secret-month`."""

    rate: float
    unit: str
    sources: tuple[str, ...]

    @property
    def per_hour(self) -> float:
        """What one unit costs in an hour."""
        return self.rate / HOURS if self.unit in MONTHLY else self.rate


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of one region, by names such as `fargate/vcpu/x86_64`; `dated` is the day that it was made on.

    Without any price (`no_prices`) it has no day either.
    """

    region: str
    currency: str
    dated: str
    sources: Mapping[str, Source] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)
    schema: Literal[1] = SCHEMA

    def hold(self, origin: str) -> PriceTable:
        """This table, if everything in it can be reckoned with and traced to where it was read.

        Raises:
            UsageError: the day, a rate, a unit or a source is none; the message names the place in `origin`.
        """
        for where, what in self._wrong():
            raise UsageError(
                f"Read the prices of {origin}, and {where} {what}.",
                hint="`understudy prices refresh` writes it anew; without it the one that is shipped counts, if any.",
            )
        return self

    def _wrong(self) -> list[tuple[str, str]]:
        found = []
        if not re.fullmatch(_REGION, self.region):
            found.append(("region", f"{self.region!r} is no region"))
        if not re.fullmatch(_DAY, self.dated):
            found.append(("dated", f"{self.dated!r} is no day, such as 2026-11-26"))
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            found.append(("currency", f"{self.currency!r} is no currency, such as USD"))
        for name, source in self.sources.items():
            if not (source.url.startswith("https://") and re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", source.dated)):
                found.append((f"sources.{name}", "has no URL (https) or no date"))
        for name, price in self.prices.items():
            if not (price.rate > 0 and math.isfinite(price.rate)):
                found.append((f"prices.{name}.rate", f"is {price.rate!r}, and no amount above 0"))
            if price.unit not in UNITS:
                found.append((f"prices.{name}.unit", f"is {price.unit!r}, and none of {', '.join(sorted(UNITS))}"))
            if not price.sources or not self.sources.keys() >= set(price.sources):
                found.append((f"prices.{name}.sources", "names none of the table's sources"))
        return found

    def used(self, names: set[str]) -> tuple[Source, ...]:
        """The sources of the prices of these names, each once, in the table's order."""
        wanted = {source for name in names for source in self.prices[name].sources}
        return tuple(source for key, source in self.sources.items() if key in wanted)


def no_prices(region: str) -> PriceTable:
    """The table of a region of which no price is known."""
    return PriceTable(region=region, currency="USD", dated="")


def checked_region(region: Any) -> str:  # noqa: ANN401 - whatever an option or a variable gave
    """A region's name, which may be part of a file's.

    Raises:
        UsageError: it cannot be one.
    """
    if not isinstance(region, str) or not re.fullmatch(_REGION, region):
        raise UsageError(f"{region!r} is no AWS region.", hint="A region is called such as us-east-1 or eu-west-1.")
    return region
