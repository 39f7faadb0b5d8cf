"""What becomes of the keys that Compose files use: each key of each file with its place, its list and the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from understudy.stacks.change import Change, Fidelity

from .compose_keys import Key, Taken, schema_path
from .compose_keys_parts import key_of
from .document.env_file import decode
from .document.yaml_text import Node, documents, place
from .nodes import Refusal

__all__ = ["Used", "used_keys"]

_ORDER = (Taken.REFUSED, Taken.LEFT_OUT, Taken.CHANGED, Taken.CLONED)
_CHOSEN = frozenset(("services.*", "networks.*", "volumes.*", "configs.*", "secrets.*", "models.*"))


@dataclass(frozen=True, slots=True)
class Used:
    """One key that a file uses: its path in the schema, how often, where first, and what becomes of it."""

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
) -> tuple[Used, ...]:
    """The keys of the files as they stand, what is refused first, then what is left out, changed and cloned.

    Raises:
        TopologyError: a file is no YAML.
    """
    refused = {schema_path(refusal.where.path): refusal for refusal in refusals}
    noted = {schema_path(change.path): change for change in reversed(tuple(changes))}
    found: list[Used] = []
    for file in dict.fromkeys(files):
        data = read_file(file)
        places: dict[str, list[Node]] = {}
        for raw in () if data is None else documents(decode(data, shown(file)), shown(file)):
            for path, node in _keys(place(raw, shown(file))):
                places.setdefault(path, []).append(node)
        found += [_used(shown(file), path, nodes, refused, noted) for path, nodes in places.items()]
    return tuple(sorted(found, key=lambda used: (used.file, _ORDER.index(used.taken), used.line, used.column)))


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


def _used(file: str, path: str, nodes: list[Node], refused: Mapping[str, Refusal], noted: Mapping[str, Change]) -> Used:
    row = key_of(path)
    taken, reason = _fate(row, path, refused, noted)
    where = refused[path].where if path in refused else nodes[0].key_where
    return Used(file, path, len(nodes), where.line, where.column, taken, reason)


def _fate(row: Key, path: str, refused: Mapping[str, Refusal], noted: Mapping[str, Change]) -> tuple[Taken, str]:
    """What becomes of a key: as its values were read, else as the table says."""
    if path in refused:
        return Taken.REFUSED, refused[path].message
    change = noted.get(path)
    if change is not None and row.taken in {Taken.CLONED, Taken.REFUSED}:
        if change.fidelity is Fidelity.FAITHFUL:
            return Taken.CLONED, change.reason
        return Taken.LEFT_OUT if change.clone is None else Taken.CHANGED, change.reason
    if row.taken is Taken.REFUSED:
        return Taken.CLONED, "as in production; it has no value that is refused"
    return row.taken, row.reason
