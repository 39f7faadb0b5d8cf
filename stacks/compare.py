"""Two topologies side by side: each property with both its values as text, and no value of a secret in any of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from typing import Any

from .secret_values import Literals, literals_of, shown, token_free, tokens
from .topology import (
    Dependency,
    Device,
    DeviceRequest,
    External,
    FileMount,
    Mount,
    Network,
    NetworkLink,
    Port,
    Service,
    Topology,
    Ulimit,
    Volume,
)

__all__ = ["SECTIONS", "Row", "as_text", "compare", "hidden", "port_text", "properties", "rows", "summary"]

SECTIONS = ("services", "networks", "volumes", "externals")
"""The parts of a topology that are compared, in the order of the rows."""

_SKIPPED = frozenset(("name", "where"))
_FREE = ("environment", "command", "entrypoint", "healthcheck", "labels", "build", "files")
_WITHHELD = "(withheld: holds the value of secret {})"
_BESIDE = "(withheld: the other side holds secret {})"


@dataclass(frozen=True, slots=True)
class Row:
    """One property: its path, and both values as text (None: absent). `same` compares the values, not their texts.

    `given`: one of the values is not what the model takes where nothing is said.
    """

    path: str
    left: str | None
    right: str | None
    same: bool
    given: bool = True


def port_text(port: Port) -> str:
    """A port in Compose's short syntax."""
    host = f"[{port.host_ip}]" if port.host_ip and ":" in port.host_ip else port.host_ip
    parts = [part for part in (host, port.published or ("" if host else None), str(port.target)) if part is not None]
    return ":".join(parts) + ("/udp" if port.protocol == "udp" else "")


def _mount_text(mount: Mount) -> str:
    options = "".join(f" {key}={value}" for key, value in mount.options)
    return f"{mount.kind} {mount.source or '(anonymous)'} at {mount.target}{options}" + " (ro)" * mount.read_only


def _file_text(file: FileMount) -> str:
    origin = file.source or ("its own content" if file.content is not None else "elsewhere")
    return f"{file.kind} {file.name} from {origin} at {file.target}"


def _link_text(link: NetworkLink) -> str:
    return link.network + (f" as {', '.join(link.aliases)}" if link.aliases else "")


def _dependency_text(dependency: Dependency) -> str:
    return f"{dependency.service} {dependency.condition}" + " (optional)" * (not dependency.required)


def _request_text(request: DeviceRequest) -> str:
    which = ", ".join(request.ids) or ("all" if request.count == -1 else str(request.count or 1))
    return f"{which} with {', '.join(request.capabilities)}" + (f" of {request.driver}" if request.driver else "")


_TEXTS: Mapping[type, Callable[[Any], str]] = {
    Port: port_text,
    Mount: _mount_text,
    NetworkLink: _link_text,
    Dependency: _dependency_text,
    FileMount: _file_text,
    Ulimit: lambda limit: f"{limit.name}={limit.soft}:{limit.hard}",
    Device: lambda device: f"{device.source}:{device.target}:{device.permissions}",
    DeviceRequest: _request_text,
    bool: lambda value: str(value).lower(),
    float: lambda value: f"{value:g}",
}

_KEYS: Mapping[type, Callable[[Any], str]] = {
    Port: lambda port: f"{port.target}/{port.protocol}",
    Mount: lambda mount: mount.target,
    NetworkLink: lambda link: link.network,
    Dependency: lambda dependency: dependency.service,
    FileMount: lambda file: file.target,
    Ulimit: lambda limit: limit.name,
    Device: lambda device: device.target,
    DeviceRequest: lambda request: ",".join(request.capabilities) or "any",
}
"""What tells one member of a list from another: the last part of its path."""


def as_text(value: object) -> str | None:
    """A value of the topology as one short text; None stays None."""
    if value is None:
        return None
    if isinstance(value, tuple):
        if all(isinstance(item, str) for item in value):
            return json.dumps(value, ensure_ascii=False)
        return ", ".join(str(as_text(item)) for item in value)
    return _TEXTS.get(type(value), str)(value)


def summary(thing: object) -> str:
    """One service, network, volume or third party in a few words."""
    match thing:
        case Service(image=str(image)):
            return image
        case Service(build=build) if build is not None:
            return f"built from {build.context}"
        case External():
            return f"{thing.host}:{thing.port}"
        case Network():
            return "internal network" if thing.internal else "network"
        case Volume():
            return "volume"
    return str(thing)


