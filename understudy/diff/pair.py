"""Which two sides are compared: the ones that are said, else production and this commit."""

from __future__ import annotations

from understudy.diff.side import Side
from understudy.diff.sides import Sides

__all__ = ["pair", "told"]


def pair(sides: Sides, first: str | None, second: str | None) -> tuple[Side, Side]:
    """Both sides; what is not given is production, and this commit. A commit is cloned as for the other's target.

    Beside production, whose differences are the commit's own record, that has on it what AWS makes differ.

    Raises:
        UsageError: a side cannot be read, or there is nothing of that name.
        NotFoundError: there is no such environment or run.
    """
    if first in {None, "production"}:
        after = told(sides, second) if second is not None else sides.this()
        return sides.production(after.blueprint), sides.standing(after)
    before = told(sides, str(first))
    alike = sides.beside(before)
    after = told(alike, second) if second is not None else alike.this()
    alike = sides.beside(after)
    if before.blueprint is not None and alike != sides:
        before = told(alike, str(first))
    return (sides.standing(before) if after.record.kind == "production" else before), after


def told(sides: Sides, text: str) -> Side:
    """The side that a text names.

    Raises:
        UsageError: there is nothing of that name, or it cannot be read.
        NotFoundError: a prefix says what it is, and there is no such environment or run.
    """
    if text == "production":
        return sides.production()
    from understudy.diff.named import find  # with leases and runs, which the defaults do not need

    return find(sides, text)
