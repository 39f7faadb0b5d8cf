"""Variables replaced in a document, and texts made numbers or booleans where their key wants one.

The reference is compose-go v2.9.0, loader/interpolate.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from understudy.stacks.topology import Where

from .go_values import as_float32, boolean, floating, whole
from .shape import Shape
from .tree import fail, is_text, made
from .yaml_scalars import Scalar
from .yaml_text import Node

__all__ = ["interpolated"]

_CASTS: Mapping[str, Callable[[str], Scalar]] = {
    "int": whole,
    "int64": whole,
    "float": floating,
    "float32": lambda text: as_float32(floating(text)),
    "boolean": boolean,
}


def interpolated(node: Node, shape: Shape, transform: Callable[[str, Where], str]) -> Node:
    """The tree with each text value (never a key) through `transform`, and cast where its shape says so.

    Raises:
        TopologyError: a text is no template, or not of the type that its key wants.
    """
    if isinstance(node.value, Mapping):
        return made({key: interpolated(child, shape.child(key), transform) for key, child in node.value.items()}, node)
    if isinstance(node.value, tuple):
        return made((interpolated(item, shape.element, transform) for item in node.value), node)
    if not is_text(node):
        return node
    value = transform(str(node.value), node.where)
    cast = _CASTS.get(shape.cast)
    if cast is None:
        return node if value == node.value else made(value, node)
    try:
        return made(cast(value), node)
    except ValueError as error:
        fail(node, str(error))
