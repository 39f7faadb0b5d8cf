"""What a run cost: the estimate of its environment, for as long as that was there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from understudy.stacks.cost.estimate import Estimate
from understudy.stacks.cost.words import without

__all__ = ["CostRecord", "joined"]

_SECONDS = 3600
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class CostRecord:
    """An estimate by the hour and by list prices, and what that came to: no invoice.

    `hours` are from the begin of provisioning to the receipt, and `total` is what has a price for that long. Both are
    null where there is no receipt: the environment is still there, or nobody could say. `per_hour` and `total` are null
    where there is no table of prices for the region.
    """

    per_hour: float | None
    at_most: bool
    hours: float | None
    total: float | None
    currency: str
    region: str
    dated: str
    not_priced: tuple[str, ...]

    @classmethod
    def of(cls, found: Estimate, seconds: float | None) -> CostRecord:
        """The record of an environment that was there for so many seconds; None: it is not gone."""
        hours = None if seconds is None else seconds / _SECONDS
        per_hour = found.per_hour if found.dated else None
        return cls(
            per_hour=per_hour,
            at_most=found.at_most,
            hours=None if hours is None else round(hours, _DIGITS),
            total=None if hours is None or per_hour is None else round(hours * per_hour, _DIGITS),
            currency=found.currency,
            region=found.region,
            dated=found.dated,
            not_priced=tuple(f"{line.name} ({line.kind}): {line.why}" for line in found.not_priced),
        )

    @property
    def text(self) -> str:
        """The cost in words, with what it lacks.

        >>> CostRecord(0.05, False, 0.5, 0.025, "USD", "eu-west-1", "2030-01-02", ("bus: no rule",)).text
        'estimated 0.0250 USD for 0.50 hours, without 1 charge that has no price'
        """
        if self.per_hour is None:
            return f"not known, since there was no table of prices for {self.region}"
        bound = "at most " if self.at_most else ""
        known = self.total is not None and self.hours is not None
        said = (
            f"{self.total:.4f} {self.currency} for {self.hours:.2f} hours"
            if known
            else f"{self.per_hour:.4f} {self.currency} an hour"
        )
        return f"estimated {bound}{said}{without(len(self.not_priced))}"


def joined(parts: Sequence[CostRecord | None]) -> CostRecord | None:
    """The cost of all parts together, whose environments were there side by side; None: no part has one."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    rates = [part.per_hour for part in known if part.per_hour is not None]
    hours = [part.hours for part in known if part.hours is not None]
    totals = [part.total for part in known if part.total is not None]
    whole = len(totals) == len(known) == len(parts)
    return replace(
        known[0],
        per_hour=round(math.fsum(rates), _DIGITS) if len(rates) == len(known) else None,
        at_most=any(part.at_most for part in known),
        hours=max(hours) if len(hours) == len(known) == len(parts) else None,
        total=round(math.fsum(totals), _DIGITS) if whole else None,
        not_priced=tuple(dict.fromkeys(each for part in known for each in part.not_priced)),
    )
