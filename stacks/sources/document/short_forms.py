"""The little languages of short forms: ports, mounts and devices written as one text, as mappings.

The references are compose-go v2.9.0, package format, and docker/go-connections v0.6.0, package nat.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from understudy.stacks.topology import TopologyError

from .tree import fail, made
from .yaml_text import Node

__all__ = ["MAX_RANGE", "is_address", "parse_device", "parse_mount", "parse_ports"]

MAX_RANGE = 1024
"""Ports of one range: each is probed and published on its own."""

_PROPAGATIONS = frozenset(("rprivate", "private", "rshared", "shared", "rslave", "slave"))
_SHORTEST = 2  # a text no longer than that is a path in the container


def _mapping(values: Mapping[str, Any], like: Node) -> Node:
    """A mapping of scalars and mappings, all where `like` stands; empty values are left out, empty mappings not."""
    return made(
        {
            key: _mapping(value, like) if isinstance(value, dict) else made(value, like)
            for key, value in values.items()
            if isinstance(value, dict) or value
        },
        like,
    )


def parse_mount(node: Node) -> Node:
    """A mount in short form, `[SOURCE:]TARGET[:OPTIONS]`, in its long form.

    Raises:
        TopologyError: it is empty, or has an empty part or too many.
    """
    spec = str(node.value)
    if not spec:
        fail(node, "a mount cannot be an empty text; allowed is [SOURCE:]TARGET[:OPTIONS]")
    if len(spec.encode()) <= _SHORTEST:
        return _mapping({"type": "volume", "target": posixpath.normpath(spec)}, node)
    parts = _parts(spec)
    if "" in parts or len(parts) > 3:  # noqa: PLR2004 - source, target, options
        fail(node, f"{spec[:100]!r} is no mount; allowed is [SOURCE:]TARGET[:OPTIONS]")
    source, target = ("", parts[0]) if len(parts) == 1 else parts[:2]
    found: dict[str, Any] = {"type": "volume", "source": source, "target": clean(target)}
    options = parts[2].split(",") if len(parts) > 2 else []  # noqa: PLR2004 - as above
    found["read_only"] = "ro" in [option for option in options if option in {"ro", "rw"}][-1:]
    bind = _bind_options(options)
    volume = {"nocopy": True} if "nocopy" in options else {}
    if _is_path(source):
        found.update(type="bind", bind={**bind, "create_host_path": True}, **({"volume": volume} if volume else {}))
    else:
        found.update(volume=volume, **({"bind": bind} if bind else {}))
    return _mapping(found, node)


def _bind_options(options: list[str]) -> dict[str, Any]:
    bind: dict[str, Any] = {}
    for option in options:
        if option in _PROPAGATIONS:
            bind["propagation"] = option
        elif option in {"z", "Z"}:
            bind["selinux"] = option
    return bind


def _parts(spec: str) -> list[str]:
    """The text split at its colons, but not behind a single letter, which is a drive of Windows."""
    parts = [""]
    for character in spec:
        if character == ":" and not (len(parts[-1]) == 1 and parts[-1].isalpha()):
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _is_path(source: str) -> bool:
    return source[:1] in {".", "/", "~"} or source.startswith("\\\\") or (source[:1].isalpha() and source[1:2] == ":")


def clean(path: str) -> str:
    """A path inside a container without what says nothing; `//` at its beginning is one slash, as Go has it."""
    shortest = posixpath.normpath(path)
    return shortest[1:] if shortest.startswith("//") else shortest


def parse_device(node: Node) -> Node:
    """A device in short form, `SOURCE[:TARGET[:PERMISSIONS]]`, in its long form.

    Raises:
        TopologyError: it has more parts.
    """
    parts = str(node.value).split(":")
    if len(parts) > 3:  # noqa: PLR2004 - source, target, permissions
        fail(node, f"{str(node.value)[:100]!r} is no device; allowed is SOURCE[:TARGET[:PERMISSIONS]]")
    source = parts[0]
    target = (parts[1] if len(parts) > 1 else "") or source
    permissions = parts[2] if len(parts) > 2 else "rwm"  # noqa: PLR2004 - as above
    return made(
        {
            "source": made(source, node),
            "target": made(target, node),
            "permissions": made(permissions, node),
        },
        node,
    )


def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def parse_ports(node: Node, text: str) -> tuple[Node, ...]:
    """A port in short form, `[[IP:][HOST]:]CONTAINER[/PROTOCOL]`, in its long form, one for each of a range.

    Raises:
        TopologyError: it is no such text, or the two ranges differ in length.
    """
    try:
        return tuple(_mapping(found, node) for found in _ports(text))
    except TopologyError:
        raise
    except ValueError as error:
        fail(node, f"{text[:100]!r}: {error}; allowed is [[IP:][HOST]:]CONTAINER[/tcp, /udp or /sctp]")


def _ports(text: str) -> list[dict[str, Any]]:
    *before, container = text.split(":")
    published = before.pop() if before else ""
    address = ":".join(before)
    container, _, protocol = container.partition("/")
    protocol = (protocol or "tcp").lower() if container else ""
    if protocol not in {"tcp", "udp", "sctp"}:
        raise ValueError("the protocol is none of those" if container else "a port of the container is missing")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address and not is_address(address):
        raise ValueError(f"{address[:60]!r} is no IP address")
    targets = _range(container)
    hosts = _range(published) if published else None
    if hosts and len(hosts) != len(targets) and len(targets) > 1:
        raise ValueError("the range of the host and that of the container differ in length")
    found = []
    for index, target in enumerate(targets):
        host = ""
        if hosts:
            host = str(hosts[index])
            if len(targets) == 1 and len(hosts) > 1:
                host = f"{hosts[0]}-{hosts[-1]}"
        found.append({"mode": "ingress", "host_ip": address, "target": target, "published": host, "protocol": protocol})
    return sorted(found, key=lambda port: f"{port['target']}/{protocol}")


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    last = last.partition("-")[0] if dash else first
    if not re.fullmatch(r"[0-9]+", first + last, re.ASCII) or not first or not last:
        raise ValueError(f"{text[:60]!r} is no port or range of ports")
    low, high = int(first[-9:]), int(last[-9:])
    if max(len(first.lstrip("0")), len(last.lstrip("0"))) > 5 or not low <= high <= 65535:  # noqa: PLR2004 - ports
        raise ValueError(f"{text[:60]!r} is no port or range of ports up to 65535")
    if high - low >= MAX_RANGE:
        raise ValueError(f"{high - low + 1} ports in one range; at most {MAX_RANGE} are taken")
    return range(low, high + 1)
