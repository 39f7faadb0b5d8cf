"""What a Compose service is made of and joined to: build, ports, mounts and networks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from understudy.stacks.topology import Build, Mount, NetworkLink, Port, TopologyError

from .compose_run import completed
from .document.yaml_text import Node
from .nodes import Fields, Reading, choice, flag, items, mapping, pairs, parsed, text, texts
from .values import host_name, ports

__all__ = ["MAX_PORTS", "build", "exposed", "linked", "links", "mounts", "published", "tmpfs"]

MAX_PORTS = 4096
"""Ports of one service, ranges counted out."""

_PROTOCOLS: Mapping[str, str] = {"tcp": "tcp", "udp": "udp"}
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock")
_ELSEWHERE = (
    "; if production needs it, put the mount into an override file that only production reads, or give the service a "
    "profile of Compose, by which a clone leaves it out"
)
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_NO_EFFECT = frozenset(("rw", "z", "Z", "cached", "delegated", "consistent"))


def build(node: Node, reading: Reading) -> Build:
    """A build, from its context alone or in full."""
    if not isinstance(node.value, Mapping):
        return Build(_context(node, reading))
    fields = Fields(node, reading)
    if inline := fields.take("dockerfile_inline"):
        raise TopologyError("an inline Dockerfile cannot be built; put it in a file", inline.key_where)
    context_node = fields.take("context")
    context = _context(context_node, reading) if context_node else "."
    dockerfile = "Dockerfile"
    if named := fields.take("dockerfile"):
        dockerfile = text(named)
        reading.inside(dockerfile, f"{context}/{dockerfile}", named.where, "the Dockerfile")
    result = Build(
        context,
        dockerfile,
        fields.read("target", text, None),
        fields.read("args", lambda args: completed(pairs(args, reading), reading), {}),
    )
    privileged = fields.take("privileged")
    if privileged and flag(privileged):
        raise TopologyError("a privileged build is refused: it has the host's rights", privileged.key_where)
    fields.finish()
    return result


def _context(node: Node, reading: Reading) -> str:
    given = text(node)
    if "://" in given or given.startswith(("git@", "github.com/")):
        raise TopologyError(f"the build context {given!r} is not a folder of the commit's tree", node.where)
    return reading.path(node, "the build context")


def published(node: Node, reading: Reading) -> tuple[Port, ...]:
    """`ports` in both syntaxes."""
    result: list[Port] = []
    for item in items(node):
        if len(result) <= MAX_PORTS:
            result.extend(_long_port(item, reading) if isinstance(item.value, Mapping) else parsed(item, ports))
    return _distinct(result, node)


def _distinct(found: list[Port], node: Node) -> tuple[Port, ...]:
    if len(found) > MAX_PORTS:
        raise TopologyError(f"here are {len(found)} ports; at most {MAX_PORTS} are taken", node.where)
    return tuple(dict.fromkeys(found))


def _long_port(node: Node, reading: Reading) -> tuple[Port, ...]:
    fields = Fields(node, reading)
    target = fields.need("target")
    short = text(target)
    if host := fields.read("published", text, ""):
        short = f"{host}:{short}"
    protocol = fields.read("protocol", lambda word: choice(word, _PROTOCOLS), "tcp")
    host_ip = fields.read("host_ip", text, None)
    for key in ("name", "app_protocol", "mode"):
        fields.take(key)  # they name or describe the port and change nothing on one host
    fields.finish()
    try:
        found = ports(f"{short}/{protocol}")
    except ValueError as error:
        raise TopologyError(str(error), target.where) from error
    return tuple(Port(port.target, port.published, port.protocol, host_ip) for port in found)


def exposed(node: Node) -> tuple[Port, ...]:
    """`expose`: container ports and ranges of them."""
    result: list[Port] = []
    for item in items(node):
        found = parsed(item, ports)
        if any(port.published or port.host_ip for port in found):
            raise TopologyError(f"{text(item)!r} is not allowed; `expose` takes container ports only", item.where)
        result.extend(found)
    return _distinct(result, node)


def mounts(node: Node, reading: Reading) -> tuple[Mount, ...]:
    """`volumes` in both syntaxes."""
    found = (
        _long_mount(item, reading) if isinstance(item.value, Mapping) else _short_mount(item, reading)
        for item in items(node)
    )
    return tuple(mount for mount in found if mount is not None)


def _target(given: str, node: Node) -> str:
    if not given.startswith("/"):
        raise TopologyError(f"{given!r} is no absolute path in the container", node.where)
    return given


def _of_the_host(given: str, node: Node, reading: Reading, *, read_only: bool) -> bool:
    """Whether the source is the host's own, and so left out; what a clone could not run without is refused."""
    if any(socket in given for socket in _SOCKETS):
        raise TopologyError(
            f"{given!r} is the engine's socket: whoever holds it has the host, so no clone mounts it{_ELSEWHERE}",
            node.where,
        )
    if not given.startswith(("/", "~")):
        return False
    if not read_only:
        raise TopologyError(
            f"the mount's source is {given!r}, a path of one host; a clone takes only what the commit's tree holds: "
            "name it relative to the document's folder, or mount it read-only (:ro), by which it is left out"
            f"{_ELSEWHERE}",
            node.where,
        )
    reading.leave_out(node.where, f"{given!r} is a path of one host; the read-only mount is left out")
    return True


