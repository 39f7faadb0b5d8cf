"""Short forms made long, so that each thing is said in one way, and the few defaults that Compose writes in.

The reference is compose-go v2.9.0, package transform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .go_values import as_text
from .merging import filled, name_of
from .shape import Shape
from .short_forms import parse_device, parse_mount, parse_ports
from .tree import entries, fail, get, is_text, items, kind, made, plain, put
from .yaml_text import Node

__all__ = ["canonical", "with_defaults"]


def canonical(node: Node, shape: Shape) -> Node:
    """The tree in long form.

    Raises:
        TopologyError: a short form cannot be read.
    """
    form = _FORMS.get(shape.form)
    return form(node, shape) if form is not None else _below(node, shape)


def _below(node: Node, shape: Shape) -> Node:
    if isinstance(node.value, Mapping) and (shape.keys or shape.others):
        return made({key: canonical(child, shape.child(key)) for key, child in node.value.items()}, node)
    if isinstance(node.value, tuple) and shape.item is not None:
        return made((canonical(item, shape.item) for item in node.value), node)
    return node


def _wrong(node: Node, allowed: str) -> Node:
    fail(node, f"here stands {kind(node)}; allowed is {allowed}")


def _build(node: Node, shape: Shape) -> Node:
    if is_text(node):
        return made({"context": node}, node)
    return _below(node, shape) if isinstance(node.value, Mapping) else _wrong(node, "a folder or a mapping")


def _extends(node: Node, _shape: Shape) -> Node:
    if is_text(node):
        return made({"service": node}, node)
    return node if isinstance(node.value, Mapping) else _wrong(node, "a service or a mapping")


def _file_mount(node: Node, _shape: Shape) -> Node:
    if is_text(node):
        return made({"source": node}, node)
    return node if isinstance(node.value, Mapping) else _wrong(node, "a name or a mapping")


def _as_written(node: Node, _shape: Shape) -> Node:
    if isinstance(node.value, tuple | Mapping):
        return _wrong(node, "a text or a boolean")
    return made(as_text(node.value), node)


def _assignments(node: Node, _shape: Shape) -> Node:
    if isinstance(node.value, Mapping):
        return node
    found: dict[str, Node] = {}
    for item in items(node):
        key, mark, value = name_of(item).partition("=")
        if not mark:
            fail(item, f"{key[:60]!r} has no value; allowed is NAME=VALUE")
        found[key] = made(value, item)
    return made(found, node) if isinstance(node.value, tuple) else _wrong(node, "a list or a mapping")


def _depends_on(node: Node, _shape: Shape) -> Node:
    default = {"condition": "service_started", "required": True}
    if isinstance(node.value, tuple):
        return made({name_of(item): filled(default, item) for item in node.value}, node)
    if not isinstance(node.value, Mapping):
        return _wrong(node, "a list or a mapping")
    for child in node.value.values():
        if not isinstance(child.value, Mapping):
            fail(child, f"here stands {kind(child)}; allowed is a mapping with 'condition'")
    return made(
        {
            name: put(filled(default, child), {**entries(filled(default, child)), **entries(child)})
            for name, child in node.value.items()
        },
        node,
    )


def _env_file(node: Node, _shape: Shape) -> Node:
    if not is_text(node) and not isinstance(node.value, tuple):
        return _wrong(node, "a text or a list")
    found = []
    for item in (node,) if is_text(node) else items(node):
        if is_text(item):
            found.append(made({"path": item, "required": made(True, item)}, item))
        elif isinstance(item.value, Mapping):
            found.append(made({"required": made(True, item), **item.value}, item))
    return made(found, node)


def _texts(node: Node, _shape: Shape) -> Node:
    return made((node,), node) if is_text(node) else node


def _dns(node: Node, shape: Shape) -> Node:
    node = _texts(node, shape)
    return made((item for item in items(node) if item.value not in {None, ""}), node) if items(node) else node


def _gpus(node: Node, _shape: Shape) -> Node:
    if is_text(node):
        return made((filled({"count": "all"}, node),), node)
    return node if isinstance(node.value, tuple) else _wrong(node, "all or a list")


def _names(node: Node, shape: Shape) -> Node:
    if isinstance(node.value, tuple):
        return made({name_of(item): made(None, item) for item in node.value}, node)
    return _below(node, shape)


def _volume(node: Node, _shape: Shape) -> Node:
    if is_text(node):
        return parse_mount(node)
    return node if isinstance(node.value, Mapping) else _wrong(node, "a text or a mapping")


def _device(node: Node, _shape: Shape) -> Node:
    if is_text(node):
        return parse_device(node)
    return node if isinstance(node.value, Mapping) else _wrong(node, "a text or a mapping")


def _ports(node: Node, _shape: Shape) -> Node:
    if not isinstance(node.value, tuple):
        return _wrong(node, "a list")
    found: list[Node] = []
    for item in node.value:
        if isinstance(item.value, Mapping):
            found.append(item)
        elif is_text(item) or (isinstance(item.value, int) and not isinstance(item.value, bool)):
            found.extend(parse_ports(item, str(item.value)))
        else:
            _wrong(item, "a port as a whole number, a text or a mapping")
    return made(found, node)


def _ssh(node: Node, _shape: Shape) -> Node:
    if isinstance(node.value, Mapping):
        return node
    if not isinstance(node.value, tuple):
        return _wrong(node, "a list or a mapping")
    found: dict[str, Node] = {}
    for item in node.value:
        name, mark, path = name_of(item).partition("=")
        if not mark and name != "default":
            fail(item, f"{name[:60]!r} has no path; allowed is 'default' or ID=PATH")
        found[name] = made(path if mark else None, item)
    return made(found, node)


def _ulimit(node: Node, _shape: Shape) -> Node:
    if isinstance(node.value, Mapping) or (isinstance(node.value, int) and not isinstance(node.value, bool)):
        return node
    return _wrong(node, "a whole number or a mapping with 'soft' and 'hard'")


def _external(node: Node, shape: Shape) -> Node:
    """`external: {name: X}`, which is old, as `external: true` beside `name: X`."""
    if node.value is None:
        return node
    if not isinstance(node.value, Mapping):
        return _wrong(node, "a mapping")
    node = _below(node, shape)
    external = get(node, "external")
    if external is None or not isinstance(external.value, Mapping):
        return node
    old, name = get(external, "name"), get(node, "name")
    changes = {"external": made(True, external)}
    if old is not None:
        if name is not None and plain(name) != plain(old):
            fail(old, "'name' and 'external.name' differ; use 'name' alone")
        changes["name"] = name or old
    return put(node, changes)


_FORMS: Mapping[str, Callable[[Node, Shape], Node]] = {
    "build": _build,
    "extends": _extends,
    "file_mount": _file_mount,
    "written": _as_written,
    "assignments": _assignments,
    "depends_on": _depends_on,
    "env_file": _env_file,
    "texts": _texts,
    "dns": _dns,
    "gpus": _gpus,
    "names": _names,
    "volume": _volume,
    "device": _device,
    "ports": _ports,
    "ssh": _ssh,
    "ulimit": _ulimit,
    "external": _external,
}


def with_defaults(node: Node, shape: Shape) -> Node:
    """The tree with the defaults that Compose fills in before it looks at what is whole.

    Raises:
        TopologyError: a mapping is needed where one of them belongs.
    """
    fill = _DEFAULTS.get(shape.default)
    if fill is not None:
        return fill(node)
    if isinstance(node.value, Mapping) and (shape.keys or shape.others):
        return made({key: with_defaults(child, shape.child(key)) for key, child in node.value.items()}, node)
    if isinstance(node.value, tuple) and shape.item is not None:
        return made((with_defaults(item, shape.item) for item in node.value), node)
    return node


def _default_context(node: Node) -> Node:
    if isinstance(node.value, Mapping) and "context" not in node.value:
        return put(node, {"context": made(".", node)})
    return node


def _default_secret(node: Node) -> Node:
    if not isinstance(node.value, Mapping):
        return _wrong(node, "a mapping")
    source = node.value.get("source")
    target = f"/run/secrets/{'<nil>' if source is None else source.value}"
    return node if "target" in node.value else put(node, {"target": made(target, node)})


def _default_port(node: Node) -> Node:
    if not isinstance(node.value, Mapping):
        return node
    return made({"protocol": made("tcp", node), "mode": made("ingress", node), **node.value}, node)


def _default_devices(node: Node) -> Node:
    if not isinstance(node.value, Mapping):
        return _wrong(node, "a mapping")
    known = {"count", "device_ids"} & node.value.keys()
    return node if known else put(node, {"count": made("all", node)})


_DEFAULTS: Mapping[str, Callable[[Node], Node]] = {
    "build": _default_context,
    "secret": _default_secret,
    "port": _default_port,
    "device_request": _default_devices,
}
