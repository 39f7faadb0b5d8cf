"""What is alike in several subjects is told once: the grouping that every text for people shares. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

__all__ = ["grouped", "joined"]

T = TypeVar("T")


def grouped(
    found: Iterable[T], *, subject: Callable[[T], str], same: Callable[[T], Hashable]
) -> dict[tuple[str, ...], list[T]]:
    """The subjects that share something -> what they share, once each, in the order of its first.

    Args:
        found: what is told.
        subject: what each is about, such as `services.web`.
        same: two of which this is equal are told as one.
    """
    alike: dict[Hashable, list[T]] = {}
    for each in found:
        alike.setdefault(same(each), []).append(each)
    shared: dict[tuple[str, ...], list[T]] = {}
    for equal in alike.values():
        shared.setdefault(tuple(dict.fromkeys(map(subject, equal))), []).append(equal[0])
    return shared


def joined(subjects: tuple[str, ...]) -> str:
    """`services.web, db, cache`: what they all begin with is said once."""
    section = subjects[0].partition(".")[0] + "."
    same = all(each.startswith(section) for each in subjects)
    return ", ".join((subjects[0], *(each.removeprefix(section) if same else each for each in subjects[1:])))
