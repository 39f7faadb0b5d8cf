"""Numbers, sizes, durations and command lines, read and written as Compose does it, that is: as Go does.

The references are Go's strconv, fmt and time, docker/go-units, xhit/go-str2duration and mattn/go-shellwords, in the
versions that Compose v2.40.0 is built from.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal

__all__ = ["as_float32", "as_text", "boolean", "byte_size", "command_line", "duration", "floating", "whole", "written"]

_DURATION = re.compile(r"([0-9]*)(\.[0-9]*)?([^.0-9]+)")
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 24 * 3600 * 10**9,
    "w": 168 * 3600 * 10**9,
}
_LONGEST = (1 << 63) - 1
_SIZE = re.compile(r"([0-9.]+)( ?)([a-z]*)", re.IGNORECASE | re.ASCII)
_FACTORS = {"": 1, "b": 1, **{k + end: 1024**n for n, k in enumerate("kmgtp", 1) for end in ("", "b", "ib")}}
_WHOLE = re.compile(r"[-+]?[0-9]+")
_FLOATING = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?(inf|infinity|nan)", re.IGNORECASE)
_LEAST_EXPONENT, _MOST_EXPONENT = -4, 6


def duration(text: str) -> int:
    """Nanoseconds of a duration such as `1m30s`, `500ms`, `1.5h`, `1d`, `0`; with a sign, negative ones too.

    Raises:
        ValueError: it is none.
    """
    rest = text[1:] if text[:1] in {"-", "+"} else text
    total = position = 0
    while position < len(rest) and rest != "0":
        match = _DURATION.match(rest, position)
        if match is None or not (match[1] or (match[2] or "")[1:]) or match[3] not in _UNITS:
            break
        unit = _UNITS[match[3]]
        total += int(match[1] or 0) * unit + int(Decimal("0" + (match[2] or "").rstrip(".")) * unit)
        position = match.end()
    if not rest or (rest != "0" and position < len(rest)) or total > _LONGEST:
        raise ValueError(f"{text[:100]!r} is no duration; a number needs its unit, as in 90s, 1m30s or 500ms")
    return -total if text.startswith("-") else total


def written(nanoseconds: int) -> str:
    """A duration as Go's time.Duration writes itself: `1m30s`, `1.5s`, `24h0m0s`, `0s`."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if rest < size * 1000:
            return f"{sign}{_fraction(rest, size)}{unit}"
    minutes, below = divmod(rest, 60 * 10**9)
    text = _fraction(below, 10**9) + "s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
    return sign + text


def _fraction(amount: int, size: int) -> str:
    digits = len(str(size)) - 1
    whole_part, below = divmod(amount, size)
    return f"{whole_part}.{below:0{digits}d}".rstrip("0").rstrip(".") if digits else str(whole_part)


def byte_size(text: str) -> int:
    """Bytes of a size such as `512m`, `1.5gb`, `64MiB`, `1024`; units are powers of 1024.

    Raises:
        ValueError: it is none.
    """
    match = _SIZE.fullmatch(text)
    factor = _FACTORS.get(match[3].lower()) if match else None
    if match is None or factor is None or match[1].count(".") > 1 or match[1] == ".":
        raise ValueError(f"{text[:100]!r} is no size; allowed are bytes or a number with k, m, g, t or p")
    size = float(match[1]) * factor
    if not size <= _LONGEST:
        raise ValueError(f"{text[:100]!r} is no size: more than 64 bits hold")
    return int(size)


def boolean(text: str) -> bool:
    """The truth of a text that took a boolean's place.

    Raises:
        ValueError: it is neither.
    """
    word = text.lower()
    if word in {"true", "y", "yes", "on"}:
        return True
    if word in {"false", "n", "no", "off"}:
        return False
    raise ValueError(f"{text[:100]!r} is neither true nor false")


