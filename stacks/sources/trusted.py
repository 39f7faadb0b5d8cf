"""Extension keys of another version of the documents: production's in the place of an untrusted commit's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from understudy.stacks.change import Change, Fidelity

from .document.load import Document, load, peek
from .document.tree import entries, get, plain
from .document.yaml_text import Node

__all__ = ["KEY", "Trusted"]

KEY = "x-understudy"

_REASON = "taken from production because the commit is untrusted"


@dataclass(frozen=True, slots=True)
class Trusted:
    """The documents whose extension keys and suites count, as `read_files` is given those of a commit.

    `suites` is the TOML file with further suites; empty: there is none.
    """

    files: tuple[str, ...]
    variables: Mapping[str, str]
    read_file: Callable[[str], bytes | None]
    profiles: tuple[str, ...] = ()
    suites: str = ""

    def peek(self, own: Node) -> Node:
        """What `document.peek` says of a commit, with these extension keys."""
        return _grafted(own, self._peeked())

    def graft(
        self, own: Document, variables: Mapping[str, str], shown: Callable[[str], str]
    ) -> tuple[Document, tuple[Change, ...]]:
        """A commit's document with these extension keys, and what the commit says otherwise.

        `variables` are these documents' own, without the values of secrets.

        Raises:
            TopologyError: Compose would not take these documents.
        """
        theirs = load(
            self.files,
            read_file=self.read_file,
            variables=variables,
            project=own.name,
            profiles=self.profiles,
            shown=lambda name: f"production's {shown(name)}",
        ).root
        return replace(own, root=_grafted(own.root, theirs)), tuple(_changes(own.root, theirs))

    def toml(self, own: bytes | None) -> tuple[bytes | None, tuple[Change, ...]]:
        """The suites' file, where there is one, and whether the commit has another."""
        data = self.read_file(self.suites) if self.suites else None
        if data == own:
            return data, ()
        said = "production's" if data is not None else None
        return data, (Change("understudy.toml", said, said, _REASON, Fidelity.FAITHFUL),)

    def _peeked(self) -> Node:
        return peek(self.files, read_file=self.read_file)


def _grafted(own: Node, theirs: Node) -> Node:
    """The extension key at the top and on services; one that only the commit has is left out."""
    services = {
        name: _with(node, get(theirs, "services", name)) for name, node in entries(get(own, "services")).items()
    }
    found = _with(own, theirs)
    section = get(own, "services")
    if section is None:
        return found
    return replace(found, value={**entries(found), "services": replace(section, value=services)})


def _with(own: Node, theirs: Node | None) -> Node:
    if not isinstance(own.value, Mapping):
        return own
    kept = {key: child for key, child in own.value.items() if key != KEY}
    extension = get(theirs, KEY)
    return replace(own, value=kept if extension is None else {**kept, KEY: extension})


def _changes(own: Node, theirs: Node) -> Iterator[Change]:
    said, count = (dict(_parts(root)) for root in (own, theirs))
    for path in dict.fromkeys((*count, *said)):
        before, after = (
            None if node is None else json.dumps(plain(node)) for node in (count.get(path), said.get(path))
        )
        if before != after:
            rule = said[path].where.place if path in said else ""
            yield Change(path, before, before, _REASON, Fidelity.FAITHFUL, rule)


def _parts(root: Node) -> Iterator[tuple[str, Node]]:
    """The parts of the extension keys that somebody would name: a suite, a profile, a third party."""
    for key, section in entries(get(root, KEY)).items():
        inside = entries(section)
        yield from ((f"{KEY}.{key}.{name}", node) for name, node in inside.items())
        if not inside:
            yield f"{KEY}.{key}", section
    for name, service in entries(get(root, "services")).items():
        if (extension := get(service, KEY)) is not None:
            yield f"services.{name}.{KEY}", extension
