"""Paths of a document made relative to its project's folder, or absolute below a given one.

Paths that are absolute, of Windows, of a builder or remote stay as they are. The reference is compose-go v2.9.0,
package paths.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

from .tree import entries, fail, get, is_text, items, made, put
from .yaml_text import Node

__all__ = ["joined", "resolve"]

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\|//[^/]+/[^/]+|[^/]:[\\/]")
_REMOTE = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")

Change = Callable[[Node], Node]


def joined(folder: str, path: str, home: str | None = None) -> str:
    """A path taken from a folder, normalised; an absolute one as it is, `~` at its beginning as the home folder."""
    if path.startswith("~") and home:
        return normal(f"{home}/{path[1:]}")
    if path.startswith("/"):
        return path
    return normal(f"{folder}/{path}" if folder else path)


def normal(path: str) -> str:
    """The shortest form of a path, as Go's filepath.Clean gives it."""
    shortest = posixpath.normpath(path)
    return shortest[1:] if shortest.startswith("//") else shortest


def resolve(root: Node, folder: str, home: str | None) -> Node:
    """The document with each of its paths taken from `folder` (`.` leaves them relative to where they are).

    Raises:
        TopologyError: a bind mount has no source.
    """

    def path(node: Node) -> Node:
        return made(joined(folder, str(node.value), home), node) if is_text(node) and node.value else node

    def any_path(node: Node) -> Node:
        if not is_text(node) or _WINDOWS.match(str(node.value)):
            return node
        return made(joined(folder, str(node.value), home), node)

    def context(node: Node) -> Node:
        text = str(node.value)
        return node if "://" in text or text.startswith(("service:", *_REMOTE)) else path(node)

    return _Paths(path, any_path, context).document(root)


class _Paths:
    """The places of paths, each with the way it is resolved."""

    def __init__(self, path: Change, any_path: Change, context: Change) -> None:
        self._path = path
        self._any_path = any_path
        self._context = context

    def document(self, root: Node) -> Node:
        changes: dict[str, Node] = {}
        for key, change in (
            ("services", self._service),
            ("configs", lambda node: _at(node, {"file": self._any_path})),
            ("secrets", lambda node: _at(node, {"file": self._any_path})),
            ("volumes", self._volume),
        ):
            section = get(root, key)
            if section is not None and isinstance(section.value, Mapping):
                changes[key] = _each(section, change)
        return put(root, changes)

    def _service(self, service: Node) -> Node:
        return _at(
            service,
            {
                "build": lambda node: _at(
                    node,
                    {
                        "context": self._context,
                        "additional_contexts": lambda below: _each(below, self._context),
                        "ssh": lambda below: _each(below, self._any_path),
                    },
                ),
                "env_file": lambda node: _each(node, lambda entry: _at(entry, {"path": self._path})),
                "label_file": lambda node: _each(node, self._path),
                "extends": lambda node: _at(node, {"file": self._path}),
                "develop": lambda node: _at(
                    node, {"watch": lambda below: _each(below, lambda entry: _at(entry, {"path": self._path}))}
                ),
                "volumes": lambda node: _each(node, self._mount),
            },
        )

    def _mount(self, mount: Node) -> Node:
        kind = get(mount, "type")
        if kind is None or kind.value != "bind":
            return mount
        if get(mount, "source") is None:
            fail(mount, "'source' is missing: the path that is bound")
        return _at(mount, {"source": self._any_path})

    def _volume(self, volume: Node) -> Node:
        driver, options = get(volume, "driver"), get(volume, "driver_opts")
        given = entries(options).get("o")
        if driver is None or driver.value != "local" or given is None or given.value != "bind":
            return volume
        return _at(volume, {"driver_opts": lambda node: _at(node, {"device": self._any_path})})


def _at(node: Node, changes: Mapping[str, Change]) -> Node:
    """The mapping with some of its values changed, where they stand."""
    if not isinstance(node.value, Mapping):
        return node
    known = node.value
    return put(node, {key: change(known[key]) for key, change in changes.items() if key in known})


def _each(node: Node, change: Change) -> Node:
    """The list or mapping with each value changed."""
    if isinstance(node.value, tuple):
        return made((change(item) for item in items(node)), node)
    if isinstance(node.value, Mapping):
        return made({key: change(child) for key, child in node.value.items()}, node)
    return node
