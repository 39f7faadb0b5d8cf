"""The limit of what an environment may cost by the hour: held before anything is created. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.errors import LimitError

from .estimate import Estimate
from .words import named

__all__ = ["doubts", "hold_cost"]


def hold_cost(found: Estimate, limit: float) -> None:
    """Hold an estimate against `--max-hourly-cost`.

    Spot counts with the price on demand, which it does not pass. What has no price cannot count, and is named.

    Args:
        found: the estimate of what is to be created.
        limit: in the estimate's currency, by the hour; 0: no limit.

    Raises:
        LimitError: it would cost more, or there is no table by which anybody could know; nothing was created.
    """
    if not limit or not found.region:
        return
    if not found.dated:
        raise LimitError(
            f"--max-hourly-cost allows {limit:g} {found.currency} an hour, and what the environment costs is not "
            f"known: there is no table of prices for {found.region}. Nothing was created.",
            hint=f"`understudy prices refresh --region {found.region}` writes one.",
        )
    if found.per_hour <= limit:
        return
    bound = "at most " if found.at_most else ""
    rest = f", without what has no price: {named(found.not_priced)}" if found.not_priced else ""
    raise LimitError(
        f"--max-hourly-cost allows {limit:g} {found.currency} an hour, and the environment is estimated at {bound}"
        f"{found.per_hour:.4f}, by the table of prices of {found.region} of {found.dated}{rest}. Nothing was created.",
        hint="`understudy plan --cost` shows what it consists of; a profile of x-understudy makes it smaller.",
    )


def doubts(found: Estimate, limit: float) -> Iterator[str]:
    """What of the limit cannot be held, because nobody can know."""
    if limit and found.not_priced:
        yield f"--max-hourly-cost does not count what has no price: {named(found.not_priced)}"
