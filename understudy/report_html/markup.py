"""HTML by construction: text is escaped where it enters, and only what was built here is taken as it is. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable

from understudy.report_html.clean import line

__all__ = ["Child", "Markup", "el", "joined", "text"]

_VOID = frozenset({"br", "hr", "meta", "link", "input", "col"})


class Markup(str):
    """Text that is HTML already, because `el` or `joined` made it."""

    __slots__ = ()


Child = str | None | Iterable["Child"]
"""What an element may hold: text, which is escaped; `Markup`, which is not; None, which is nothing; or several."""


def text(child: Child) -> Markup:
    """A child as HTML."""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return Markup(html.escape(line(child)))
    return Markup("") if child is None else joined(child)


def joined(children: Iterable[Child], between: str = "") -> Markup:
    """Several children in a row."""
    return Markup(html.escape(between).join(text(child) for child in children))


def el(tag: str, *children: Child, attributes: dict[str, str | None] | None = None, **more: str | None) -> Markup:
    """An element. Attributes by keyword: `class_` is `class`, `data_x` is `data-x`; None leaves one out, "" is bare.

    >>> el("a", "<b>", href="./x", class_="y")
    '<a href="./x" class="y">&lt;b&gt;</a>'
    """
    named = {**(attributes or {}), **{key.rstrip("_").replace("_", "-"): value for key, value in more.items()}}
    shown = "".join(
        f' {key}="{html.escape(line(value))}"' if value else f" {key}"
        for key, value in named.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{shown}>")
    return Markup(f"<{tag}{shown}>{joined(children)}</{tag}>")
