"""The small languages inside values: durations in seconds, container ports, command lines, hosts."""

from __future__ import annotations

import re
import shlex
from typing import Literal

from understudy.stacks.topology import Port

from .document.go_values import as_text, boolean, byte_size
from .document.go_values import duration as nanoseconds

__all__ = [
    "MAX_RANGE",
    "as_text",
    "boolean",
    "byte_size",
    "container_ports",
    "duration",
    "host_name",
    "host_pair",
    "split_command",
]

MAX_RANGE = 1024
"""Ports of one range: each is probed and published on its own."""

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?", re.ASCII)
_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?(?:/(?P<protocol>\w+))?", re.ASCII)
_HIGHEST = 65535


def duration(text: str) -> float:
    """Seconds of a duration as Go writes it: `1m30s`, `500ms`, `1.5h`, `0`.

    Raises:
        ValueError: it is none, or negative.
    """
    found = nanoseconds(text)
    if found < 0:
        raise ValueError(f"{text[:100]!r} is no duration from 0 on")
    return found / 10**9


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


def container_ports(text: str) -> tuple[Port, ...]:
    """The ports of a container in Compose's words: a port or a range, then `/tcp` or `/udp`.

    Raises:
        ValueError: it is no such text, or a port is out of range.
    """
    match = _PORTS.fullmatch(text)
    if match is None or (match["protocol"] or "tcp").lower() not in {"tcp", "udp"}:
        raise ValueError(f"{text[:100]!r} is not allowed; allowed are container ports only, with /tcp or /udp behind")
    low, high = int(match["first"]), int(match["last"] or match["first"])
    if not 1 <= low <= high <= _HIGHEST:
        raise ValueError(f"{text[:100]!r} is no port or range of ports between 1 and {_HIGHEST}")
    if high - low >= MAX_RANGE:
        raise ValueError(f"{text[:100]!r} has {high - low + 1} ports; at most {MAX_RANGE} are taken")
    protocol: Literal["tcp", "udp"] = "udp" if (match["protocol"] or "").lower() == "udp" else "tcp"
    return tuple(Port(port, protocol=protocol) for port in range(low, high + 1))