def whole(text: str) -> int:
    """A whole number of 64 bits in decimal digits.

    Raises:
        ValueError: it is none.
    """
    if not _WHOLE.fullmatch(text) or len(text) > 20 or not -_LONGEST - 1 <= int(text) <= _LONGEST:  # noqa: PLR2004 - digits
        raise ValueError(f"{text[:100]!r} is no whole number")
    return int(text)


def floating(text: str) -> float:
    """A number in decimal digits, with an exponent or not.

    Raises:
        ValueError: it is none, or larger than 64 bits hold.
    """
    if _INFINITE.fullmatch(text):
        return float(text)
    if not _FLOATING.fullmatch(text) or math.isinf(float(text)):
        raise ValueError(f"{text[:100]!r} is no number")
    return float(text)


def as_float32(value: float) -> float:
    """The number that Compose prints of one that it keeps in 32 bits: the shortest that rounds to the same."""
    try:
        kept = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    if not math.isfinite(kept):
        return float(kept)
    for digits in range(1, 10):
        short = float(f"{kept:.{digits}g}")
        if struct.unpack("f", struct.pack("f", short))[0] == kept:
            return short
    return float(kept)


def as_text(value: bool | float | str | None) -> str:  # noqa: FBT001 - any scalar
    """A scalar as Go's `%v` writes it: true, 1.1 for 1.10, 1e+06, +Inf, <nil>."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - the number is finite
    point = exponent + len(digits) - 1
    if value != 0 and not _LEAST_EXPONENT <= point < _MOST_EXPONENT:
        mantissa = "".join(map(str, digits))
        mantissa = mantissa[0] + ("." + mantissa[1:] if len(mantissa) > 1 else "")
        return f"{'-' * sign}{mantissa}e{'-' if point < 0 else '+'}{abs(point):02d}"
    plain = format(Decimal(repr(value)), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def command_line(text: str) -> tuple[str, ...]:
    """The arguments of a command line, with nothing expanded; what follows `;`, `&`, `|`, `<` or `>` is dropped.

    Raises:
        ValueError: a quote or parenthesis is open or stands alone.
    """
    return _Words(text).split()


class _Words:
    """The state of splitting one command line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = []
        self._word = ""
        self._begun = False
        self._open = ""  # ', ", ` or $ for $(

    def split(self) -> tuple[str, ...]:
        escaped = False
        for character in self._text:
            if escaped:
                self._add(character)
                escaped = False
            elif character == "\\" and self._open != "'":
                escaped = True
            elif self._end(character):
                break
        if escaped or self._open:
            raise self._error()
        if self._begun:
            self._words.append(self._word)
        return tuple(self._words)

    def _error(self) -> ValueError:
        return ValueError(f"the command {self._text[:100]!r} cannot be split: a quote or parenthesis is open")

    def _add(self, character: str) -> None:
        self._word += character
        self._begun = True

    def _end(self, character: str) -> bool:
        """Take a character that is not escaped; whether the command ends before it."""
        if character in " \t\r\n":
            if self._open:
                self._word += character
            elif self._begun:
                self._words.append(self._word)
                self._word, self._begun = "", False
        elif character in "\"'":
            self._quote(character)
        elif character in "`()":
            self._substitution(character)
        elif character in ";&|<>" and not self._open:
            if character == ">" and self._word[:1].isdigit():
                self._begun = False  # the number of a file descriptor
            return True
        else:
            self._add(character)
        return False

    def _quote(self, quote: str) -> None:
        if self._open == quote:
            self._open = ""
            self._begun = True
        elif self._open in {"", "`"}:
            self._open = quote
        else:
            self._add(quote)

    def _substitution(self, character: str) -> None:
        if character == "`" and self._open in {"", "`"}:
            self._open = "" if self._open else "`"
        elif character == "(" and self._open in {"", "$"}:
            if self._open or not self._word.endswith("$"):
                raise self._error()
            self._open = "$"
            self._word += "("
            return
        elif character == ")" and self._open in {"", "$"}:
            self._open = "" if self._open else "$"
        self._add(character)
