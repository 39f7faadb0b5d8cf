"""Compose files as one canonical document: read, interpolated, extended, included, merged, held, normalised, typed.

The order of the steps is that of compose-go v2.9.0 (loader/loader.go), because what one of them sees depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from understudy.stacks.topology import TopologyError, Where

from .environment import resolved
from .files import Context, Loader
from .go_values import as_text
from .interpolate import InterpolationError, substitute
from .keys import DOCUMENT
from .merging import merge_mappings
from .normalise import normalise
from .rules import hold_services
from .tree import entries, get, items, made, placed, put, without
from .typed import typed
from .yaml_text import Node

__all__ = ["Document", "load", "peek"]

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Document:
    """What Compose makes of its files.

    Attributes:
        name: the project's name.
        root: the tree that `docker compose config` prints, with the extension keys. Each node's `where` has the
            path in this tree, and file, line and column of where it stood. Paths are relative to the project's folder.
        variables: what was interpolated.
        named: the variables that the documents interpolate.
        warnings: one line each, with its place.
        inactive: the services that no active profile starts, with the reason.
        files: every Compose file that was read, relative to the project's folder.
    """

    name: str
    root: Node
    variables: Mapping[str, str]
    named: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    inactive: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def load(
    files: Sequence[str],
    *,
    read_file: Callable[[str], bytes | None],
    variables: Mapping[str, str],
    project: str | None = None,
    folder: str = "",
    profiles: Iterable[str] = (),
    home: str | None = None,
    shown: Callable[[str], str] = lambda name: name,
) -> Document:
    """The files as one document, merged in their order.

    Args:
        files: their names, relative to the project's folder or absolute; at least one.
        read_file: the bytes of a file by such a name, or None where there is none.
        variables: what is interpolated, as `project_variables` gives it.
        project: the project's name (`--project-name`); it wins over `COMPOSE_PROJECT_NAME` and `name`.
        folder: the name of the project's folder, which a project has that is named nowhere.
        profiles: those that are active; without any, those that `COMPOSE_PROFILES` names.
        home: the home folder, for paths that begin with `~`.
        shown: a file's name as errors and places give it.

    Raises:
        TopologyError: Compose would not take the files, or they pass this package's limits.
    """
    loader = Loader(read_file, home, shown)
    declared = _declared_name(files, loader)
    name = _project_name(declared, variables, project, folder, Where(shown(files[0]), 1, 1))
    variables = {**variables, "COMPOSE_PROJECT_NAME": name}
    model = loader.model(files, Context(variables))
    if not entries(model):
        raise TopologyError("the document is empty; a Compose file has the key 'services'", model.where)
    root = _without_version(normalise(model, name, variables))
    root = typed(root, DOCUMENT) or root
    root, inactive = _active(root, _profiles(profiles, variables))
    hold_services(root, inactive)
    root = _scaled(resolved(root, variables, read_file))
    root = placed(_used(_without_values(root)))
    return Document(
        name=name,
        root=root,
        variables=variables,
        named=frozenset(loader.named),
        warnings=tuple(dict.fromkeys(loader.warnings)),
        inactive=inactive,
        files=tuple(dict.fromkeys(loader.files)),
    )


def peek(
    files: Sequence[str],
    *,
    read_file: Callable[[str], bytes | None],
    shown: Callable[[str], str] = lambda name: name,
) -> Node:
    """What has to be known before variables are replaced: `x-understudy`, and of each service its name and image.

    Nothing is interpolated, extended or held; includes are followed for the names of services, where their path has
    no variable.

    Raises:
        TopologyError: a file is missing or no YAML.
    """
    loader = Loader(read_file, None, shown)
    root = Node({}, Where(shown(files[0]), 1, 1), Where(shown(files[0]), 1, 1))
    for file in files:
        for document in loader.plain_documents(file):
            extension = {key: child for key, child in entries(document).items() if key == "x-understudy"}
            root = merge_mappings(root, made(extension, document), DOCUMENT)
    services = {name: image for file in files for name, image in loader.service_images(file, frozenset())}
    return put(root, {"services": made(services, root)})


def _without_version(root: Node) -> Node:
    return without(root, "version", "include")


def _normal_name(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-")


def _project_name(
    declared: tuple[str, Where] | None, variables: Mapping[str, str], given: str | None, folder: str, first: Where
) -> str:
    """The project's name, by Compose's order of precedence."""
    name = given or variables.get("COMPOSE_PROJECT_NAME") or ""
    if name:
        if not _PROJECT.fullmatch(name):
            raise TopologyError(
                f"{name[:60]!r} is no project's name; allowed are lower-case letters, digits, dashes and underscores, "
                "beginning with a letter or digit",
                first,
            )
        return name
    text, where = declared or (folder, first)
    try:
        name = _normal_name(substitute(text, variables.get) if declared else text)
    except InterpolationError as error:
        raise TopologyError(str(error), where) from error
    if not name:
        raise TopologyError("the project has no name; give one as 'name' at the top or with --project-name", where)
    return name


def _declared_name(files: Sequence[str], loader: Loader) -> tuple[str, Where] | None:
    """The last `name` at the top of a document, with its place."""
    found = None
    for file in files:
        for raw in loader.documents(file):
            entry = raw.value.get("name") if isinstance(raw.value, Mapping) else None
            value = None if entry is None else entry.raw.value
            if entry is not None and isinstance(value, str | int | float) and value != "":
                found = as_text(value), Where(loader.shown(file), entry.raw.line, entry.raw.column, "name")
    loader.files.clear()
    return found


def _profiles(given: Iterable[str], variables: Mapping[str, str]) -> frozenset[str]:
    named = tuple(given) or tuple(word.strip() for word in variables.get("COMPOSE_PROFILES", "").split(","))
    return frozenset(named)


def _active(root: Node, profiles: frozenset[str]) -> tuple[Node, dict[str, str]]:
    """The document with the services that an active profile starts, and the others with the reason."""
    section = get(root, "services")
    if section is None:
        return root, {}
    running: dict[str, Node] = {}
    inactive: dict[str, str] = {}
    for name, service in entries(section).items():
        own = [str(item.value) for item in items(get(service, "profiles"))]
        if not own or "*" in profiles or profiles & set(own):
            running[name] = service
        else:
            inactive[name] = f"it has the {'profile' if len(own) == 1 else 'profiles'} {', '.join(own)}"
    return put(root, {"services": made(running, section)}), inactive


def _scaled(root: Node) -> Node:
    """`scale` is the number of replicas where there is a `deploy`."""
    section = get(root, "services")
    changes: dict[str, Node] = {}
    for name, service in entries(section).items():
        scale, deploy = get(service, "scale"), get(service, "deploy")
        if scale is not None and deploy is not None:
            changes[name] = put(service, {"deploy": put(deploy, {"replicas": scale})})
    return put(root, {"services": put(section, changes)}) if section is not None and changes else root


def _without_values(root: Node) -> Node:
    """Configs that come from a variable without their value."""
    section = get(root, "configs")
    changes = {name: without(c, "content") for name, c in entries(section).items() if "environment" in entries(c)}
    return put(root, {"configs": put(section, changes)}) if section is not None and changes else root


def _used(root: Node) -> Node:
    """The document less the networks, volumes, secrets, configs and models that no running service uses."""
    used: dict[str, set[str]] = {key: set() for key in ("networks", "volumes", "secrets", "configs", "models")}
    for service in entries(get(root, "services")).values():
        used["networks"].update(entries(get(service, "networks")))
        used["models"].update(entries(get(service, "models")))
        for mount in items(get(service, "volumes")):
            if get(mount, "type") is not None and as_plain(mount, "type") == "volume":
                used["volumes"].add(as_plain(mount, "source"))
        for key in ("secrets", "configs"):
            used[key].update(as_plain(item, "source") for item in items(get(service, key)))
        used["secrets"].update(as_plain(item, "source") for item in items(get(service, "build", "secrets")))
    for key, names in used.items():
        section = get(root, key)
        kept = {name: child for name, child in entries(section).items() if name in names}
        root = put(root, {key: made(kept, section)}) if section is not None and kept else without(root, key)
    return root


def as_plain(node: Node, key: str) -> str:
    """The text at a key; empty where there is none."""
    child = get(node, key)
    return "" if child is None else str(child.value)
