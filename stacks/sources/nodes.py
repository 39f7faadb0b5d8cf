"""Typed reading of a document's nodes: what a place may hold, with the place in every error, and nothing dropped."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from understudy.stacks.allowed import Allowed
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import SECRET_TOKEN
from understudy.stacks.topology import TopologyError, Where

from .compose_keys import Key, Taken, schema_path
from .compose_keys_parts import key_of
from .document.yaml_text import Node
from .values import as_text, boolean

__all__ = [
    "Fields",
    "Reading",
    "Refusal",
    "choice",
    "flag",
    "integer",
    "items",
    "mapping",
    "number",
    "parsed",
    "table_of",
    "text",
    "texts",
    "word",
]

T = TypeVar("T")
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a clone must not have: where it stands, what it is and why, and the name that would allow it, if any."""

    where: Where
    message: str
    allow: str = ""


@dataclass(slots=True)
class Reading:
    """What the reading of one document carries along: variables, files, and what is put on the record.

    `depth` is how many folders the project lies below the root of its tree; relative paths climb no higher. What is
    not `provisioned` is only compared with what is: nothing is refused in it, and its files need not be there.
    """

    file: str
    depth: int
    variables: Mapping[str, str]
    read_file: Callable[[str], bytes | None]
    allowed: Allowed = field(default_factory=Allowed)
    provisioned: bool = True
    warnings: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    places: dict[str, Where] = field(default_factory=dict)

    def warn(self, where: Where, message: str) -> None:
        """Put a warning with its place on the record."""
        self.warnings.append(f"{where.file}:{where.line}: {where.path}: {message}")

    def change(
        self,
        where: Where,
        production: str | None,
        clone: str | None,
        reason: str,
        fidelity: Fidelity = Fidelity.CHANGED,
    ) -> None:
        """Put a difference with its place on the record."""
        place = f"{where.file}:{where.line}:{where.column}"
        self.changes.append(Change(where.path, production, clone, reason, fidelity, place))

    def leave_out(self, node: Node, reason: str, fidelity: Fidelity = Fidelity.MISSING) -> None:
        """Put on the record what production has and the topology has not; warn where the clone lacks something."""
        if fidelity is Fidelity.MISSING:
            self.warn(node.key_where, f"left out: {reason}")
        self.change(node.key_where, _shown(node), None, reason, fidelity)

    def refuse(self, where: Where, message: str, allow: str = "") -> None:
        """Put on the record what no clone has; the reading goes on, so that all of it can be named."""
        if self.provisioned:
            self.refusals.append(Refusal(where, message, allow))

    def path(self, node: Node, what: str) -> str:
        """A path relative to the project's folder, normalised; one that no clone can have is refused."""
        given = text(node)
        return self.inside(given, given, node.where, what)

    def inside(self, given: str, joined: str, where: Where, what: str) -> str:
        """`joined` normalised, which has to stay in the tree; `given` is what the document says."""
        path = posixpath.normpath(joined)
        if not given or given.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", given):
            self.refuse(
                where,
                f"{what} is {given!r}, a path of one host; a clone takes only what the commit's tree holds: "
                "name it relative to the project's folder",
            )
        elif path.split("/").count("..") > self.depth:
            self.refuse(where, f"{what} is {given!r}, which leaves the commit's tree")
        return path


class Fields:
    """A mapping that is read key by key; `finish` puts on the record what nobody took."""

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

    def finish(self) -> None:
        """Put each key that is left on the record, as the table of keys says; `x-` keys are nobody's business."""
        for key, node in self._nodes.items():
            if not key.startswith("x-") and node.value is not None:
                row = key_of(schema_path(node.where.path))
                self._reading.leave_out(node, row.reason, _fidelity(row))


def _fidelity(row: Key) -> Fidelity:
    """That of a key which nothing has read: what should have been cloned is missing."""
    return row.fidelity if row.taken in {Taken.CHANGED, Taken.LEFT_OUT} else Fidelity.MISSING


def _shown(node: Node) -> str:
    """A value in a few words; a list or mapping may hold anything, and is only said to be there."""
    if isinstance(node.value, Mapping | tuple) or node.value is None:
        return "declared"
    return str(text(node, secret=True))[:200]


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
    if isinstance(node.value, float) and node.value.is_integer():
        return str(int(node.value))  # an extension's number, which Compose has not written out: 7e6 is 7000000
    if isinstance(node.value, int | float):
        return as_text(node.value)
    raise _wrong(node, "a text")


def word(node: Node) -> Node:
    """The node itself, if it is a text as it stands.

    For what YAML may take for something else and spoil: the digits of an alphabet lose their zeros.
    """
    if not isinstance(node.value, str):
        raise _wrong(node, "a text; quote it")
    return node


def texts(node: Node, *, secret: bool = False) -> tuple[str, ...]:
    """The node as a list of texts."""
    return tuple(text(item, secret=secret) for item in items(node))


def table_of(node: Node, *, secret: bool = False) -> dict[str, str]:
    """The node as a mapping of texts; a key without a value is left out, as Compose does where no variable has one."""
    return {key: text(child, secret=secret) for key, child in mapping(node).items() if child.value is not None}


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
    if isinstance(value, Mapping | tuple):
        raise _wrong(node, f"a whole number from {least}")
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
    if isinstance(value, Mapping | tuple):
        raise _wrong(node, "a number above 0")
    if isinstance(value, str) and re.fullmatch(r"[0-9]{0,18}(\.[0-9]{1,18})?", value) and value:
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise TopologyError(f"{node.text or value!r} is not allowed; allowed is a number above 0", node.where)
    return float(value)


def flag(node: Node) -> bool:
    """The node as a boolean, or one of the words for it after interpolation."""
    if node.value in (0, 1, "0", "1"):  # booleans too
        return node.value in (1, "1")
    return parsed(node, boolean)


def choice(node: Node, allowed: Mapping[str, T]) -> T:
    """What the node's text stands for among those allowed."""
    given = text(node)
    if given not in allowed:
        raise TopologyError(f"{given[:60]!r} is not allowed; allowed are {', '.join(allowed)}", node.where)
    return allowed[given]
