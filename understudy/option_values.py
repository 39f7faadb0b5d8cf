"""What a value of an option may be: each parser takes a flag's text, a variable's, or what TOML holds."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable

__all__ = [
    "accounts",
    "amount",
    "assignments",
    "count",
    "limit",
    "one_of",
    "part",
    "parts",
    "positive",
    "region",
    "seconds",
    "seconds_or_none",
    "several",
    "sinks",
    "size",
    "switch",
    "text",
]

_LONGEST = 10 * 365 * 86400.0
_MOST_PARTS = 1000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: object) -> float:
    """A duration: a number of seconds, or text such as `90s`, `15m`, `2h`, `1d`.

    Raises:
        ValueError: it is neither, or not positive.
    """
    if isinstance(value, bool):
        raise ValueError("a duration, such as 90s, 15m, 2h or 1d")  # noqa: TRY004 - one error for all bad values
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value).strip())
    length = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if not 0 < length <= _LONGEST:
        raise ValueError("a duration, such as 90s, 15m, 2h or 1d")
    return length


def seconds_or_none(value: object) -> float:
    """As `seconds`, or 0."""
    return 0.0 if str(value).strip() in {"0", "0s"} else seconds(value)


def limit(value: object) -> float:
    """A duration, or 0: no limit."""
    return 0.0 if str(value) in {"0", "0.0"} else seconds(value)


def text(value: object) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ValueError("text")  # noqa: TRY004 - one error for all bad values
    if "\0" in value:
        raise ValueError("text without NUL characters")
    return value


def several(value: object) -> tuple[str, ...]:
    """A list of texts; in a variable, one text with commas between."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError("a list of texts")  # noqa: TRY004 - one error for all bad values
    return tuple(text(item) for item in given if item != "")


def sinks(value: object) -> tuple[str, ...]:
    """As `several`; an item of a list may itself be a list, a command's argument vector."""
    if not isinstance(value, list):
        return several(value)
    return tuple(shlex.join(several(item)) if isinstance(item, list) else text(item) for item in value if item)


def assignments(value: object) -> tuple[str, ...]:
    """Texts `NAME=VALUE`."""
    given = several(value)
    if not all(re.match(r"[^=\s]+=", item) for item in given):
        raise ValueError("NAME=VALUE, or a list of such")
    return given


def accounts(value: object) -> tuple[str, ...]:
    """Accounts of AWS."""
    given = several(value)
    if not all(re.fullmatch(r"[0-9]{12}", account, re.ASCII) for account in given):
        raise ValueError("an AWS account, of twelve digits, or a list of such")
    return given


def region(value: object) -> str:
    """A region of AWS; empty: none is named."""
    name = text(value)
    if name and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", name, re.ASCII):
        raise ValueError("an AWS region, such as eu-west-1")
    return name


def positive(value: object) -> int:
    """A whole number from 1."""
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise ValueError("a whole number from 1")
    return number


def count(value: object) -> int:
    """A whole number from 0."""
    return 0 if str(value) == "0" else positive(value)


def amount(value: object) -> float:
    """A number from 0."""
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < math.inf:
        raise ValueError("a number from 0")
    return number


def size(value: object) -> int:
    """Bytes: a whole number, or one with a unit of 1024 (`512m`, `4g`, `2GiB`)."""
    match = re.fullmatch(r"(\d{1,15})([bkmgt]?)(?:i?b)?", str(value).strip().lower(), re.ASCII)
    if isinstance(value, bool) or match is None:
        raise ValueError("a size, such as 512m or 4g")
    return int(match[1]) << 10 * "bkmgt".index(match[2] or "b")


def switch(value: object) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if str(value).lower() not in known:
        raise ValueError("true or false")
    return known[str(value).lower()]


def one_of(*allowed: str) -> Callable[[object], str]:
    """A parser of one of these words."""

    def parse(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return str(value)

    return parse


def parts(value: object) -> int:
    """How many parts the tests are split in."""
    if (number := positive(value)) > _MOST_PARTS:
        raise ValueError(f"a whole number from 1 to {_MOST_PARTS}")
    return number


def part(value: object) -> str:
    """Which part: `i/n`, `auto`, or empty."""
    said = text(value)
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", said, re.ASCII)
    if said not in ("", "auto") and not (found and 1 <= int(found[1]) <= int(found[2]) <= _MOST_PARTS):
        raise ValueError(f"i/n with i from 1 to n and n at most {_MOST_PARTS}, or `auto`")
    return said