def _source(given: str, node: Node, reading: Reading) -> tuple[str, bool]:
    """A volume's name (False) or a path in the tree (True)."""
    if given.startswith((".", "/", "~")) or "\\" in given:
        return reading.inside(given, given, node.where, "the mount's source"), True
    if not _VOLUME.fullmatch(given):
        raise TopologyError(f"{given[:100]!r} is neither a volume's name nor a relative path", node.where)
    return given, False


def _short_mount(node: Node, reading: Reading) -> Mount | None:
    source, mark, rest = text(node).partition(":")
    if not mark:
        return Mount("volume", _target(source, node))
    target, _, mode = rest.partition(":")
    if _of_the_host(source, node, reading, read_only="ro" in mode.split(",")):
        return None
    name, is_path = _source(source, node, reading)
    read_only = False
    for option in mode.split(",") if mode else ():
        if option == "ro":
            read_only = True
        elif option not in _NO_EFFECT:
            reading.leave_out(node.where, f"the mount option {option!r} is not understood and left out")
    return Mount("bind" if is_path else "volume", _target(target, node), name, read_only)


def _long_mount(node: Node, reading: Reading) -> Mount | None:
    fields = Fields(node, reading)
    kind = choice(fields.need("type"), {"volume": "volume", "bind": "bind", "tmpfs": "tmpfs"})
    target_node = fields.need("target")
    target = _target(text(target_node), target_node)
    read_only = fields.read("read_only", flag, default=False)
    source = fields.take("source")
    fields.take("consistency")  # it has no effect on Linux
    fields.finish(dict.fromkeys(("bind", "volume", "tmpfs"), "the mount's own options are not supported and left out"))
    if kind == "tmpfs":
        return Mount("tmpfs", target, None, read_only)
    if source is None:
        if kind == "bind":
            raise TopologyError("'source' is missing: a bind needs one", node.where)
        return Mount("volume", target, None, read_only)
    given = text(source)
    if _of_the_host(given, source, reading, read_only=read_only):
        return None
    if kind == "bind" and not given.startswith((".", "/", "~")):
        given = f"./{given}"  # the long form says that it is a path
    name, is_path = _source(given, source, reading)
    if is_path != (kind == "bind"):
        raise TopologyError(f"{given!r} is a path, and the mount is of type volume", source.where)
    return Mount("bind" if is_path else "volume", target, name, read_only)


def tmpfs(node: Node, reading: Reading) -> tuple[Mount, ...]:
    """`tmpfs`: one path or a list of them."""
    result: list[Mount] = []
    for given in texts(node):
        path, mark, options = given.partition(":")
        if mark:
            reading.leave_out(node.where, f"the options {options!r} of the tmpfs {path!r} are left out")
        result.append(Mount("tmpfs", _target(path, node)))
    return tuple(result)


def linked(node: Node) -> tuple[tuple[str, str | None], ...]:
    """`links`: other services, each with the name by which this one calls it, if that is another."""
    found = []
    for item in items(node):
        other, mark, alias = text(item).partition(":")
        try:
            found.append((other, host_name(alias) if mark else None))
        except ValueError as error:
            raise TopologyError(str(error), item.where) from error
    return tuple(found)


def links(node: Node, reading: Reading) -> tuple[NetworkLink, ...]:
    """`networks` of a service as list or mapping, with the aliases."""
    if isinstance(node.value, tuple):
        return tuple(NetworkLink(name) for name in dict.fromkeys(texts(node)))
    result: list[NetworkLink] = []
    for name, child in mapping(node).items():
        aliases: tuple[str, ...] = ()
        if child.value is not None:
            fields = Fields(child, reading)
            names = fields.read("aliases", items, ())
            aliases = tuple(dict.fromkeys(parsed(alias, host_name) for alias in names))
            fields.finish()
        result.append(NetworkLink(name, aliases))
    return tuple(result)
