"""GitHub's Markdown of foreign texts: none of them is markup, a mention or a link, and a page keeps to a size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from understudy.report.visible import cut, plural, visible

__all__ = ["COMMENT_LIMIT", "code", "escaped", "folded", "marker", "preformatted", "within"]

COMMENT_LIMIT = 65_536
"""Characters that GitHub takes in a comment's body: longer ones are answered with 422, "Body is too long (maximum is
65536 characters)"."""

_ROOM = 1_000
"""Characters kept back for what is said about what was cut."""

_VALUE = 400
"""Characters of one value; many long ones would leave no room for the others."""

_LINKED = (("@", "@\u200b"), ("#", "#\u200b"), ("://", ":\u200b//"))
"""What GitHub makes mentions, references and links of, entities or not: parted by a space of no width."""

_WORDS = re.compile(r"(?i)\b(www)\.|\b(gh)-(?=\d)")
"""`www.` and `GH-1` are links too."""

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
"""All of ASCII's, so that nobody has to know which of it means something to whom."""


def escaped(text: str, most: int = _VALUE) -> str:
    """Foreign text as one line that is only text in GitHub's Markdown, in a table's cell too.

    >>> escaped("a|b <script> **c**")
    'a&#124;b &#60;script&#62; &#42;&#42;c&#42;&#42;'
    """
    line = cut(visible(text), most)
    for plain, parted in _LINKED:
        line = line.replace(plain, parted)
    line = _WORDS.sub(lambda match: f"{match[1] or match[2]}\u200b{match[0][-1]}", line)
    return _entities(line)


def _entities(line: str) -> str:
    return _PUNCTUATION.sub(lambda match: f"&#{ord(match[0])};", line)


def code(text: str, most: int = _VALUE) -> str:
    """Foreign text in the type of code; nothing in it is looked at for mentions."""
    return f"<code>{escaped(text, most) or ' '}</code>"


def preformatted(text: str, *, lines: int, width: int = 200) -> str:
    """The last `lines` lines of foreign text, each of at most `width` characters, as they stand: an HTML block."""
    all_lines = text.strip("\n").split("\n")
    left_out = len(all_lines) - lines
    shown = [f"({plural(left_out, 'line')} before)"] if left_out > 0 else []
    shown += [_entities(cut(visible(line), width)) for line in all_lines[-lines:]]
    return "<pre>" + "\n".join(shown) + "</pre>"


def folded(title: str, lines: Sequence[str], *, unfolded: bool = False) -> str:
    """Lines of Markdown below a title that opens them; the title is Markdown already."""
    return "\n".join([f"<details{' open' * unfolded}><summary>{title}</summary>", "", *lines, "", "</details>"])


def marker(kind: str, identity: str) -> str:
    """The HTML comment at the head of a page by which a bot finds what it wrote before about the same thing."""
    return f"<!-- understudy:{kind}:{re.sub(r'[^A-Za-z0-9_.:]+', '-', identity)[:200]} -->"


def within(head: str, blocks: Iterable[str], limit: int, rest: str) -> str:
    """The head and as many whole blocks as there is room for in `limit` characters; `rest` says where all of it is."""
    text, left, total = head, 0, 0
    for block in blocks:
        total += 1
        if left or len(text) + len(block) + _ROOM > limit:
            left += 1
        else:
            text += f"\n\n{block}"
    if left:
        text += f"\n\n**{plural(left, 'block')} of {total} cut**: there is room for {limit:,} characters. {rest}"
    return text[: limit - 1] + "\n"
