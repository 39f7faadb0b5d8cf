"""Environment files (`.env`, `--env-file`, `env_file`, `label_file`): the dotenv format as Compose reads it.

The references are compose-go v2.9.0, package dotenv, and docker/cli, package kvfile, for `format: raw`.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, MutableMapping

from understudy.stacks.topology import TopologyError, Where

from .interpolate import InterpolationError, substitute

__all__ = ["MAX_CHARACTERS", "decode", "parse_raw", "read_env"]

MAX_CHARACTERS = 1 << 20
"""Characters of one file."""

_SPACE = " \t\v\f\r\x85\xa0"
_KEY = re.compile(r"[^=:\n]*")
_EXPORT = re.compile(rf"export(?=[ \t\n\f\r])[{_SPACE}]*")
_ESCAPE = re.compile(r"\\(?:([abcfnrtv$\"\\])|0(\d{0,3}))", re.ASCII)
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "$": "$$",
    '"': '"',
    "\\": "\\",
}


def decode(data: bytes, file: str) -> str:
    """The text of a file that was read.

    Raises:
        TopologyError: it is not UTF-8, holds a NUL, or is longer than MAX_CHARACTERS.
    """
    if len(data) > MAX_CHARACTERS:
        raise TopologyError(f"the file has {len(data)} bytes; at most {MAX_CHARACTERS} are read", Where(file, 1, 1))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TopologyError(f"the file is not UTF-8: {error.reason}", Where(file, line, 1)) from error
    if "\0" in text:
        raise TopologyError(
            "a NUL character, which no process can be given", Where(file, text[: text.index("\0")].count("\n") + 1, 1)
        )
    return text


def parse_raw(text: str, file: str, variables: Mapping[str, str], found: MutableMapping[str, str]) -> None:
    """Put into `found` what a file of `KEY=value` lines sets, each value as it stands.

    Raises:
        TopologyError: a line has no key, or one with a space.
    """
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        entry = line.lstrip()
        if not entry or entry.startswith("#"):
            continue
        key, mark, value = entry.partition("=")
        if not key or re.search(r"[ \t]", key):
            raise TopologyError(f"{key[:40]!r} is no variable's name; allowed is KEY=value", Where(file, number, 1))
        if mark:
            found[key] = value
        elif key in variables:
            found[key] = variables[key]


def read_env(text: str, file: str, variables: Mapping[str, str], found: MutableMapping[str, str]) -> None:
    """Put into `found` what the file sets; values are interpolated from `variables` first, then from `found`.

    A key without `=` takes its value from `variables`, and is left out where they have none. Values in single quotes
    are not interpolated.

    Raises:
        TopologyError: a line is no assignment, a quote is open, a template is wrong.
    """
    known = ChainMap(dict(variables), found)
    position = 0
    while True:
        position = _start(text, position)
        if position >= len(text):
            return
        begin = position
        if export := _EXPORT.match(text, position):
            position = export.end()
        key, position, inherited = _key(text, position, file)
        if inherited:
            if key in variables:
                found[key] = variables[key]
            continue
        try:
            found[key], position = _value(text, position, known)
        except InterpolationError as error:
            raise TopologyError(str(error), _where(file, text, begin)) from error


def _start(text: str, position: int) -> int:
    """Where the next statement begins, behind blank lines and comments."""
    while position < len(text):
        if text[position].isspace():
            position += 1
        elif text[position] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        else:
            break
    return position


def _key(text: str, position: int, file: str) -> tuple[str, int, bool]:
    """A key, where its value begins, and whether it is taken from the variables for want of one."""
    match = _KEY.match(text, position)
    name = match[0] if match else ""
    end = position + len(name)
    mark = text[end : end + 1]
    odd = any(c not in _SPACE and c not in "_.-[]" and not (c.isalpha() or c.isnumeric()) for c in name)
    if not odd and not mark and name:
        return "", position, False  # Compose's reading of a last line without an end: no name, and this as its value
    key = name.rstrip()
    if odd or " " in key or not mark:
        shown = text[position:].partition("\n")[0].strip().partition("=")[0][:40]
        raise TopologyError(f"{shown!r} begins no assignment; allowed is KEY=value", _where(file, text, position))
    position = end + 1
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return key, position, mark == "\n"


def _where(file: str, text: str, position: int) -> Where:
    before = text[:position]
    return Where(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _value(text: str, start: int, known: Mapping[str, str]) -> tuple[str, int]:
    """The value that begins at `start`, and where what follows it begins."""
    quote = text[start : start + 1]
    if quote not in {'"', "'"}:
        end = text.find("\n", start)
        line, end = (text[start:], len(text)) if end < 0 else (text[start:end], end + 1)
        return substitute(line.partition(" #")[0].rstrip(), known.get), end
    pieces: list[str] = []
    escaped = False
    for position in range(start + 1, len(text)):
        character = text[position]
        if character == quote and not escaped:
            value = "".join(pieces)
            if quote == '"':
                value = substitute(_ESCAPE.sub(_unescaped, value), known.get)
            return value, position + 1
        if character == "\\" and not escaped:
            escaped = True
            continue
        if escaped and character != quote:
            pieces.append("\\")
        escaped = False
        pieces.append(character)
    raise InterpolationError(f"the value in {quote} has no closing quote")


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return _ESCAPES.get(match[1], match[0])
    digits = match[2]
    octal = re.fullmatch("[0-3][0-7]{2}", digits)
    return chr(int(digits, 8)) if octal else f"\\{digits}"
