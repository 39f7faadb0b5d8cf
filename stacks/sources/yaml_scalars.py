"""Plain scalars of YAML: which text is a number, a boolean or nothing, as go-yaml v3 reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

__all__ = ["Scalar", "resolve"]

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
_LONGEST_INTEGER = 1 << 64  # go-yaml makes a float of what is larger


def resolve(text: str) -> Scalar:
    """The value of a plain scalar, as go-yaml v3 resolves it; dates stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(digits) and len(digits) < 80:  # noqa: PLR2004 - 64 binary digits and their signs
            whole = int(digits.lower().replace("o", ""), base)
            return whole if abs(whole) < _LONGEST_INTEGER else float(whole)
    number = float(digits) if _FLOAT.fullmatch(digits) else math.inf
    return number if math.isfinite(number) else text
