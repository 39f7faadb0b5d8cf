"""How many test processes each suite gets, so that all suites together never have more than the cap: pure functions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from understudy.suites.interpreter import PreparedSuite

__all__ = ["Wish", "allot", "cap_of", "processors", "wish_of"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a suite that has not started asks for.

    `weight` is its part of what is to be shared, `most` the processes that it can use (None: any number of them),
    `ready` whether all that it needs is there.
    """

    name: str
    weight: int = 1
    most: int | None = None
    ready: bool = True


def wish_of(prepared: PreparedSuite, *, ready: bool = True) -> Wish:
    """The wish of a suite: pytest with xdist shares, what declares a number gets no more, all else is one process."""
    declared = prepared.declared
    most = declared if declared or prepared.parallel else 1
    return Wish(prepared.suite.name, declared or 1, most, ready)


def cap_of(wishes: Sequence[Wish], workers: int | None, cores: int) -> int:
    """The processes that all suites may have at once: the option, else the processors, or what is declared if more.

    >>> cap_of([Wish("a", 3, 3), Wish("b")], None, 2)
    4
    """
    return workers or max(cores, sum(wish.weight for wish in wishes))


def allot(free: int, waiting: Sequence[Wish]) -> Mapping[str, int]:
    """Which of the waiting suites start now, in their order, and with how many processes.

    Each that is ready gets one while there is room. What is left over goes to those that can use more, by weight; the
    share of a suite that is not ready is left for it, and keeps none that is ready from starting.

    >>> allot(4, [Wish("a"), Wish("b", most=1), Wish("c", weight=2)])
    {'a': 1, 'b': 1, 'c': 2}
    >>> allot(1, [Wish("a", ready=False), Wish("b"), Wish("c")])
    {'b': 1}
    """
    starting = [wish for wish in waiting if wish.ready][: max(free, 0)]
    counts = {wish.name: 1 for wish in starting}
    later = [wish for wish in waiting if not wish.ready]
    shares = {**counts, **{wish.name: 0 for wish in later}}
    for _ in range(free - len(starting)):
        able = [wish for wish in (*starting, *later) if wish.most is None or shares[wish.name] < wish.most]
        if not able:
            break
        poorest = min(able, key=lambda wish: shares[wish.name] / wish.weight)
        shares[poorest.name] += 1
    return {name: shares[name] for name in counts}


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
