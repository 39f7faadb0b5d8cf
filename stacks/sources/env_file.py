"""Environment files (`.env` and `env_file`): the dotenv format as Compose reads it."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Mapping

from understudy.stacks.topology import TopologyError, Where

from .interpolate import InterpolationError, evaluate, split

__all__ = ["MAX_CHARACTERS", "decode", "parse_env", "variables_for"]

MAX_CHARACTERS = 1 << 20
"""Characters of one file."""

_LINE = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?P<key>[A-Za-z0-9_.\[\]-]+)[ \t]*(?:(?P<mark>[=:])[ \t]*|(?=[ \t]*(?:#|\n|\Z)))"
)
_SKIP = re.compile(r"(?:[ \t\r\f\v]*(?:#[^\n]*)?\n)*[ \t\r\f\v]*(?:#[^\n]*)?\Z|(?:[ \t\r\f\v]*(?:#[^\n]*)?\n)+")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#[^\n]*)?(?=\n|\Z)', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'[ \t]*(?:#[^\n]*)?(?=\n|\Z)", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "$": "$$"}
_TAKEN = frozenset("\"\\'")


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


def parse_env(text: str, file: str, variables: Mapping[str, str], *, raw: bool = False) -> dict[str, str]:
    """The variables that the file sets, in its order.

    A key without `=` takes its value from `variables`, and is left out where they have none. Values are
    interpolated from `variables` first, then from what stands above; those in single quotes are not.

    Args:
        text: the file's text.
        file: its name, for errors.
        variables: what interpolation knows.
        raw: neither quotes, escapes nor interpolation (`format: raw` of `env_file`).

    Raises:
        TopologyError: a line is no assignment, a quote is open, a template is wrong.
    """
    text = text.replace("\r\n", "\n")
    result: dict[str, str] = {}
    given = dict(variables)
    position = 0
    while position < len(text):
        if skip := _SKIP.match(text, position):
            position = skip.end()
            if position >= len(text):
                break
        line = _LINE.match(text, position)
        if line is None or not line["key"]:
            shown = text[position:].partition("\n")[0].strip().partition("=")[0][:40]
            raise TopologyError(f"{shown!r} begins no assignment; allowed is KEY=value", _where(file, text, position))
        key = line["key"]
        if line["mark"] is None:
            if key in variables:
                result[key] = variables[key]
            position = _end_of_line(text, line.end())
            continue
        try:
            result[key], position = _read_value(text, line.end(), ChainMap(given, result), raw=raw)
        except InterpolationError as error:
            raise TopologyError(str(error), _where(file, text, line.end())) from error
    return result


def _where(file: str, text: str, position: int) -> Where:
    before = text[:position]
    return Where(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _read_value(text: str, start: int, known: Mapping[str, str], *, raw: bool) -> tuple[str, int]:
    """The value that begins at `start`, and where the next line begins."""
    end = _end_of_line(text, start)
    if raw:
        return text[start:end].rstrip("\n"), end
    quote = text[start : start + 1]
    if quote not in _QUOTED:
        value = re.split(r"(?:^|\s)#", text[start:end], maxsplit=1)[0].strip()
        return evaluate(split(value), known.get), end
    match = _QUOTED[quote].match(text, start)
    if match is None:
        raise InterpolationError(f"the value in {quote} has no closing quote, or text behind it")
    end = _end_of_line(text, match.end())
    if quote == "'":
        return match[1].replace("\\'", "'"), end
    return evaluate(split(_ESCAPE.sub(_unescape, match[1])), known.get), end


def _unescape(match: re.Match[str]) -> str:
    character = match[1]
    return _ESCAPES.get(character) or (character if character in _TAKEN else match[0])


def variables_for(
    process: Mapping[str, str], read_file: Callable[[str], bytes | None], env_file: str = ".env"
) -> dict[str, str]:
    """The variables for interpolation: those of the process over those of `.env`, as Compose does it.

    Args:
        process: the process's environment.
        read_file: gives the bytes of a file beside the Compose file, or None.
        env_file: the file's name; one that is missing is no error.

    Raises:
        TopologyError: the file is no environment file.
    """
    data = read_file(env_file)
    given = parse_env(decode(data, env_file), env_file, process) if data is not None else {}
    return {**given, **process}
