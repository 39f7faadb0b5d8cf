"""Typed reading of a document's nodes: what a place may hold, with the place in every error, and nothing dropped."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import SECRET_TOKEN
from understudy.stacks.topology import TopologyError, Where

from .document.yaml_text import Node
from .values import boolean, number_text

__all__ = [
    "Fields",
    "Reading",
    "choice",
    "flag",
    "integer",
    "items",
    "mapping",
    "number",
    "pairs",
    "parsed",
    "text",
    "texts",
]

T = TypeVar("T")
D = TypeVar("D")


@dataclass(slots=True)
class Reading:
    """What the reading of one document carries along: variables, files, warnings and what is left out.

    `depth` is how many folders the document lies below the root of its tree; relative paths climb no higher.
    """

    file: str
    depth: int
    variables: Mapping[str, str]
    read_file: Callable[[str], bytes | None]
    warnings: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def warn(self, where: Where, message: str) -> None:
        """Put a warning with its place on the record."""
        self.warnings.append(f"{where.file}:{where.line}: {where.path}: {message}")

    def leave_out(self, where: Where, message: str) -> None:
        """Warn of something that production has and the topology has not: a clone differs there."""
        self.warn(where, message)
        place = f"{where.file}:{where.line}:{where.column}"
        self.changes.append(Change(where.path, "declared", None, message, Fidelity.MISSING, place))

    def path(self, node: Node, what: str) -> str:
        """A path relative to the document's folder, normalised.

        Raises:
            TopologyError: it is absolute, a home folder's, empty, or leaves the tree.
        """
        given = text(node)
        return self.inside(given, given, node.where, what)

    def inside(self, given: str, joined: str, where: Where, what: str) -> str:
        """`joined` normalised, if it stays in the tree; `given` is what the document says."""
        if not given or given.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", given):
            raise TopologyError(
                f"{what} is {given!r}, a path of one host; a clone takes only what the commit's tree holds: "
                "name it relative to the document's folder",
                where,
            )
        path = posixpath.normpath(joined)
        if path.split("/").count("..") > self.depth:
            raise TopologyError(f"{what} is {given!r}, which leaves the commit's tree", where)
        return path


class Fields:
    """A mapping that is read key by key; `finish` names in a warning what nobody took."""

    def __init__(self, node: Node, reading: Reading, *, allowed: Iterable[str] | None = None) -> None:
        """Read `node`, a mapping; with `allowed`, any other key is an error that lists them."""
        self._nodes = dict(mapping(node))
        self._reading = reading
        self.node = node
        if allowed is not None:
            names = tuple(allowed)
            for key, child in self._nodes.items():
                if key not in names:
                    raise TopologyError(
                        f"{key[:60]!r} is not known here; allowed are {', '.join(names)}", child.key_where
                    )

    def take(self, key: str) -> Node | None:
        """The value of a key; None where the key is absent or its value is null."""
        node = self._nodes.pop(key, None)
        return None if node is None or node.value is None else node

    def read(self, key: str, reader: Callable[[Node], T], default: D) -> T | D:
        """The value of a key through `reader`, or the default where there is none."""
        node = self.take(key)
        return default if node is None else reader(node)

    def need(self, key: str) -> Node:
        """The value of a key that has to be there."""
        node = self.take(key)
        if node is None:
            raise TopologyError(f"{key!r} is missing", self.node.key_where)
        return node

    def finish(self, known: Mapping[str, str] | None = None) -> None:
        """Warn of each key that is left, with what `known` says about it; `x-` keys are nobody's business."""
        for key, node in self._nodes.items():
            if not key.startswith("x-"):
                self._reading.leave_out(node.key_where, (known or {}).get(key, "is not understood and left out"))


def _kind(node: Node) -> str:
    for types, name in ((Mapping, "a mapping"), (tuple, "a list"), (bool, "a boolean"), (int, "a number")):
        if isinstance(node.value, types):
            return name
    if node.value is None:
        return "nothing"
    return "a text" if isinstance(node.value, str) else "a number"


