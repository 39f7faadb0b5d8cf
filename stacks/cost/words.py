"""An estimate in words, for a terminal and for messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .estimate import Estimate, Line, Row

__all__ = ["headline", "lines", "named"]

_NAMED = 5


def headline(found: Estimate) -> str:
    """The sum in one line, with how sure it is and which table it is by.

    >>> from understudy.stacks.cost.estimate import nothing
    >>> headline(nothing())
    'cost: containers on this machine cost nothing by the hour'
    """
    if not found.region:
        return "cost: containers on this machine cost nothing by the hour"
    if not found.dated:
        return f"cost: not known, since there is no table of prices for {found.region}"
    said = f"cost: {_amount(found.per_hour, found)} an hour ({found.per_month:,.2f} in a month of 730 hours)"
    bound = ", at most" if found.at_most else ""
    without = f", without {len(found.not_priced)} that have no price" if found.not_priced else ""
    return f"{said}{bound}{without}, by the table of prices of {found.region} of {found.dated}"


def lines(found: Estimate) -> Iterator[str]:
    """Every row, then what has none."""
    for row in found.rows:
        yield _row(row, found)
    for title, listed in (("not priced", found.not_priced), ("priced by use", found.usage_priced)):
        for line in listed:
            yield f"{title}: {line.name}, {line.kind}: {line.why}"
    if found.free:
        counts = Counter(line.kind for line in found.free)
        yield "no charge: " + ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    for source in found.sources:
        yield f"source: {source.name}, {source.dated}: {source.url}"


def named(listed: Sequence[Line]) -> str:
    """The first few by name, for a message."""
    told = [f"{line.name} ({line.kind})" for line in listed[:_NAMED]]
    return ", ".join(told) + (f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else "")


def _row(row: Row, found: Estimate) -> str:
    note = f" ({row.note})" if row.note else ""
    rate = f"{row.quantity:g} {row.unit} at {row.rate:g}"
    return f"{row.name}, {row.kind}: {_amount(row.per_hour, found)} an hour: {rate}{note}"


def _amount(value: float, found: Estimate) -> str:
    return f"{value:.4f} {found.currency}"
