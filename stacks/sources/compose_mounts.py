"""What a Compose service mounts: volumes, binds of the commit's tree, memory, and what stands on other services."""

from __future__ import annotations

from understudy.stacks.allowed import is_socket
from understudy.stacks.change import Fidelity
from understudy.stacks.topology import Mount, TopologyError

from .document.yaml_text import Node
from .nodes import Fields, Reading, flag, items, text, texts
from .values import byte_size

__all__ = ["mounts", "tmpfs", "volumes_from"]

_NO_KIND = {
    "image": "the Docker provider's schema has no mount of an image, so the service is without it",
    "cluster": "it is a volume of a Swarm of hosts, so the service is without it",
    "npipe": "it is for Windows containers, so the service is without it",
}


def mounts(node: Node, service: str, reading: Reading) -> tuple[Mount, ...]:
    """`volumes` of a service, in long form."""
    found = (_mount(item, service, reading) for item in items(node))
    return tuple(mount for mount in found if mount is not None)


def _mount(node: Node, service: str, reading: Reading) -> Mount | None:
    fields = Fields(node, reading)
    kind_node, target_node = fields.need("type"), fields.need("target")
    kind, target = text(kind_node), text(target_node)
    if kind in _NO_KIND:
        reading.warn(node.key_where, f"left out: {_NO_KIND[kind]}")
        reading.change(node.where, f"{kind} at {target}", None, _NO_KIND[kind])
        return None
    if not target.startswith("/"):
        reading.refuse(target_node.where, f"{target!r} is no absolute path in the container")
        return None
    reading.places[f"services.{service}.volumes.{target}"] = node.where
    read_only = fields.read("read_only", flag, default=False)
    source = fields.take("source")
    options: dict[str, str] = {}
    for part, reader in (("bind", _bind), ("volume", _volume), ("tmpfs", _tmpfs)):
        below = fields.take(part)
        found = {} if below is None else reader(below, reading)
        if part == kind:
            options = found
        elif below is not None and found:
            reading.leave_out(below, f"it is of mounts of type {part}, and this one is a {kind}", Fidelity.CHANGED)
    fields.finish()
    pairs = tuple(sorted(options.items()))
    if kind == "tmpfs":
        return Mount("tmpfs", target, None, read_only, pairs)
    if kind == "volume":
        return Mount("volume", target, None if source is None else text(source), read_only, pairs)
    if kind != "bind" or source is None:
        raise TopologyError("a mount is of type volume, bind or tmpfs, and a bind has a source", node.where)
    path = _source(source, node, reading, read_only=read_only)
    return None if path is None else Mount("bind", target, path, read_only, pairs)


def _bind(node: Node, reading: Reading) -> dict[str, str]:
    fields = Fields(node, reading)
    fields.take("create_host_path")  # the short form says true without being asked, and false is not printed
    found = {key: fields.read(key, text, "") for key in ("propagation", "selinux")}
    fields.finish()
    return {key: value for key, value in found.items() if value}


def _volume(node: Node, reading: Reading) -> dict[str, str]:
    fields = Fields(node, reading)
    found = {"subpath": fields.read("subpath", text, "")}
    if fields.read("nocopy", flag, default=False):
        found["nocopy"] = "true"
    fields.finish()
    return {key: value for key, value in found.items() if value}


def _tmpfs(node: Node, reading: Reading) -> dict[str, str]:
    fields = Fields(node, reading)
    size, mode = fields.read("size", text, ""), fields.take("mode")
    fields.finish()
    found = {"size": "" if size == "0" else size}
    if mode is not None:
        found["mode"] = f"{mode.value:o}" if isinstance(mode.value, int) else text(mode).lstrip("0")
    return {key: value for key, value in found.items() if value}


def _source(node: Node, mount: Node, reading: Reading, *, read_only: bool) -> str | None:
    """The path that is bound: of the commit's tree, or of the host where that is asked for; None: it is left out.

    An absolute path stays in the topology, where what nobody allowed is refused, unless the service can only read it
    and nobody asked for it.
    """
    given = text(node)
    if given.startswith("~") or "\\" in given or given[1:2] == ":":
        message = f"the mount's source is {given!r}, a path of one host that cannot be allowed as it is written"
        if read_only:
            reading.leave_out(mount, message)
        else:
            reading.refuse(node.where, f"{message}: name one of the commit's tree, or an absolute one and allow it")
        return None
    if not given.startswith("/"):
        return reading.inside(given, given, node.where, "the mount's source")
    if is_socket(given) or not read_only or reading.allowed.has(f"bind:{given}"):
        return given
    reading.leave_out(mount, f"{given!r} is a path of one host; --allow bind:{given} clones the read-only mount")
    return None


def tmpfs(node: Node) -> tuple[Mount, ...]:
    """`tmpfs`: paths, each with options behind a colon."""
    return tuple(_short_tmpfs(item) for item in items(node))


def _short_tmpfs(node: Node) -> Mount:
    path, _, given = text(node).partition(":")
    if not path.startswith("/"):
        raise TopologyError(f"{path!r} is no absolute path in the container", node.where)
    options = {key: value for key, _, value in (word.partition("=") for word in given.split(",") if word)}
    read_only = "ro" in options
    for key in ("ro", "rw"):
        options.pop(key, None)
    if options.get("size") and "%" not in options["size"]:
        try:
            options["size"] = str(byte_size(options["size"]))
        except ValueError as error:
            raise TopologyError(str(error), node.where) from error
    if options.get("mode"):
        options["mode"] = options["mode"].lstrip("0") or "0"
    return Mount("tmpfs", path, None, read_only, tuple(sorted(options.items())))


def volumes_from(node: Node, containers: dict[str, str], reading: Reading) -> tuple[tuple[str, str], ...]:
    """`volumes_from`: services, or their containers by name, each with `ro` or `rw`."""
    found = []
    for item, given in zip(items(node), texts(node), strict=True):
        words = given.split(":")
        outside = words[0] == "container" and len(words) > 1
        name, mode = (words[1], words[2:]) if outside else (words[0], words[1:])
        service = containers.get(name) if outside else name
        if service is None:
            reading.refuse(item.where, f"{given!r} names a container that this document does not make: no clone has it")
            continue
        found.append((service, "ro" if "ro" in mode else "rw"))
    return tuple(found)
