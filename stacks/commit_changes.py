"""What a commit itself changes against production: two topologies, key by key, as Changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from .clone import Change
from .secret_values import Literals, shown, token_free, tokens
from .topology import (
    Dependency,
    Device,
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

__all__ = ["as_text", "commit_changes", "port_text", "summary"]

_SKIPPED = frozenset(("name", "where"))
_FREE = ("environment", "command", "entrypoint", "healthcheck", "labels", "build")
_WITHHELD = "(withheld: holds the value of secret {})"
_BESIDE = "(withheld: the other side holds secret {})"


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


_TEXTS: Mapping[type, Callable[[Any], str]] = {
    Port: port_text,
    Mount: _mount_text,
    NetworkLink: _link_text,
    Dependency: _dependency_text,
    FileMount: _file_text,
    Ulimit: lambda limit: f"{limit.name}={limit.soft}:{limit.hard}",
    Device: lambda device: f"{device.source}:{device.target}:{device.permissions}",
    bool: lambda value: str(value).lower(),
    float: lambda value: f"{value:g}",
}


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


def _flat(thing: object, path: str) -> Iterator[tuple[str, str | None]]:
    """Each leaf below a dataclass or mapping with its path."""
    pairs: Iterator[tuple[str, object]]
    if isinstance(thing, Mapping):
        pairs = ((str(key), value) for key, value in thing.items())
    elif is_dataclass(thing) and not isinstance(thing, type | Port | Mount | NetworkLink | Dependency):
        pairs = (
            (item.name, value)
            for item in fields(thing)
            if item.name not in _SKIPPED and ((value := getattr(thing, item.name)) != () or item.default != ())
        )
    else:
        yield path, as_text(thing)
        return
    for key, value in pairs:
        yield from _flat(value, f"{path}.{key}")


def _between(path: str, before: Mapping[str, object], after: Mapping[str, object], reason: str) -> Iterator[Change]:
    for name in (*before, *(name for name in after if name not in before)):
        place = f"{path}.{name}"
        if name not in after:
            yield Change(place, summary(before[name]), None, reason)
        elif name not in before:
            yield Change(place, None, summary(after[name]), reason)
        elif before[name] != after[name]:
            old, new = dict(_flat(before[name], place)), dict(_flat(after[name], place))
            for key in (*old, *(key for key in new if key not in old)):
                if old.get(key) != new.get(key):
                    yield Change(key, old.get(key), new.get(key), reason)


def commit_changes(production: Topology, candidate: Topology, commit: str, literals: Literals) -> tuple[Change, ...]:
    """Every difference between production and the topology at the commit, in the order of production's document.

    Both have their secrets replaced already; a text that still holds a value of `literals` is withheld.
    """
    reason = f"changed by commit {commit[:12]}"
    found = (
        *_between("services", production.services, candidate.services, reason),
        *_between("networks", production.networks, candidate.networks, reason),
        *_between("volumes", production.volumes, candidate.volumes, reason),
        *_between("externals", production.externals, candidate.externals, reason),
    )
    return tuple(
        replace(
            change,
            production=_withheld(change.path, change.production, change.clone, literals),
            clone=_withheld(change.path, change.clone, change.production, literals),
        )
        for change in found
    )


def _withheld(path: str, text: str | None, other: str | None, literals: Literals) -> str | None:
    """A side of a Change as it may be recorded. What stands where the other side has a secret may be its value."""
    if text is None:
        return None
    if other is not None and token_free(text) and not token_free(other):
        return _BESIDE.format(next(tokens(other)))
    free = any(f".{part}" in path for part in _FREE)
    rule = literals.betrayed_by(text, free_text=free)
    return _WITHHELD.format(rule) if rule else shown(text, "secret")
