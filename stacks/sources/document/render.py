"""A document as Compose prints it: as JSON data or as YAML, with `$` doubled and declared secrets by their name.

The reference is `docker compose config` v2.40.0. What the two forms differ in is Compose's own: JSON names some keys
otherwise, knows no extensions below the top and no models, and writes some empty mappings and nulls out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .keys import DOCUMENT
from .paths import resolve
from .shape import Shape
from .tree import Plain, plain
from .yaml_scalars import Moment
from .yaml_scalars import resolve as resolve_scalar
from .yaml_text import Node

__all__ = ["as_json", "as_yaml", "printed"]

Text = Callable[[str], str]

_ALWAYS: Mapping[str, Plain] = {"text!": "", "rate!": "0", "int!": 0, "uint16!": 0, "flag!": False}
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "=", "<<"))
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?0[0-7_]+|[-+]?[0-9][0-9_.]*")


def printed(root: Node, folder: str, text: Text = lambda value: value) -> Plain:
    """The document as the data that `docker compose config --format json` prints.

    Args:
        root: a document's root.
        folder: the project's folder, absolute, which relative paths are joined to.
        text: what becomes of every text and key, after `$` was doubled.
    """
    data = _json(resolve(root, folder, None), DOCUMENT, _escaped(text))
    data.pop("models", None)
    data.setdefault("services", {})
    known = _escaped(text)
    extensions = ((key, child) for key, child in _top(root).items() if key.startswith("x-"))
    data.update({known(key): _nulled(_any(child, known)) for key, child in extensions})
    return data


def _nulled(value: Plain) -> Plain:
    """The value of an extension with null for an empty list, as Compose's JSON has it."""
    if isinstance(value, dict):
        return {key: _nulled(child) for key, child in value.items()}
    return [_nulled(child) for child in value] or None if isinstance(value, list) else value


def _top(root: Node) -> Mapping[str, Node]:
    assert isinstance(root.value, Mapping)  # noqa: S101 - of every document
    return root.value


def _escaped(text: Text) -> Text:
    return lambda value: text(value.replace("$", "$$"))


def _any(node: Node, text: Text) -> Plain:
    return _mapped(plain(node), text)


def _mapped(value: Plain, text: Text) -> Plain:
    if isinstance(value, dict):
        return {text(key): _mapped(child, text) for key, child in value.items()}
    if isinstance(value, list):
        return [_mapped(child, text) for child in value]
    return text(value) if isinstance(value, str) else value


def _json(node: Node, shape: Shape, text: Text) -> Plain:
    if isinstance(node.value, tuple):
        return [_json(item, shape.element, text) for item in node.value]
    if not isinstance(node.value, Mapping) or not (shape.keys or shape.out == "map"):
        return _ssh(node, text) if shape.out == "ssh" else _any(node, text)
    found: dict[str, Any] = {}
    for key, child in _ordered(node.value, shape):
        known = shape.child(key)
        if shape.extensible and key.startswith("x-"):
            continue
        if shape.out == "ulimit" and child.value == 0:
            continue
        found[known.alias or text(key)] = _json(child, known, text)
    _write_out(found, shape)
    return found


def _ordered(value: Mapping[str, Node], shape: Shape) -> Iterable[tuple[str, Node]]:
    """The entries in the order of the table; those under names of one's own by name."""
    return sorted(value.items()) if shape.out == "map" else value.items()


def _write_out(found: dict[str, Any], shape: Shape) -> None:
    """Fill in what Compose's JSON writes though it says nothing."""
    for key, known in shape.keys.items():
        if known.out == "command":
            found.setdefault(key, None)
        elif known.out in _ALWAYS and shape.out != "ulimit":
            found.setdefault(known.alias or key, _ALWAYS[known.out])
        elif known.out == "struct!":
            below = found.setdefault(key, {})
            _write_out(below, known)


def _ssh(node: Node, text: Text) -> Plain:
    pairs = plain(node)
    return [text(key if path is None else f"{key}: {path}") for key, path in pairs.items()]


def _yaml(node: Node, shape: Shape, text: Text) -> Plain:
    if isinstance(node.value, tuple):
        return [_yaml(item, shape.element, text) for item in node.value]
    if shape.out == "ulimit" and node.value == {}:
        return {"soft": 0, "hard": 0}
    if not isinstance(node.value, Mapping) or not (shape.keys or shape.out == "map"):
        return _ssh(node, text) if shape.out == "ssh" else _any(node, text)
    return {
        text(key): _yaml(child, shape.child(key), text)
        for key, child in _ordered(node.value, shape)
        if not (shape.child(key).out == "struct!" and not child.value)
    }


def as_json(root: Node, folder: str, text: Text = lambda value: value) -> str:
    """The document as JSON text."""
    return json.dumps(printed(root, folder, text), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_yaml(root: Node, folder: str, text: Text = lambda value: value) -> str:
    """The document as YAML text, extensions and models included; read as YAML 1.1 or 1.2 it is the same."""
    from io import StringIO

    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes null as a word, and quotes texts that some version of YAML takes for something else."""

    Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))
    Representer.add_representer(
        str, lambda self, value: self.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))
    )
    data = _yaml(resolve(root, folder, None), DOCUMENT, _escaped(text))
    data.setdefault("services", {})
    writer = YAML(pure=True)
    writer.Representer = Representer
    writer.width = 1 << 20
    writer.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    writer.dump(data, out)
    return out.getvalue()


def _style(value: str) -> str | None:
    if not isinstance(resolve_scalar(value), str) or isinstance(resolve_scalar(value), Moment):
        return '"'
    return '"' if value.lower() in _WORDS or _SEXAGESIMAL.fullmatch(value) else None
