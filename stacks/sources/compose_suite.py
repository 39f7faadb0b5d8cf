"""One suite under `tests`, in a document of any kind: what runs, where, how long, and what it needs to start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from understudy.stacks.topology import Need, Suite, TopologyError

from .compose_run import command
from .document.yaml_text import Node
from .extension_keys import keys_of
from .extension_shapes import NAME
from .nodes import Fields, Reading, choice, integer, items, mapping, number, parsed, table_of, text, word
from .values import duration

__all__ = ["read_suite"]

_NAME = re.compile(NAME, re.ASCII)
_NEED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(:(?P<port>[0-9]{1,5}))?", re.ASCII)
_HIGHEST_PORT = 65535
_Place = Literal["host", "network"]
_PLACES: Mapping[str, _Place] = {"host": "host", "network": "network"}


def read_suite(name: str, node: Node, reading: Reading) -> Suite:
    """One suite; whether there is what it needs is for `needs.hold_needs` to say, of the topology as a whole.

    Raises:
        TopologyError: a key is not known, or a value is not allowed.
    """
    if not _NAME.fullmatch(name):
        raise TopologyError(f"{name[:60]!r} is no name for a suite; it names a file in the report", node.key_where)
    fields = Fields(node, reading, allowed=keys_of("suite"))
    argv = command(fields.need("command"))
    if not argv or not argv[0]:
        raise TopologyError("the command is empty", node.key_where)
    given = fields.take("environment")
    environment = _environment(given) if given else {}
    image = fields.read("image", _image, None)
    suite = Suite(
        name,
        argv,
        fields.read("folder", lambda given: reading.path(given, "the suite's folder"), "."),
        fields.read("python", text, None),
        workers=fields.read("workers", lambda given: integer(given, least=1), None),
        environment=environment,
        image=image,
        runs_on=_place(node, fields, image),
        needs=tuple(dict.fromkeys(_need(item) for item in fields.read("needs", items, ()))),
        retries=fields.read("retries", integer, 0),
        inputs=fields.read("inputs", lambda given: _inputs(given, reading), None),
        where=node.key_where,
    )
    limit = fields.take("timeout")
    return replace(suite, timeout=_seconds(limit)) if limit else suite


def _image(node: Node) -> str:
    image = text(word(node))
    if not image.strip():
        raise TopologyError("the image is empty", node.where)
    return image


def _place(node: Node, fields: Fields, image: str | None) -> _Place:
    given = fields.take("runs_on")
    if given is None:
        return "host" if image is None else "network"
    place = choice(given, _PLACES)
    if place == "network" and image is None:
        raise TopologyError("on the network it runs in a container, and it has no image: give it one", node.key_where)
    if place == "host" and image is not None:
        raise TopologyError("on the host it runs in no container, and it has an image: choose", node.key_where)
    return place


def _need(node: Node) -> Need:
    given = text(node)
    match = _NEED.fullmatch(given)
    port = None if match is None or match["port"] is None else int(match["port"])
    if match is None or (port is not None and not 1 <= port <= _HIGHEST_PORT):
        raise TopologyError(f"{given[:60]!r} is nothing to need; allowed is NAME or NAME:PORT", node.where)
    return Need(match["name"], port, node.where)


def _inputs(node: Node, reading: Reading) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reading.path(item, "what the suite reads") for item in items(node)))


def _environment(node: Node) -> dict[str, str]:
    """A mapping, or a list of `KEY=value`; one without a value is left out."""
    if isinstance(node.value, tuple):
        named = [(text(item).partition("=")[0], item.where) for item in node.value]
        found = dict(text(item).split("=", maxsplit=1) for item in node.value if "=" in text(item))
    else:
        named = [(key, child.key_where) for key, child in mapping(node).items()]
        found = table_of(node)
    for name, where in named:
        if not name or "=" in name:
            raise TopologyError(f"{name[:60]!r} cannot be a variable's name", where)
    return found


def _seconds(node: Node) -> float:
    """A number of seconds or a duration, above zero."""
    if isinstance(node.value, str) and not node.value.replace(".", "").isdigit():
        seconds = parsed(node, duration)
        if seconds <= 0:
            raise TopologyError("a time limit is above 0", node.where)
        return seconds
    return number(node)
