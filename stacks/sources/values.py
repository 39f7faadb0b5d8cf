"""The small languages inside Compose's values: durations, sizes, booleans, ports, command lines, numbers as text."""

from __future__ import annotations

import math
import re
import shlex
from decimal import Decimal
from typing import Literal

from understudy.stacks.topology import Port

__all__ = [
    "MAX_RANGE",
    "boolean",
    "byte_size",
    "duration",
    "host_name",
    "host_pair",
    "number_text",
    "ports",
    "split_command",
]

MAX_RANGE = 1024
"""Ports of one range: each is probed and published on its own."""

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "h": "3600"}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?", re.ASCII)
_PORTS = re.compile(
    r"(?:(?:(?P<ip>\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?(?P<published>\d+(?:-\d+)?)?:)?(?P<target>\d+(?:-\d+)?)(?:/(?P<protocol>\w+))?",
    re.ASCII,
)
_TRUE, _FALSE = frozenset(("true", "yes", "y", "on", "1")), frozenset(("false", "no", "n", "off", "0"))


def duration(text: str) -> float:
    """Seconds of a duration as Go writes it: `1m30s`, `500ms`, `1.5h`, `0`.

    Raises:
        ValueError: it is none, or negative.
    """
    if text == "0":
        return 0.0
    pieces = list(_DURATION.finditer(text))
    if not pieces or "".join(piece[0] for piece in pieces) != text or len(text) > 100:  # noqa: PLR2004 - no real one
        raise ValueError(f"{text[:100]!r} is no duration; a number needs its unit, as in 90s, 1m30s or 500ms")
    return float(sum(Decimal(piece[1]) * Decimal(_UNITS[piece[2]]) for piece in pieces))


def byte_size(text: str) -> int:
    """Bytes of a size as Docker writes it: `512m`, `1.5gb`, `64MiB`, `1024`; units are powers of 1024.

    Raises:
        ValueError: it is none.
    """
    match = _SIZE.fullmatch(text)
    if match is None or len(text) > 40:  # noqa: PLR2004 - no real one
        raise ValueError(f"{text[:100]!r} is no size; allowed are bytes or a number with k, m, g, t or p")
    factor = 1024 ** " kmgtp".index(match[2].lower() or " ")
    return int(Decimal(match[1]) * factor)


def boolean(text: str) -> bool:
    """The truth of a text that took a boolean's place, after interpolation for one.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{text[:100]!r} is neither true nor false")


def split_command(text: str) -> tuple[str, ...]:
    """The argument vector of a command line, split as a POSIX shell would, with nothing expanded.

    Raises:
        ValueError: a quote is open.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"the command {text[:100]!r} cannot be split: {str(error).lower()}") from error


def host_pair(text: str) -> tuple[str, str]:
    """A host name and its address from `NAME=ADDRESS`, as Compose prints it.

    Raises:
        ValueError: one is missing.
    """
    name, _, address = text.partition("=")
    if not name or not address:
        raise ValueError(f"{text[:100]!r} is no host with its address; allowed is NAME=ADDRESS")
    return name, address


def host_name(text: str) -> str:
    """The text, if it is a host name that a resolver and a proxy's configuration can hold.

    Raises:
        ValueError: it is none.
    """
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is no host name; allowed are letters, digits, dots, dashes and underscores")
    return text


def ports(text: str) -> tuple[Port, ...]:
    """The ports of Compose's short syntax: `[[IP:][HOST]:]CONTAINER[/PROTOCOL]`, each of both a port or a range.

    Raises:
        ValueError: it is no such text, a port is out of range, or the two ranges differ in length.
    """
    match = _PORTS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:100]!r} is no port; allowed is [[IP:][HOST]:]CONTAINER[/tcp or /udp]")
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in {"tcp", "udp"}:
        raise ValueError(f"{text[:100]!r}: the protocol is tcp or udp")
    targets = _range(match["target"])
    published: list[str | None] = [None] * len(targets)
    if match["published"]:
        hosts = _range(match["published"])
        if len(targets) == 1 and len(hosts) > 1:
            published = [match["published"]]  # one port, on whichever of the host's is free
        elif len(hosts) != len(targets):
            raise ValueError(f"{text[:100]!r}: the range of the host and that of the container differ in length")
        else:
            published = [str(port) for port in hosts]
    host_ip = match["ip"].strip("[]") if match["ip"] else None
    kind: Literal["tcp", "udp"] = "udp" if protocol == "udp" else "tcp"
    return tuple(Port(target, host, kind, host_ip) for target, host in zip(targets, published, strict=True))


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    low, high = (int(number) if len(number) < 6 else 0 for number in (first, last or first))  # noqa: PLR2004 - digits
    if not 1 <= low <= high <= 65535:  # noqa: PLR2004 - the highest port
        raise ValueError(f"{text[:100]!r} is no port or range of ports between 1 and 65535")
    if high - low >= MAX_RANGE:
        raise ValueError(f"{text[:100]!r} has {high - low + 1} ports; at most {MAX_RANGE} are taken")
    return range(low, high + 1)


def number_text(value: float) -> str:
    """A number that stands where a text belongs, as Compose writes it (Go's `%v`): 1.10 is `1.1`, 1e3 is `1000`."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value != 0 and not 1e-4 <= abs(value) < 1e21:  # noqa: PLR2004 - where Go's %v turns to exponents
        return repr(value).replace(".0e", "e")
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
