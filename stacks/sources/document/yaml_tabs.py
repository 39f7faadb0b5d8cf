"""Tabs between tokens, which go-yaml takes and ruamel.yaml does not: a scanner that skips them where go-yaml does."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["parser"]

_BREAKS = "\r\n\x85\u2028\u2029"
_ENDS = "\0" + _BREAKS


def parser() -> Any:  # noqa: ANN401 - ruamel's own type, here and below
    """A YAML parser in Python alone, which gives events with their places."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _scanner()
    return yaml


@cache
def _scanner() -> type:
    # imported here because it is heavy, and the command line's help does without it
    from ruamel.yaml.scanner import Scanner

    class TabScanner(Scanner):
        """Takes a tab for a space, but not where a block's key may begin: there it would count as indentation."""

        def scan_to_next_token(self) -> None:
            _skip(self)

        def scan_plain_spaces(self, indent: Any, start_mark: Any) -> Any:  # noqa: ANN401 - as above
            spaces = _tabbed(self)
            return super().scan_plain_spaces(indent, start_mark) if spaces is None else spaces

    return TabScanner


def _skip(scanner: Any) -> None:  # noqa: ANN401 - as above
    """Go on to the next token, past spaces, comments and line breaks."""
    peek, forward = scanner.reader.peek, scanner.reader.forward
    if scanner.reader.index == 0 and peek() == "\ufeff":
        forward()
    while True:
        while peek() == " " or (peek() == "\t" and (scanner.flow_level or not scanner.allow_simple_key)):
            forward()
        if peek() == "#":
            while peek() not in _ENDS:
                forward()
        if not scanner.scan_line_break():
            return
        if not scanner.flow_level:
            scanner.allow_simple_key = True


def _tabbed(scanner: Any) -> list[str] | None:  # noqa: ANN401 - as above
    """The spaces within a plain scalar where a tab is among them; None where the scanner's own way is right."""
    length = 0
    while scanner.reader.peek(length) in " \t":
        length += 1
    spaces: str = scanner.reader.prefix(length)
    if "\t" not in spaces:
        return None
    scanner.reader.forward(length)
    return None if scanner.reader.peek() in _BREAKS else [spaces]