@dataclass(frozen=True, slots=True)
class _Leaf:
    value: object
    given: bool


def _default(item: Field[Any]) -> object:
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _leaves(thing: object, path: str, default: object = None) -> Iterator[tuple[str, _Leaf]]:
    """Each leaf below a dataclass, a mapping or a list of things that have a key, with its path."""
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from _leaves(value, f"{path}.{key}")
    elif is_dataclass(thing) and type(thing) not in _KEYS and not isinstance(thing, type):
        for item in fields(thing):
            if item.name not in _SKIPPED:
                yield from _leaves(getattr(thing, item.name), f"{path}.{item.name}", _default(item))
    elif isinstance(thing, tuple) and thing and not isinstance(thing[0], str):
        yield from _members(thing, path)
    elif thing != ():
        yield path, _Leaf(thing, given=thing != default)


def _members(things: tuple[Any, ...], path: str) -> Iterator[tuple[str, _Leaf]]:
    """Each member of a list below its key; members that share one, as a port published twice, together."""
    members: dict[str, tuple[object, ...]] = {}
    for thing in things:
        key, value = thing if isinstance(thing, tuple) else (_KEYS[type(thing)](thing), thing)
        members[key] = (*members.get(key, ()), value)
    for key, same in members.items():
        yield f"{path}.{key}", _Leaf(same if len(same) > 1 else same[0], given=True)


def properties(thing: object, path: str) -> dict[str, str | None]:
    """Path -> text of every property of one service, network, volume or third party; secrets stand as tokens."""
    return {key: as_text(leaf.value) for key, leaf in _leaves(thing, path)}


_NOTHING = _Leaf(None, given=False)


def rows(left: Topology, right: Topology, literals: Literals) -> tuple[Row, ...]:
    """Every property of both topologies, the equal ones too, in the order of the left one's document.

    What stands on one side only is one row with its summary. Both have the secrets replaced by tokens already
    (`hidden`); a text that still holds a value of `literals` is withheld.
    """
    found = (row for section in SECTIONS for row in _section(section, getattr(left, section), getattr(right, section)))
    return tuple(_guarded(row, literals) for row in found)


def _section(section: str, left: Mapping[str, object], right: Mapping[str, object]) -> Iterator[Row]:
    for name in dict.fromkeys((*left, *right)):
        path = f"{section}.{name}"
        if name not in right:
            yield Row(path, summary(left[name]), None, same=False)
        elif name not in left:
            yield Row(path, None, summary(right[name]), same=False)
        else:
            yield from _between(dict(_leaves(left[name], path)), dict(_leaves(right[name], path)))


def _between(left: Mapping[str, _Leaf], right: Mapping[str, _Leaf]) -> Iterator[Row]:
    for key in dict.fromkeys((*left, *right)):
        one, other = left.get(key, _NOTHING), right.get(key, _NOTHING)
        before, after = as_text(one.value), as_text(other.value)
        same = one.value == other.value
        if not same and before == after and after is not None:
            after += " (other content)"
        yield Row(key, before, after, same, one.given or other.given)


def hidden(left: Topology, right: Topology) -> tuple[Topology, Topology, Literals]:
    """Both topologies with a token for each secret that either declares, and the values that must not be shown."""
    every = tuple(dict.fromkeys((*left.secrets, *right.secrets)))
    literals = literals_of(right, left)
    before, after = (literals.apply(replace(side, secrets=every)) for side in (left, right))
    return before, after, literals


def compare(left: Topology, right: Topology) -> tuple[Row, ...]:
    """The rows of two topologies as they were read, with the secrets of both withheld; equal properties too."""
    return rows(*hidden(left, right))


def _guarded(row: Row, literals: Literals) -> Row:
    left, right = (
        _withheld(row.path, text, other, literals) for text, other in ((row.left, row.right), (row.right, row.left))
    )
    return replace(row, left=left, right=right)


def _withheld(path: str, text: str | None, other: str | None, literals: Literals) -> str | None:
    """A side of a row as it may be shown. What stands where the other side has a secret may be its value."""
    if text is None:
        return None
    if other is not None and token_free(text) and not token_free(other):
        return _BESIDE.format(next(tokens(other)))
    free = any(f".{part}" in path for part in _FREE)
    rule = literals.betrayed_by(text, free_text=free)
    return _WITHHELD.format(rule) if rule else shown(text, "secret")
