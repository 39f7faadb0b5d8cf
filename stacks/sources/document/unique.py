"""Entries of a list that say the same thing: the last one stands, where the first one stood.

The reference is compose-go v2.9.0, package override.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .go_values import as_text
from .shape import Shape
from .short_forms import parse_mount
from .tree import entries, fail, get, is_text, kind, made
from .yaml_text import Node

__all__ = ["unique"]


def unique(node: Node, shape: Shape) -> Node:
    """The tree with each list of the table's that has a rule less what is said again.

    Raises:
        TopologyError: an entry has not what it would be known by.
    """
    if isinstance(node.value, Mapping):
        changed = {key: unique(child, shape.child(key)) for key, child in node.value.items()}
        return node if all(changed[key] is child for key, child in node.value.items()) else made(changed, node)
    if not isinstance(node.value, tuple) or not shape.unique or len(node.value) == 0:
        return node
    index = _INDEX[shape.unique]
    kept: dict[str, Node] = {}
    for entry in node.value:
        kept[index(entry)] = entry
    return made(kept.values(), node) if len(kept) < len(node.value) else node


def _pair(entry: Node) -> str:
    if not is_text(entry):
        fail(entry, f"here stands {kind(entry)}; allowed is a text")
    return str(entry.value).partition("=")[0]


def _target(entry: Node) -> str:
    target = get(entry, "target")
    if target is None or not is_text(target):
        fail(entry, "'target' is missing: the path inside the container")
    return str(target.value)


def _volume(entry: Node) -> str:
    if is_text(entry):
        target = get(parse_mount(entry), "target")
        return str(target.value) if target else ""
    return _target(entry) if isinstance(entry.value, Mapping) else ""


def _device(entry: Node) -> str:
    if is_text(entry):
        parts = str(entry.value).split(":")
        return parts[1] if len(parts) > 1 else parts[0]
    return _target(entry) if isinstance(entry.value, Mapping) else ""


def _expose(entry: Node) -> str:
    if not is_text(entry) and (isinstance(entry.value, bool) or not isinstance(entry.value, int)):
        fail(entry, f"here stands {kind(entry)}; allowed is a port")
    return str(entry.value)


def _mount(folder: str) -> Callable[[Node], str]:
    def index(entry: Node) -> str:
        if is_text(entry):
            return f"{folder}/{entry.value}"
        if not isinstance(entry.value, Mapping):
            fail(entry, f"here stands {kind(entry)}; allowed is a name or a mapping")
        if "target" in entry.value:
            return str(entry.value["target"].value)
        source = entry.value.get("source")
        return f"{folder}/{'<nil>' if source is None else source.value}"

    return index


def _port(entry: Node) -> str:
    if not isinstance(entry.value, Mapping):
        return "" if entry.value is None or isinstance(entry.value, tuple) else as_text(entry.value)
    values = {key: child.value for key, child in entries(entry).items()}
    if "target" not in values:
        fail(entry, "'target' is missing: the port inside the container")
    host, protocol = values.get("host_ip", "0.0.0.0"), values.get("protocol", "tcp")  # noqa: S104 - compared, not bound
    return f"{host}:{values.get('published')}:{values['target']}/{protocol}"


def _env_file(entry: Node) -> str:
    if is_text(entry):
        return str(entry.value)
    path = get(entry, "path")
    if isinstance(entry.value, Mapping) and (path is None or not is_text(path)):
        fail(entry, "'path' is missing")
    return str(path.value) if path else ""


_INDEX: Mapping[str, Callable[[Node], str]] = {
    "pair": _pair,
    "volume": _volume,
    "device": _device,
    "expose": _expose,
    "mount": _mount(""),
    "mount:/run/secrets": _mount("/run/secrets"),
    "port": _port,
    "env_file": _env_file,
}
