"""An estimate in words, for a terminal and for messages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from .estimate import Estimate, Line, Row
from .table import MONTHLY

__all__ = ["headline", "lines", "named", "without"]

_NAMED = 5

_BEYOND = (
    "in no sum: the platform, which costs while it is there whether or not an environment is; data transfer; taxes, "
    "discounts and free tiers"
)


def headline(found: Estimate) -> str:
    """The sum in one line, with how sure it is and which table it is by.

    >>> from understudy.stacks.cost.estimate import nothing
    >>> headline(nothing())
    'cost: containers on this machine cost nothing by the hour'
    """
    if not found.region:
        return "cost: containers on this machine cost nothing by the hour"
    if not found.dated:
        return (
            f"cost: not known, since there is no table of prices for {found.region}; "
            f"`understudy prices refresh --region {found.region}` writes one"
        )
    said = f"cost: {_amount(found.per_hour)} {found.currency} an hour ({found.per_month:,.2f} in a month of 730 hours)"
    bound = ", at most" if found.at_most else ""
    rest = without(len(found.not_priced))
    return f"{said}{bound}{rest}, by the table of prices of {found.region} of {found.dated}"


def without(number: int) -> str:
    """How many charges a sum is without, as a clause; of none, nothing.

    >>> without(1)
    ', without 1 charge that has no price'
    """
    if not number:
        return ""
    return ", without 1 charge that has no price" if number == 1 else f", without {number} charges that have no price"


def lines(found: Estimate) -> Iterator[str]:
    """Every resource with its rows, then what has no price, what is charged by its use, and what is in no sum."""
    for name in dict.fromkeys(row.name for row in found.rows):
        yield _resource(name, [row for row in found.rows if row.name == name], found)
    yield from _alike("not priced", found.not_priced)
    yield from _alike("priced by use", found.usage_priced)
    if found.free:
        counts = Counter(line.kind for line in found.free)
        yield "no charge: " + ", ".join(f"{kind} x{number}" for kind, number in sorted(counts.items()))
    if found.region:
        yield _BEYOND
    for source in found.sources:
        yield f"source: {source.name}, {source.dated}: {source.url}"


def named(listed: Sequence[Line]) -> str:
    """The first few by name, for a message."""
    told = [f"{line.name} ({line.kind})" for line in listed[:_NAMED]]
    return ", ".join(told) + (f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else "")


def _resource(name: str, rows: Sequence[Row], found: Estimate) -> str:
    total = math.fsum(row.per_hour for row in rows)
    notes = "; ".join(dict.fromkeys(row.note for row in rows if row.note))
    told = ", ".join(f"{row.kind} {_amount(row.per_hour)} ({_units(row)})" for row in rows)
    return f"{name}: {_amount(total)} {found.currency} an hour: {told}" + (f"; {notes}" if notes else "")


def _units(row: Row) -> str:
    """How many of what at which rate, which is by the hour unless it says so."""
    what = row.unit.rpartition("-")[0]
    many = {"address": "addresses", "secret": "secrets"}.get(what, what) if row.quantity != 1 else what
    return " ".join(
        filter(None, (f"{row.quantity:g}", many, f"at {row.rate:g}", "a month" if row.unit in MONTHLY else ""))
    )


def _alike(title: str, listed: Sequence[Line]) -> Iterator[str]:
    """One line for each reason, with all that it is of: what of it, where that is several things."""
    for why in dict.fromkeys(line.why for line in listed):
        kinds: dict[str, list[str]] = {}
        for line in listed:
            if line.why == why:
                kinds.setdefault(line.name, []).append(line.kind)
        told = (f"{name} ({', '.join(each)})" for name, each in kinds.items())
        yield f"{title}: {', '.join(told)}: {why}"


def _amount(value: float) -> str:
    return f"{value:.4f}"
