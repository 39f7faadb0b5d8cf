"""Plain scalars of YAML: which text is a number, a boolean or nothing, as go-yaml v3 reads it."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping

__all__ = ["Moment", "Scalar", "resolve"]


class Moment(str):
    """A date or time that stood unquoted: no text to Compose; as text it is in the form of RFC 3339."""

    __slots__ = ()


Scalar = str | int | float | bool | None
_WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGERS = (
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), 10),
    (re.compile(r"[-+]?0o?[0-7]+"), 8),
    (re.compile(r"[-+]?0x[0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?0b[01]+"), 2),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WHOLE = range(-(1 << 63), 1 << 64)  # beyond it go-yaml makes a float of decimal digits, and text of any others


_MOMENT = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:(?:[Tt](?=.*(?:Z|[-+]\d\d:\d\d)$)| (?!.*[Z+]))(\d\d?):(\d\d?):(\d\d?)(\.\d+)?(Z|[-+]\d\d:\d\d)?)?",
    re.ASCII,
)


def _moment(text: str) -> Moment | None:
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        moment = dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - only to hold the numbers
    except ValueError:
        return None
    fraction = (match[7] or "").rstrip("0").rstrip(".")
    return Moment(f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{match[8] or 'Z'}")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar, as go-yaml v3 resolves it."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(digits) and len(digits) < 80:  # noqa: PLR2004 - 64 binary digits and their signs
            whole = int(digits.lower().replace("o", ""), base)
            if whole in _WHOLE:
                return whole
    if (moment := _moment(text)) is not None:
        return moment
    number = float(digits) if _FLOAT.fullmatch(digits) else math.inf
    return number if math.isfinite(number) else text
