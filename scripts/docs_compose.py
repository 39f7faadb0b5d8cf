"""The page of the three lists: what becomes of each key of Compose, from the table that decides it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from understudy.stacks.allowed import ALLOW, CAPABILITIES
from understudy.stacks.sources.compose_keys import Key
from understudy.stacks.sources.compose_keys_parts import KEYS

__all__ = ["KEYS_PAGE", "compose_keys_page"]

KEYS_PAGE = Path("docs/compose-keys.md")

_OPENING = """\
# Every key of the Compose specification

This page is generated: `make docs` writes it from the table that the reading of Compose files follows, and a test
holds that table against the specification's published schema, so that no key is missing. [compose.md](compose.md)
says more of each.

| word | what happens |
| --- | --- |
| cloned | the clone has what production has |
| changed | the clone has it in another form, and a Change says which |
| left out | the clone has not got it, and a Change says why |
| refused | nothing is created for the values that are named; any other value is cloned |

A Change stands in `changes.json` and in the fidelity report, with the file, line and column of its key. A key that
begins with `x-` is nobody's business, but for `x-understudy`.

Names that a document chooses are written `*`. A key that is not listed below another goes the way of that one.
"""

_SECTIONS = (
    ("The top of the document", ""),
    ("Services", "services.*"),
    ("Build", "services.*.build"),
    ("Deploy", "services.*.deploy"),
    ("Networks", "networks.*"),
    ("Volumes", "volumes.*"),
    ("Configs and secrets", "configs.* secrets.*"),
)


def compose_keys_page() -> str:
    """The whole page."""
    return "\n".join((_OPENING, *_tables(), *_allow()))


def _tables() -> Iterator[str]:
    left = dict(KEYS)
    sections = []
    for title, prefixes in reversed(_SECTIONS):  # the deepest takes its own first
        own = [row for row in left.values() if _is_below(row, prefixes.split() or [""])]
        for row in own:
            del left[row.path]
        sections.append((title, own))
    for title, own in reversed(sections):
        yield f"## {title}\n"
        yield from _table(own)
        yield ""


def _is_below(row: Key, prefixes: Iterable[str]) -> bool:
    return any(not prefix or row.path.startswith(f"{prefix}.") for prefix in prefixes)


def _table(rows: Iterable[Key]) -> Iterator[str]:
    yield "| key | taken | how, or why |"
    yield "| --- | --- | --- |"
    for row in sorted(rows, key=lambda row: row.path):
        allow = "; `--allow` takes " + " or ".join(f"`{name}`" for name in row.allow) if row.allow else ""
        yield f"| `{row.path}` | {row.taken} | {row.reason}{allow} |"


def _allow() -> Iterator[str]:
    yield "## What can be allowed\n"
    yield "`--allow NAME`, as often as needed, clones what is refused otherwise; any other name is an error.\n"
    yield "| name | what is cloned by it |"
    yield "| --- | --- |"
    for name, what in ALLOW.items():
        yield f"| `{name}` | {what} |"
    names = ", ".join(f"`{name}`" for name in sorted(CAPABILITIES))
    yield f"\nPATH is an absolute path of the host; NAME is one of {names}: no namespace holds in these.\n"
