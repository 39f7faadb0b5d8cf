"""Topologies and clones as JSON-ready data: the same for the same meaning, whatever line it was written on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from .clone import Clone
from .topology import Topology

__all__ = ["canonical_json", "clone_data", "topology_data"]

_PLACES = frozenset(("where", "places"))


def _data(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _data(getattr(value, item.name)) for item in fields(value) if item.name not in _PLACES}
    if isinstance(value, Mapping):
        return {str(key): _data(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_data(item) for item in value]
    if isinstance(value, str):
        return str(value)  # an enum's member becomes its text
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _mapping(value: object) -> dict[str, object]:
    data = _data(value)
    assert isinstance(data, dict)  # noqa: S101 - a dataclass always becomes one
    return data


def topology_data(topology: Topology) -> dict[str, object]:
    """The topology without the places in its document. Literal values of secrets are in it until it is derived."""
    return _mapping(topology)


def clone_data(clone: Clone) -> dict[str, object]:
    """The clone with its topology and every recorded Change; secrets stand as tokens."""
    return _mapping(clone)


def canonical_json(data: object) -> str:
    """JSON in one form: sorted keys, no spaces, ASCII only.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
