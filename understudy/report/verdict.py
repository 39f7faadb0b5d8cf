"""The exit code of a run: a pure function of everything that went wrong."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ORDER", "exit_code"]

ORDER = (130, 2, 3, 1, 6, 4, 7, 5)
"""Which cause wins: interrupted, provisioning, tests, export, leftovers. The codes for a run that could not begin
stand around them: 2 (the input, or a tool that is missing) explains all that follows from it; 7 (not run) and
5 (kept in doubt) only count where nothing else went wrong."""


def exit_code(causes: Iterable[int]) -> int:
    """The exit code for the codes of all causes; none: 0. A code that is not in `ORDER` comes after those that are.

    >>> exit_code([4, 1, 6])
    1
    >>> exit_code([])
    0
    """
    wrong = [code for code in causes if code]
    return min(wrong, key=lambda code: (ORDER.index(code) if code in ORDER else len(ORDER), code), default=0)
