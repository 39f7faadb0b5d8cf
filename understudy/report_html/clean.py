"""Foreign text made inert and of sane size: no terminal sequences, nothing invisible, nothing endless. Pure."""

from __future__ import annotations

import re

__all__ = ["block", "line"]

_LONGEST_LINE = 2000
_LONGEST_BLOCK = 40_000

# ECMA-48: CSI and OSC sequences, other two-character escapes, and single-byte CSI
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|\x9b[0-?]*[ -/]*[@-~]")
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")


def line(text: str, most: int = _LONGEST_LINE) -> str:
    r"""One line: line ends become a return sign, and what is beyond `most` characters is counted.

    >>> line("a\x1b[31mred\x1b[0m\nb")
    'ared⏎b'
    """
    return _shown(text[: 4 * most].replace("\r\n", "\n").replace("\n", "\u23ce"), most, len(text))


def block(text: str, most: int = _LONGEST_BLOCK) -> str:
    """Several lines, each at most 2,000 characters; of a long text the beginning and the longer end stay."""
    if len(text) > 4 * most:
        text = text[:most] + f"\n\u2026 ({len(text) - 3 * most} characters left out)\n" + text[-2 * most :]
    clean = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [_shown(each, _LONGEST_LINE, len(each)) for each in clean.split("\n")]
    whole = "\n".join(lines)
    if len(whole) <= most:
        return whole
    head, tail = most // 4, most - most // 4
    return f"{whole[:head]}\n\u2026 ({len(whole) - most} characters left out)\n{whole[-tail:]}"


def _shown(text: str, most: int, length: int) -> str:
    clean = _ESCAPES.sub("", text)
    if not _PLAIN.fullmatch(clean):
        clean = "".join(map(_visible, clean))
    if len(clean) <= most and length <= 4 * most:
        return clean
    return f"{clean[:most]}\u2026 ({length} characters)"


def _visible(character: str) -> str:
    """A character that shows: controls as their pictures, direction marks and other invisible ones by their number."""
    if character.isprintable() or character in "\n\t":
        return character
    number = ord(character)
    return chr(0x2400 + number) if number < 0x20 else f"\u2039U+{number:04X}\u203a"  # noqa: PLR2004 - C0 controls
