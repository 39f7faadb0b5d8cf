"""What a Compose service is on: its networks and ports, and the namespaces that it shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from understudy.stacks.change import Fidelity
from understudy.stacks.topology import NetworkLink, Port, TopologyError

from .document.yaml_text import Node
from .nodes import Fields, Reading, choice, integer, items, mapping, parsed, text
from .values import container_ports, host_name

__all__ = ["MAX_PORTS", "NetworkMode", "exposed", "linked", "links", "network_mode", "published", "shared_space"]

MAX_PORTS = 4096
"""Ports of one service, ranges counted out."""

_PROTOCOLS: Mapping[str, Literal["tcp", "udp"]] = {"tcp": "tcp", "udp": "udp"}
_OUTSIDE = "names a container that this document does not make: no clone has it"


def published(node: Node, reading: Reading) -> tuple[Port, ...]:
    """`ports` in long form."""
    found = (_port(item, reading) for item in items(node))
    return _distinct([port for port in found if port is not None], node)


def _port(node: Node, reading: Reading) -> Port | None:
    fields = Fields(node, reading)
    target = integer(fields.need("target"), least=1)
    mode = fields.take("mode")  # the short form says `ingress` without being asked
    if mode is not None and text(mode) != "ingress":
        reading.leave_out(mode, "it is for a Swarm of hosts", Fidelity.FAITHFUL)
    published, host_ip = (fields.read(key, text, None) for key in ("published", "host_ip"))
    protocol = fields.take("protocol")
    fields.finish()
    if protocol is not None and text(protocol) not in _PROTOCOLS:
        reading.leave_out(node, f"no clone has a port of {text(protocol)}; tcp and udp are cloned")
        return None
    if target > 65535:  # noqa: PLR2004 - the highest port
        raise TopologyError(f"{target} is no port; allowed are 1 to 65535", node.where)
    return Port(target, published, "tcp" if protocol is None else choice(protocol, _PROTOCOLS), host_ip)


def _distinct(found: list[Port], node: Node) -> tuple[Port, ...]:
    if len(found) > MAX_PORTS:
        raise TopologyError(f"here are {len(found)} ports; at most {MAX_PORTS} are taken", node.where)
    return tuple(dict.fromkeys(found))


def exposed(node: Node) -> tuple[Port, ...]:
    """`expose`: container ports and ranges of them."""
    result: list[Port] = []
    for item in items(node):
        result.extend(parsed(item, container_ports))
    return _distinct(result, node)


def linked(node: Node) -> tuple[tuple[str, str | None], ...]:
    """`links`: other services, each with the name by which this one calls it, if that is another."""
    found = []
    for item in items(node):
        other, mark, alias = text(item).partition(":")
        try:
            found.append((other, host_name(alias) if mark else None))
        except ValueError as error:
            raise TopologyError(str(error), item.where) from error
    return tuple(found)


def links(node: Node, reading: Reading) -> tuple[NetworkLink, ...]:
    """`networks` of a service with the aliases, in the order in which they are joined: by priority, then by name."""
    found: list[tuple[float, NetworkLink]] = []
    for name, child in mapping(node).items():
        aliases: tuple[str, ...] = ()
        priority = 0
        if child.value is not None:
            fields = Fields(child, reading)
            names = fields.read("aliases", items, ())
            aliases = tuple(dict.fromkeys(parsed(alias, host_name) for alias in names))
            priority = fields.read("priority", lambda given: integer(given, least=-(2**31)), 0)
            fields.finish()
        found.append((-priority, NetworkLink(name, aliases)))
    return tuple(link for _, link in sorted(found, key=lambda pair: (pair[0], pair[1].network)))


@dataclass(frozen=True, slots=True)
class NetworkMode:
    """What `network_mode` comes to: no network at all, the host's, another service's, or these."""

    none: bool = False
    host: bool = False
    of: str | None = None
    joins: str | None = None


def network_mode(
    node: Node, containers: Mapping[str, str], networks: Mapping[str, str], reading: Reading
) -> NetworkMode:
    """`network_mode`.

    Args:
        node: its value.
        containers: the name of a container -> the service that has it.
        networks: the name of a network on production's host -> its key in the document.
        reading: what goes on the record.
    """
    mode = text(node)
    word, mark, name = mode.partition(":")
    if mode in {"none", "host"}:
        return NetworkMode(none=mode == "none", host=mode == "host")
    if mark and word in {"service", "container"}:
        other = name if word == "service" else containers.get(name)
        if other is None:
            reading.refuse(node.where, f"{mode!r} {_OUTSIDE}")
            return NetworkMode(none=True)
        return NetworkMode(of=other)
    own = networks.get(mode, mode if mode in networks.values() else "default")
    what = "the clone has a network of its own in its place"
    reading.change(node.key_where, mode, f"network {own}", f"{mode!r} is a network of production's host; {what}")
    return NetworkMode(joins=own)


def shared_space(node: Node, containers: Mapping[str, str], reading: Reading) -> str | None:
    """`ipc` or `pid`: a word of Docker's, or `service:NAME`."""
    given = text(node)
    word, mark, name = given.partition(":")
    if not mark or word == "service":
        return given
    service = containers.get(name)
    if word != "container" or service is None:
        reading.refuse(node.where, f"{given!r} {_OUTSIDE}")
        return None
    return f"service:{service}"
