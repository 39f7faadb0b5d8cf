"""`profiles` and `secrets` under `x-understudy`: how a clone is scaled, and how secrets made anew look."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from understudy.stacks.profile import Profile, ServiceProfile
from understudy.stacks.secret_rules import ALPHABETS, HEX, SecretRule, SecretStore
from understudy.stacks.topology import TopologyError, Where

from .document.yaml_text import Node
from .extension_keys import SECRET_STORES, keys_of
from .extension_shapes import VARIABLE
from .nodes import Fields, Reading, choice, integer, items, mapping, number, parsed, text, word
from .values import byte_size

__all__ = ["places", "read_profile", "secret_nodes", "secret_rules", "secret_stores"]

T = TypeVar("T")

_RULE = re.compile(VARIABLE, re.ASCII)


def read_profile(name: str, node: Node, services: frozenset[str], reading: Reading) -> Profile:
    """One profile; `services` are the names that it may speak of.

    Raises:
        TopologyError: a key is not known, or a value is not allowed.
    """
    if node.value is None:
        return Profile(name)
    fields = Fields(node, reading, allowed=keys_of("profile"))
    without = fields.read("without", items, ())
    single = fields.read("services", mapping, {})
    _hold_services(((text(item), item.where) for item in without), services)
    _hold_services(((key, child.key_where) for key, child in single.items()), services)
    network = fields.take("network")
    return _checked(
        lambda: Profile(
            name,
            network="closed" if network is None else choice(network, {"closed": "closed", "open": "open"}),
            without=tuple(dict.fromkeys(text(item) for item in without)),
            services={key: _service(child, reading) for key, child in single.items()},
            replicas=_replicas(fields),
            cpus=_cpus(fields),
            memory=_memory(fields),
        ),
        node.key_where,
    )


def _service(node: Node, reading: Reading) -> ServiceProfile:
    if node.value is None:
        return ServiceProfile()
    fields = Fields(node, reading, allowed=keys_of("serviceProfile"))
    return _checked(lambda: ServiceProfile(_replicas(fields), _cpus(fields), _memory(fields)), node.key_where)


def _replicas(fields: Fields) -> int | None:
    return fields.read("replicas", lambda given: integer(given, least=1), None)


def _cpus(fields: Fields) -> float | None:
    return fields.read("cpus", number, None)


def _memory(fields: Fields) -> int | None:
    return fields.read("memory", lambda given: parsed(given, byte_size), None)


def _hold_services(named: Iterable[tuple[str, Where]], services: frozenset[str]) -> None:
    for name, where in named:
        if name not in services:
            raise TopologyError(
                f"{name[:60]!r} is no service of the clone; services are {', '.join(sorted(services))}", where
            )


def secret_nodes(root: Node) -> Mapping[str, Node]:
    """The names under `x-understudy.secrets`, a list or a mapping, each with its place, before any interpolation.

    Raises:
        TopologyError: one is no variable's name.
    """
    extension = mapping(root).get("x-understudy")
    node = None if extension is None or extension.value is None else mapping(extension).get("secrets")
    if node is None or node.value is None:
        return {}
    if isinstance(node.value, Mapping):
        found = [(key, child, child.key_where) for key, child in node.value.items()]
    else:
        found = [(text(word(item)), item, item.where) for item in items(node)]
    for name, _, where in found:
        if not _RULE.fullmatch(name):
            raise TopologyError(
                f"{name[:60]!r} is no name of a variable; allowed are letters, digits and underscores", where
            )
    nodes: dict[str, Node] = {}
    for name, child, _ in found:
        nodes.setdefault(name, child)
    return nodes


def secret_rules(node: Node | None, reading: Reading) -> dict[str, SecretRule]:
    """The rules of the secrets for which the document has one.

    Raises:
        TopologyError: a key is not known, or there is no such form.
    """
    given = {name: _rule(child, reading) for name, child in _told(node)}
    return {name: rule for name, rule in given.items() if rule != HEX}


def secret_stores(node: Node | None, reading: Reading) -> dict[str, SecretStore]:
    """What keeps the secrets on AWS of which the document says it.

    Raises:
        TopologyError: it is neither of the two.
    """
    given = {name: Fields(child, reading).read("on_aws", _store, None) for name, child in _told(node)}
    return {name: store for name, store in given.items() if store is not None}


def _store(node: Node) -> SecretStore:
    return choice(node, SECRET_STORES)


def _told(node: Node | None) -> Iterator[tuple[str, Node]]:
    """The secrets of which the document says more than their names."""
    if node is not None and isinstance(node.value, Mapping):
        yield from ((name, child) for name, child in node.value.items() if child.value is not None)


def _rule(node: Node, reading: Reading) -> SecretRule:
    fields = Fields(node, reading, allowed=keys_of("secret"))
    length = fields.read("length", lambda given: integer(given, least=1), None)
    alphabet = fields.read("alphabet", lambda given: text(word(given)), None)
    form = fields.read("format", lambda given: text(word(given)), "")
    return _checked(
        lambda: SecretRule(length, None if alphabet is None else ALPHABETS.get(alphabet, alphabet), form),
        node.key_where,
    )


def _checked(make: Callable[[], T], where: Where) -> T:
    try:
        return make()
    except TopologyError:
        raise
    except ValueError as error:
        raise TopologyError(str(error), where) from error


def places(node: Node) -> dict[str, Where]:
    """Where each key below a node stands, by its path; a text in a list by the list's path and the text."""
    return dict(_places(node, node.key_where.path))


def _places(node: Node, path: str) -> Iterator[tuple[str, Where]]:
    yield path, node.key_where
    if isinstance(node.value, Mapping):
        for key, child in node.value.items():
            yield from _places(child, f"{path}.{key}")
    elif isinstance(node.value, tuple):
        for item in node.value:
            if isinstance(item.value, str):
                yield f"{path}.{item.value}", item.where