def _wrong(node: Node, wanted: str) -> TopologyError:
    return TopologyError(f"here stands {_kind(node)}; allowed is {wanted}", node.where)


def mapping(node: Node) -> Mapping[str, Node]:
    """The node as a mapping.

    Raises:
        TopologyError: it is something else; so do all readers here.
    """
    if isinstance(node.value, Mapping):
        return node.value
    raise _wrong(node, "a mapping")


def items(node: Node) -> tuple[Node, ...]:
    """The node as a list."""
    if isinstance(node.value, tuple):
        return node.value
    raise _wrong(node, "a list")


def text(node: Node, *, secret: bool = False) -> str:
    """The node as a text; a number or boolean is taken as Compose writes it.

    `secret`: the token of a secret may stand here.
    """
    if isinstance(node.value, str):
        if not secret and (token := re.search(SECRET_TOKEN, node.value)):
            raise TopologyError(
                f"the secret {token[1]} is interpolated here, where no value made anew can stand; it can in "
                "a service's environment, command, entrypoint and healthcheck",
                node.where,
            )
        return node.value
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    if isinstance(node.value, int | float):
        return number_text(node.value)
    raise _wrong(node, "a text")


def texts(node: Node, *, secret: bool = False) -> tuple[str, ...]:
    """The node as a list of texts; a single text is a list of one."""
    if isinstance(node.value, tuple):
        return tuple(text(item, secret=secret) for item in node.value)
    return (text(node, secret=secret),)


def parsed(node: Node, parser: Callable[[str], T], *, secret: bool = False) -> T:
    """The node's text through a parser whose ValueError says what is allowed."""
    try:
        return parser(text(node, secret=secret))
    except TopologyError:
        raise
    except ValueError as error:
        raise TopologyError(str(error), node.where) from error


def integer(node: Node, *, least: int = 0) -> int:
    """The node as a whole number of at least `least`."""
    value = node.value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TopologyError(
            f"{node.text or value!r} is not allowed; allowed is a whole number from {least}", node.where
        )
    return value


def number(node: Node) -> float:
    """The node as a number above zero."""
    value = node.value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{0,18}(\.[0-9]{1,18})?", value) and value:
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise TopologyError(f"{node.text or value!r} is not allowed; allowed is a number above 0", node.where)
    return float(value)


def flag(node: Node) -> bool:
    """The node as a boolean, or one of the words for it after interpolation."""
    if isinstance(node.value, bool):
        return node.value
    return parsed(node, boolean)


def choice(node: Node, allowed: Mapping[str, T]) -> T:
    """What the node's text stands for among those allowed."""
    given = text(node)
    if given not in allowed:
        raise TopologyError(f"{given[:60]!r} is not allowed; allowed are {', '.join(allowed)}", node.where)
    return allowed[given]


def pairs(node: Node, reading: Reading, *, secret: bool = False) -> dict[str, tuple[str | None, Node]]:
    """Compose's list `KEY=value` or mapping `KEY: value`; None where a key has no value."""
    found: dict[str, tuple[str | None, Node]] = {}
    if isinstance(node.value, tuple):
        for item in node.value:
            key, mark, value = text(item, secret=secret).partition("=")
            found[_key(key, item)] = (value if mark else None, item)
        return found
    for key, child in mapping(node).items():
        given = None if child.value is None else text(child, secret=secret)
        found[_key(key, child)] = (given, child)
        if isinstance(child.value, int | float) and not isinstance(child.value, bool) and given != child.text:
            reading.warn(child.where, f"{child.text} is a number, which is written {given}; quote it to keep it")
    return found


def _key(key: str, node: Node) -> str:
    if not key or "=" in key:
        raise TopologyError(f"{key[:60]!r} cannot be a variable's name or a label's", node.where)
    return key
