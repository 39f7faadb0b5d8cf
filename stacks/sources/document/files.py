"""The files of a document read one after the other: each interpolated, extended, its includes taken in, then merged.

The reference is compose-go v2.9.0, loader/loader.go and loader/include.go.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from understudy.stacks.topology import TopologyError, Where

from .canonical import canonical, with_defaults
from .casts import interpolated
from .check import check
from .env_file import decode, read_env
from .extending import Source, extended, reset
from .interpolate import Interpolator
from .keys import DOCUMENT
from .merging import merge_mappings
from .normalise import listed_environment
from .paths import joined, resolve
from .rules import hold_document
from .tree import entries, fail, get, is_text, items, kind, made, put, same, without
from .unique import unique
from .yaml_text import Node, Raw, documents, place

__all__ = ["MAX_FILES", "Context", "Loader"]

MAX_FILES = 500
"""Files of one document, each counted as often as it is included or extended."""

_REMOTE = re.compile(r"https?://|git://|ssh://|git@|github\.com/|oci://")
_IMPORTED = ("services", "volumes", "networks", "secrets", "configs")


@dataclass(frozen=True, slots=True)
class Context:
    """Where a model stands: its folder from the project's, that from its includer's, its variables and includers.

    `sources` keeps what was read for `extends`: many services extend one file.
    """

    variables: Mapping[str, str]
    base: str = ""
    relative: str = "."
    chain: tuple[str, ...] = ()
    sources: dict[str, Source] = field(default_factory=dict, compare=False)


@dataclass(slots=True)
class Loader:
    """Reads the files of one project; remembers what they say beside the document."""

    read_file: Callable[[str], bytes | None]
    home: str | None
    shown: Callable[[str], str]
    named: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    _parsed: dict[str, tuple[Raw, ...]] = field(default_factory=dict)

    def documents(self, file: str, where: Where | None = None) -> tuple[Raw, ...]:
        """The documents of a file.

        Raises:
            TopologyError: there is no such file, it is no YAML, or too many were read.
        """
        self.files.append(file)
        if len(self.files) > MAX_FILES:
            raise TopologyError(f"more than {MAX_FILES} files are included or extended", where or Where(file, 1, 1))
        if file not in self._parsed:
            data = self.read_file(file)
            if data is None:
                raise TopologyError(f"there is no file {self.shown(file)!r}", where or Where(self.shown(file)))
            self._parsed[file] = documents(decode(data, self.shown(file)), self.shown(file))
        return self._parsed[file]

    def plain_documents(self, file: str) -> Iterator[Node]:
        """The documents of a file as they stand, those that are mappings."""
        for raw in self.documents(file):
            node = place(raw, self.shown(file))
            if isinstance(node.value, Mapping):
                yield node

    def service_images(self, file: str, chain: frozenset[str]) -> Iterator[tuple[str, Node]]:
        """Each service of a file and of those that it includes, as a mapping with `image` alone, as it stands.

        An included file that is not there is passed over: `model` looks for it from the right folder, and says where.
        """
        for document in self.plain_documents(file):
            for entry in items(get(document, "include")):
                for path in [entry] if is_text(entry) else _listed(get(entry, "path")):
                    name = joined(posixpath.dirname(file), str(path.value))
                    if "$" in name or name in {*chain, file} or _REMOTE.match(str(path.value)):
                        continue
                    if self.read_file(name) is not None:
                        yield from self.service_images(name, chain | {file})
            for name, service in entries(get(document, "services")).items():
                yield name, made({k: v for k, v in entries(service).items() if k == "image"}, service)

    def model(self, files: Sequence[str], context: Context, where: Where | None = None) -> Node:
        """The files merged in their order, in long form, with paths relative to the includer's folder.

        Raises:
            TopologyError: Compose would not take them.
        """
        here = Where(self.shown(files[0]), 1, 1)
        model = Node({}, here, here)
        for file in files:
            for raw in self.documents(file, where):
                model = self._merged(model, raw, file, context)
        model = with_defaults(model, DOCUMENT)
        hold_document(model)
        return listed_environment(resolve(model, context.relative, self.home), context.variables)

    def _merged(self, model: Node, raw: Raw, file: str, context: Context) -> Node:
        document = extended(self._interpolated(raw, file, context), file, raw.resets, self._extends(context))
        model = reset(model, raw.resets)
        document = self._included(document, context, (*context.chain, file))
        model = unique(merge_mappings(model, document, DOCUMENT), DOCUMENT)
        check(model, DOCUMENT)
        if (version := get(model, "version")) is not None:
            self._warn(version, "is obsolete and ignored")
            model = without(model, "version")
        return unique(canonical(model, DOCUMENT), DOCUMENT)

    def _interpolated(self, raw: Raw, file: str, context: Context) -> Node:
        document = place(raw, self.shown(file))
        if not isinstance(document.value, Mapping):
            what = "is empty" if document.value is None else f"has {kind(document)} at its top"
            fail(document, f"the document {what}; a Compose file has the key 'services'")
        interpolator = Interpolator(context.variables, self.named)
        document = interpolated(document, DOCUMENT, interpolator)
        for variable, where in interpolator.unset.items():
            self.warnings.append(
                f"{where.file}:{where.line}: {where.path}: the variable {variable} is not set; an empty text stands "
                "in its place: set it in the process's environment, in a .env that is committed beside the document, "
                "or write ${" + variable + ":-VALUE}"
            )
        return document

    def _warn(self, node: Node, message: str) -> None:
        where = node.key_where
        self.warnings.append(f"{where.file}:{where.line}: {where.path}: {message}")

    def _extends(self, context: Context) -> Callable[[Node], Source]:
        def read(name: Node) -> Source:
            given = _local(name)
            if given not in context.sources:
                context.sources[given] = extend(name, given)
            return context.sources[given]

        def extend(name: Node, given: str) -> Source:
            file = joined(context.base, given, self.home)
            model = Node({}, name.where, name.where)
            resets: tuple[tuple[str, ...], ...] = ()
            for raw in self.documents(file, name.where):
                resets = raw.resets
                document = self._interpolated(raw, file, context)
                model = unique(merge_mappings(reset(model, resets), document, DOCUMENT), DOCUMENT)
                model = unique(canonical(model, DOCUMENT), DOCUMENT)
            folder = posixpath.dirname(joined("", given, self.home)) or "."
            services = get(resolve(model, folder, self.home), "services")
            if services is None or not isinstance(services.value, Mapping):
                fail(name, f"{self.shown(file)!r} has no services to extend")
            return Source(services.value, resets)

        return read

    def _included(self, document: Node, context: Context, chain: tuple[str, ...]) -> Node:
        section = get(document, "include")
        if section is None:
            return document
        if section.value is not None and not isinstance(section.value, tuple):
            fail(section, f"here stands {kind(section)}; allowed is a list of files")
        for entry in items(section):
            document = _imported(self._include(entry, context, chain), document, entry)
        return without(document, "include")

    def _include(self, entry: Node, context: Context, chain: tuple[str, ...]) -> Node:
        if not is_text(entry) and not isinstance(entry.value, Mapping):
            fail(entry, f"here stands {kind(entry)}; allowed is a file or a mapping with 'path'")
        paths = [entry] if is_text(entry) else _listed(get(entry, "path"))
        if not paths:
            return Node({}, entry.where, entry.where)
        files = [joined(context.base, _local(path), self.home) for path in paths]
        if files[0] in chain:
            fail(paths[0], f"files include each other in a circle: {' -> '.join((*chain, files[0]))}")
        folder = get(entry, "project_directory")
        given = "" if folder is None or folder.value is None else str(folder.value)
        relative = joined("", given or posixpath.dirname(joined("", str(paths[0].value), self.home)) or ".", self.home)
        base = joined(context.base, relative, self.home)
        variables = self._variables(_listed(get(entry, "env_file")), base, context)
        return self.model(files, Context(variables, "" if base == "." else base, relative, chain), paths[0].where)

    def _variables(self, env_files: list[Node], base: str, context: Context) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for node in env_files:
            file = joined(context.base, str(node.value), self.home)
            if self.read_file(file) is None:
                fail(node, f"there is no file {self.shown(file)!r}")
        for file in [joined(context.base, str(n.value), self.home) for n in env_files] or [joined(base, ".env")]:
            if (data := self.read_file(file)) is not None:
                read_env(decode(data, self.shown(file)), self.shown(file), context.variables, found)
        return {**found, **context.variables}


def _local(path: Node) -> str:
    if not is_text(path):
        fail(path, f"here stands {kind(path)}; allowed is the path of a file")
    if _REMOTE.match(str(path.value)):
        fail(path, f"{str(path.value)[:100]!r} is not on this machine; files are read from the document's tree alone")
    return str(path.value)


def _listed(node: Node | None) -> list[Node]:
    """A text, or a list of texts."""
    if node is None or node.value is None:
        return []
    found = [node] if is_text(node) else list(items(node))
    if not (is_text(node) or isinstance(node.value, tuple)) or not all(map(is_text, found)):
        fail(node, f"here stands {kind(node)}; allowed is a path or a list of paths")
    return found


def _imported(source: Node, target: Node, entry: Node) -> Node:
    """The document with the resources of one that it includes.

    Raises:
        TopologyError: both declare a resource, and not the same.
    """
    changes: dict[str, Node] = {}
    for key, names, section in _sections(source, target):
        if section is not None and not isinstance(section.value, Mapping):
            fail(section, f"here stands {kind(section)}; allowed is a mapping")
        own = dict(entries(section))
        for name, resource in names.items():
            if name in own and not same(own[name], resource):
                fail(own[name], f"{name!r} is declared otherwise in what is included at {entry.where}")
            own.setdefault(name, resource)
        changes[key] = made(own, section or entry)
    return put(target, changes)


def _sections(source: Node, target: Node) -> Iterator[tuple[str, Mapping[str, Node], Node | None]]:
    for key in _IMPORTED:
        section = get(source, key)
        if section is not None and section.value is not None:
            yield key, entries(section), get(target, key)
