"""`x-understudy`: what Compose has no words for - secrets, third parties, endpoints, profiles and suites."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from understudy.stacks.endpoints import scheme_of
from understudy.stacks.profile import Profile
from understudy.stacks.secret_rules import SecretRule, SecretStore
from understudy.stacks.topology import External, Suite, TopologyError, Where

from .compose_profile import places, read_profile, secret_nodes, secret_rules, secret_stores
from .compose_suite import read_suite
from .document.yaml_text import Node
from .extension_keys import keys_of
from .extension_shapes import NAME as NAME_PATTERN
from .nodes import Fields, Reading, choice, flag, integer, items, mapping, parsed, text, word
from .values import host_name

__all__ = ["NAME", "Extension", "read_extension", "secret_names"]

NAME = re.compile(NAME_PATTERN, re.ASCII)
"""A service's name, as Compose allows it, and an external's; a first letter or digit keeps it from being an option."""

_ENDPOINT = re.compile(r"(?P<service>[A-Za-z0-9][A-Za-z0-9._-]*):(?P<port>[0-9]{1,5})", re.ASCII)
_HIGHEST_PORT = 65535
_Scheme = Literal["http", "https"]
_SCHEMES: Mapping[str, _Scheme] = {"http": "http", "https": "https"}


@dataclass(frozen=True, slots=True)
class Extension:
    """What stands under `x-understudy`, without the names of secrets."""

    externals: Mapping[str, External]
    endpoints: tuple[tuple[str, int], ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    suites: tuple[Suite, ...] = ()
    secret_rules: Mapping[str, SecretRule] = field(default_factory=dict)
    secret_stores: Mapping[str, SecretStore] = field(default_factory=dict)
    places: Mapping[str, Where] = field(default_factory=dict)


def secret_names(root: Node) -> tuple[str, ...]:
    """The names under `x-understudy.secrets`, before anything is interpolated.

    Raises:
        TopologyError: one is no variable's name.
    """
    return tuple(secret_nodes(root))


def read_extension(node: Node | None, services: Iterable[str], reading: Reading) -> Extension:
    """The extension at the document's top; `services` are the names that endpoints may speak of.

    Raises:
        TopologyError: a key is not known, or a value is not allowed.
    """
    if node is None:
        return Extension({})
    fields = Fields(node, reading, allowed=keys_of("extension"))
    names = frozenset(services)
    secrets = fields.take("secrets")  # their names were read before anything was interpolated
    externals: dict[str, External] = {}
    for name, child in fields.read("externals", mapping, {}).items():
        external = _external(name, child, names, reading)
        _hold_host(external, externals.values())
        externals[name] = external
    return Extension(
        externals,
        tuple(_endpoint(item, names) for item in fields.read("endpoints", items, ())),
        {
            name: read_profile(name, child, names, reading)
            for name, child in fields.read("profiles", mapping, {}).items()
        },
        tuple(read_suite(name, child, reading) for name, child in fields.read("tests", mapping, {}).items()),
        secret_rules(secrets, reading),
        secret_stores(secrets, reading),
        places(node),
    )


def _external(name: str, node: Node, services: frozenset[str], reading: Reading) -> External:
    if not NAME.fullmatch(name) or name in services:
        raise TopologyError(
            f"{name[:60]!r} is no name for a third party; allowed are letters, digits, dots, dashes and underscores, "
            "and not a service's name",
            node.key_where,
        )
    fields = Fields(node, reading, allowed=keys_of("external"))
    host = parsed(word(fields.need("host")), _outside_name)
    given: _Scheme | None = fields.read("scheme", lambda scheme: choice(scheme, _SCHEMES), None)
    port = fields.read("port", _port, 443 if given == "https" else 80)
    scheme = given or ("https" if scheme_of(port, "service") == "https" else "http")
    mock = fields.read("mock", lambda folder: reading.path(folder, "the mock's folder"), None)
    allow = fields.read("allow", flag, False)
    if mock is not None and allow:
        raise TopologyError("it has a mock and is allowed, and a name leads to one of them: choose", node.key_where)
    return External(name, host.lower(), port, mock, allow, scheme, where=node.key_where)


def _outside_name(text: str) -> str:
    """The name of one host outside.

    Raises:
        ValueError: it is none, or an address: a mock and the egress relay answer under a name.
    """
    name = host_name(text)
    if re.fullmatch(r"[0-9.]+", name):
        raise ValueError(f"{text[:100]!r} is an address; a third party is known by its host name")
    return name


def _hold_host(external: External, others: Iterable[External]) -> None:
    """Hold that a host has one entry; one that is allowed has one for each port."""
    for other in others:
        both = external.allow and other.allow
        if other.host == external.host and not (both and other.port != external.port):
            raise TopologyError(
                f"{external.name!r} and {other.name!r} have the same host {external.host!r}, and a name resolves to "
                "one of them: give a host one entry, or one for each port if all of them are allowed",
                external.where,
            )


def _port(node: Node) -> int:
    port = integer(node, least=1)
    if port > _HIGHEST_PORT:
        raise TopologyError(f"{port} is no port; allowed are 1 to {_HIGHEST_PORT}", node.where)
    return port


def _endpoint(node: Node, services: frozenset[str]) -> tuple[str, int]:
    given = text(node)
    match = _ENDPOINT.fullmatch(given)
    if match is None or not 1 <= int(match["port"]) <= _HIGHEST_PORT:
        raise TopologyError(f"{given[:60]!r} is no endpoint; allowed is SERVICE:PORT", node.where)
    if match["service"] not in services:
        raise TopologyError(
            f"{match['service']!r} is no service of the clone; services are {', '.join(sorted(services))}", node.where
        )
    return match["service"], int(match["port"])
