"""`extends`: a service laid over another one, of the same file or of a different one.

The reference is compose-go v2.9.0, loader/extends.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from understudy.stacks.topology import TopologyError

from .merging import merge_mappings
from .service_keys import SERVICE
from .tree import entries, fail, get, is_text, kind, made, put, without
from .yaml_text import Node

__all__ = ["Files", "Reset", "Source", "extended", "reset"]

Reset = tuple[str, ...]
"""The path of a value that is tagged `!reset` or `!override`; `*` stands for nothing here, names are compared."""

MAX_CHAIN = 100
"""Services that extend each other in a row."""


@dataclass(frozen=True, slots=True)
class Source:
    """The services of a file that another one extends, in long form, and what the file resets."""

    services: Mapping[str, Node]
    resets: tuple[Reset, ...]


Files = Callable[[Node], Source]
"""Reads the file that a node names."""


def extended(document: Node, file: str, resets: tuple[Reset, ...], files: Files) -> Node:
    """The document with each service that extends another one merged with it.

    Args:
        document: one document, its variables replaced.
        file: its file's name, for circles.
        resets: what the document resets.
        files: reads another file.

    Raises:
        TopologyError: there is no such service or file, services extend each other in a circle.
    """
    section = get(document, "services")
    if section is None:
        return document
    if not isinstance(section.value, Mapping):
        fail(section, f"here stands {kind(section)}; allowed is a mapping of services")
    services = dict(section.value)
    for name in section.value:
        services[name] = _extended(name, _Scope(services, file, resets), files, ())
    return put(document, {"services": made(services, section)})


@dataclass(slots=True)
class _Scope:
    """The services among which a name is looked up, their file, and what is reset on the way to the base."""

    services: dict[str, Node]
    file: str
    resets: tuple[Reset, ...]


def _extended(name: str, scope: _Scope, files: Files, chain: tuple[tuple[str, str], ...]) -> Node:
    service = scope.services[name]
    if service.value is None:
        return service
    if not isinstance(service.value, Mapping):
        fail(service, f"here stands {kind(service)}; allowed is a mapping")
    extends = service.value.get("extends")
    if extends is None or not (is_text(extends) or isinstance(extends.value, Mapping)):
        return service
    base_node, file_node = (extends, None) if is_text(extends) else (get(extends, "service"), get(extends, "file"))
    if base_node is None or not is_text(base_node):
        fail(extends, "'service' is missing: the service that is extended")
    base = str(base_node.value)
    if file_node is not None and file_node.value is not None:
        source = files(file_node)
        below = _Scope(dict(source.services), str(file_node.value), (*scope.resets, *source.resets))
    else:
        below = scope
    if base not in below.services:
        fail(base_node, f"there is no service {base[:60]!r} to extend")
    link = (below.file, name)
    if link in chain or len(chain) >= MAX_CHAIN:
        raise TopologyError(f"services extend each other in a circle, or more than {MAX_CHAIN} do", extends.where)
    under = _extended(base, below, files, (*chain, link))
    if under.value is None:
        return service
    under = reset(made({"services": made({name: under}, under)}, under), below.resets)
    merged = without(merge_mappings(get(under, "services", name) or under, service, SERVICE), "extends")
    scope.services[name] = merged
    return merged


def reset(node: Node, paths: tuple[Reset, ...]) -> Node:
    """The tree without what stands at the given paths of keys; items of a list stay."""
    if not paths or not isinstance(node.value, Mapping):
        return node
    kept: dict[str, Node] = {}
    for key, child in entries(node).items():
        below = tuple(path[1:] for path in paths if path[:1] == (key,))
        if () not in below:
            kept[key] = reset(child, below) if below else child
    return made(kept, node)
