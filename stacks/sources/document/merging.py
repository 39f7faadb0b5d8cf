"""Two documents laid over each other, each key by its own rule, as the Compose specification's merge says.

The reference is compose-go v2.9.0, package override.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .go_values import as_text
from .shape import Shape
from .tree import entries, fail, get, is_text, items, kind, made, plain, put, same
from .yaml_text import Node

__all__ = ["merge", "merge_mappings", "sequence"]


def merge(base: Node, over: Node, shape: Shape) -> Node:
    """`over` laid over `base`; mappings are merged, lists appended, unless the shape's rule says otherwise.

    Raises:
        TopologyError: a list or mapping would be overridden by something of another kind.
    """
    rule = _RULES.get(shape.merge)
    if rule is not None:
        return rule(base, over, shape)
    if over.value is None:
        return base
    if isinstance(base.value, Mapping):
        if not isinstance(over.value, Mapping):
            fail(over, f"here stands {kind(over)}, and the mapping at {base.where} cannot be overridden by it")
        return merge_mappings(base, over, shape)
    if isinstance(base.value, tuple):
        if not isinstance(over.value, tuple):
            fail(over, f"here stands {kind(over)}, and the list at {base.where} cannot be overridden by it")
        return made((*base.value, *over.value), base)
    return over


def merge_mappings(base: Node, over: Node, shape: Shape) -> Node:
    """Two mappings as one."""
    known = entries(base)
    return put(
        base,
        {
            key: merge(known[key], child, shape.child(key)) if key in known else child
            for key, child in entries(over).items()
        },
    )


def sequence(node: Node) -> tuple[Node, ...]:
    """A list, a single text, or a mapping written as a sorted list of `key=value`."""
    if isinstance(node.value, Mapping):
        found: list[Node] = []
        for key, child in node.value.items():
            if child.value is None:
                found.append(made(key, child))
            else:
                values = items(child) if isinstance(child.value, tuple) else (child,)
                found.extend(made(f"{key}={_written(value)}", value) for value in values)
        return tuple(sorted(found, key=lambda item: str(item.value)))
    return (node,) if is_text(node) else items(node)


def _written(node: Node) -> str:
    return as_text(plain(node)) if not isinstance(node.value, tuple | Mapping) else str(plain(node))


def _append(base: Node, over: Node, _shape: Shape) -> Node:
    return made((*sequence(base), *sequence(over)), base if base.value is not None else over)


def _replace(_base: Node, over: Node, _shape: Shape) -> Node:
    return over


def _hosts(base: Node, over: Node, _shape: Shape) -> Node:
    known = sequence(base)
    new = (host for host in sequence(over) if not any(same(host, other) for other in known))
    return made((*known, *new), base if base.value is not None else over)


def _named(node: Node, default: Mapping[str, Any]) -> Node:
    """A list of names as a mapping."""
    if not isinstance(node.value, tuple):
        return node if isinstance(node.value, Mapping) else made({}, node)
    return made({name_of(item): filled(default, item) for item in node.value}, node)


def name_of(item: Node) -> str:
    """The text of an item that is a name.

    Raises:
        TopologyError: it is no text.
    """
    if not is_text(item):
        fail(item, f"here stands {kind(item)}; allowed is a name")
    return str(item.value)


def filled(default: Mapping[str, Any], like: Node) -> Node:
    """A mapping of scalars where `like` stands; nothing where it is empty."""
    return made({key: made(value, like) for key, value in default.items()} if default else None, like)


_DEPENDENCY = {"condition": "service_started", "required": True}


def _depends_on(base: Node, over: Node, shape: Shape) -> Node:
    return merge_mappings(_named(base, _DEPENDENCY), _named(over, _DEPENDENCY), shape)


def _names(base: Node, over: Node, shape: Shape) -> Node:
    return merge_mappings(_named(base, {}), _named(over, {}), shape)


def _build(base: Node, over: Node, shape: Shape) -> Node:
    one, other = (made({"context": node}, node) if is_text(node) else node for node in (base, over))
    return merge_mappings(_named(one, {}), _named(other, {}), shape)


def _logging(base: Node, over: Node, shape: Shape) -> Node:
    """Options are merged only where both name the same driver, or one of them none."""
    for node in (base, over):
        if not isinstance(node.value, Mapping):
            fail(node, f"here stands {kind(node)}; allowed is a mapping")
    mine, theirs = get(base, "driver"), get(over, "driver")
    if mine is None or theirs is None or same(mine, theirs):
        return merge_mappings(base, over, shape)
    return over


def _ipam(base: Node, over: Node, shape: Shape) -> Node:
    """Address pools are merged where they are of one subnet.

    Compose merges into the earlier file's pool in place, wherever that has got to in the result by then; and a pool
    of the later file that is in the result already is merged into the earlier file's next ones, whatever their subnet.
    """
    for node in (base, over):
        if not isinstance(node.value, tuple):
            fail(node, f"here stands {kind(node)}; allowed is a list")
    originals = list(items(base))
    pools: list[Node | int] = []  # a pool of the later file, or the number of one of the earlier file

    def subnet(pool: Node | int) -> object:
        found = get(originals[pool] if isinstance(pool, int) else pool, "subnet")
        return None if found is None else found.value

    for number in range(len(originals)):
        for other in items(over):
            if subnet(number) != subnet(other) and not any(subnet(pool) == subnet(other) for pool in pools):
                pools.append(other)
                continue
            originals[number] = merge_mappings(originals[number], other, shape.element)
            index = next((i for i, pool in enumerate(pools) if subnet(pool) == subnet(number)), None)
            if index is None:
                pools.append(number)
            else:
                pools[index] = number
    return made([originals[pool] if isinstance(pool, int) else pool for pool in pools], base)


_RULES: Mapping[str, Callable[[Node, Node, Shape], Node]] = {
    "sequence": _append,
    "override": _replace,
    "ulimit": _replace,
    "hosts": _hosts,
    "depends_on": _depends_on,
    "names": _names,
    "build": _build,
    "logging": _logging,
    "ipam": _ipam,
}
