"""What becomes of the keys that Compose files use: each key of each file with its place, its list and the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from understudy.stacks.change import Change, Fidelity

from .compose_keys import Taken, schema_path
from .compose_keys_parts import UNKNOWN, key_of
from .document.env_file import decode
from .document.yaml_text import Node, documents, place
from .nodes import Refusal

__all__ = ["Used", "used_keys"]

_ORDER = (Taken.REFUSED, Taken.LEFT_OUT, Taken.CHANGED, Taken.CLONED)
_CHOSEN = frozenset(("services.*", "networks.*", "volumes.*", "configs.*", "secrets.*", "models.*"))


@dataclass(frozen=True, slots=True)
class Used:
    """One key that a file uses: its path in the schema, how often, where first, and what becomes of it.

    A key whose values come to different ends has one for each end, at the place of its first such value.
    """

    file: str
    path: str
    count: int
    line: int
    column: int
    taken: Taken
    reason: str


def used_keys(
    files: Iterable[str],
    *,
    read_file: Callable[[str], bytes | None],
    shown: Callable[[str], str],
    refusals: Iterable[Refusal],
    changes: Iterable[Change],
    judged: bool = True,
) -> tuple[Used, ...]:
    """The keys of the files as they stand, what is refused first, then what is left out, changed and cloned.

    Args:
        files: their names.
        read_file: the bytes of a file; None where there is none.
        shown: a file's name for people.
        refusals: what was refused when the files were read.
        changes: what was recorded then.
        judged: False where the files could not be read for a clone, so that nobody knows what their values come to.

    Raises:
        TopologyError: a file is no YAML.
    """
    ends = [_End(refusal.where.path, _place(refusal), Taken.REFUSED, refusal.message) for refusal in refusals]
    ends += [_end(change) for change in changes]
    found: list[Used] = []
    for file in dict.fromkeys(files):
        data = read_file(file)
        places: dict[str, list[Node]] = {}
        for raw in () if data is None else documents(decode(data, shown(file)), shown(file)):
            for path, node in _keys(place(raw, shown(file))):
                places.setdefault(path, []).append(node)
        own = [end for end in ends if end.place is None or end.place[0] == shown(file)]
        for path, nodes in places.items():
            here = [end for end in own if schema_path(end.path) == path]
            found += _used(shown(file), path, nodes, here) if judged else _unread(shown(file), path, nodes)
    return tuple(sorted(found, key=lambda used: (used.file, _ORDER.index(used.taken), used.line, used.column)))


@dataclass(frozen=True, slots=True)
class _End:
    """What one value came to, at its path in the document, and its place (None: a rule of every clone)."""

    path: str
    place: tuple[str, int, int] | None
    taken: Taken
    reason: str


def _place(refusal: Refusal) -> tuple[str, int, int]:
    return (refusal.where.file, refusal.where.line, refusal.where.column)


def _end(change: Change) -> _End:
    file, _, rest = change.rule.rpartition(":")[0].rpartition(":")
    column = change.rule.rpartition(":")[2]
    at = (file, int(rest), int(column)) if rest.isdigit() and column.isdigit() else None
    if change.fidelity is Fidelity.FAITHFUL:
        return _End(change.path, at, Taken.CLONED, change.reason)
    return _End(change.path, at, Taken.LEFT_OUT if change.clone is None else Taken.CHANGED, change.reason)


def _keys(node: Node) -> Iterator[tuple[str, Node]]:
    """Each key of the specification below a node, with its path in the schema; what it makes whole is one."""
    below = node.value.items() if isinstance(node.value, Mapping) else ()
    for name, child in below:
        if name.startswith("x-"):
            continue
        path = schema_path(child.where.path)
        if path not in _CHOSEN and not path.endswith(".*") and path != schema_path(node.where.path):
            yield path, child
        if not key_of(path).whole:
            yield from _keys(child)
    for item in node.value if isinstance(node.value, tuple) else ():
        yield from _keys(item)


def _used(file: str, path: str, nodes: list[Node], ends: list[_End]) -> Iterator[Used]:
    """The key once for each end that its values come to: as they were read, else as the table says."""
    row = key_of(path)
    own = [end for end in ends if end.taken is Taken.REFUSED or row.taken in {Taken.CLONED, Taken.REFUSED}]
    rest = [value for node in nodes for value in _values(node)]
    for taken, reason in dict.fromkeys((end.taken, end.reason) for end in own):
        same = [end for end in own if (end.taken, end.reason) == (taken, reason)]
        spoken = {end.place[1:] for end in same if end.place is not None}
        rest = [value for value in rest if spoken.isdisjoint(_within(value))] if spoken else []
        line, column = min(spoken, default=(nodes[0].key_where.line, nodes[0].key_where.column))
        yield Used(file, path, len(spoken) or len(nodes), line, column, taken, reason)
    if rest or not own:
        taken, reason = row.taken, row.reason
        if row.taken is Taken.REFUSED:
            taken, reason = Taken.CLONED, "as in production; it has no value that is refused"
        where = rest[0].key_where if own else nodes[0].key_where
        yield Used(file, path, len(rest) if own else len(nodes), where.line, where.column, taken, reason)


def _values(node: Node) -> tuple[Node, ...]:
    """What of a key can come to an end of its own: each item of a list, else the key as a whole."""
    return node.value if isinstance(node.value, tuple) and node.value else (node,)


def _within(node: Node) -> Iterator[tuple[int, int]]:
    """Every place in a value."""
    for where in (node.key_where, node.where):
        yield where.line, where.column
    for child in _below(node):
        yield from _within(child)


def _below(node: Node) -> tuple[Node, ...]:
    if isinstance(node.value, Mapping):
        return tuple(node.value.values())
    return node.value if isinstance(node.value, tuple) else ()


def _unread(file: str, path: str, nodes: list[Node]) -> Iterator[Used]:
    """The key as the table alone has it: of one that has values which are refused, nobody knows whether it has one."""
    row = key_of(path)
    where = nodes[0].key_where
    taken, reason = row.taken, row.reason
    if row.taken is Taken.REFUSED or row.allow:
        taken, reason = Taken.REFUSED, f"not read, as the document has an error; what is refused of it: {row.reason}"
    elif row.reason == UNKNOWN:
        taken = Taken.REFUSED
    yield Used(file, path, len(nodes), where.line, where.column, taken, reason)
