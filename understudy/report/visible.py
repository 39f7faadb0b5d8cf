"""Foreign text for a page: one line without invisible characters, cut to a length that says what was cut."""

from __future__ import annotations

import re

__all__ = ["cut", "plural", "visible"]

_LONGEST = 2000


def visible(text: str) -> str:
    """One line without control, bidirectional or other invisible characters: each becomes a middle dot."""
    line = text.replace("\r\n", "\n").replace("\n", "\u23ce").replace("\t", " ")
    return "".join(c if c.isprintable() else "\u00b7" for c in line)


def cut(text: str, most: int = _LONGEST) -> str:
    """At most so many characters, and how many there were."""
    return text if len(text) <= most else f"{text[:most]}\u2026 ({len(text)} characters)"


def plural(count: int, word: str) -> str:
    """`1 difference`, `2 differences`, `0 policies`."""
    if count == 1:
        return f"{count} {word}"
    return f"{count} {word[:-1]}ies" if re.search("[^aeiou]y$", word) else f"{count} {word}s"
