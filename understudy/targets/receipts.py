"""The second look after destroy, the same on every target: who answers, what is left, or why nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from understudy.errors import ToolError
from understudy.stacks.identity import Whose, format_time
from understudy.targets.interface import Outcome, Owned, Receipt
from understudy.targets.ownership import is_owned, other_backend

__all__ = ["take_receipt"]


def take_receipt(
    whose: Whose,
    expected: str,
    identity: Callable[[], str],
    listed: Callable[[dict[str, int]], Iterable[Owned]],
    now: Callable[[], datetime],
) -> Receipt:
    """The proof of what is left of an environment.

    Args:
        whose: whose the objects are.
        expected: the identity of the target on which it was made.
        identity: asks the target who it is.
        listed: lists all objects, with whatever labels, and counts them by kind in the dictionary it is given.
        now: the clock.
    """
    looked: dict[str, int] = {}
    left: list[Owned] = []
    others: set[str] = set()
    here, reason = "", ""
    try:
        here = identity()
        if here == expected:
            for item in listed(looked):
                others.add(other_backend(item.labels, whose))
                if is_owned(item.labels, whose):
                    left.append(item)
            outcome = Outcome.LEFTOVERS if left else Outcome.CLEAN
            reason = _beside(others - {""})
        else:
            outcome = Outcome.HOLD
            reason = f"the environment was made on {expected}, and this is {here}: nothing was looked for"
    except ToolError as error:
        outcome, reason = Outcome.UNKNOWN, str(error)
    return Receipt(whose.environment, here or expected, outcome, format_time(now()), tuple(left), reason, looked)


def _beside(backends: set[str]) -> str:
    """What a receipt says of environments of the same id that other backends have; they are kept."""
    named = ", ".join(sorted(backends))
    return f"an environment of the same id is there that another backend made ({named}); it was kept" if named else ""
