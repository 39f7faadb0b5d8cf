"""Suites that stand in `understudy.toml` as `[tests.NAME]`: the keys and checks are those of `x-understudy`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from understudy.stacks.topology import Suite

from .compose_suite import read_suite
from .document.interpolate import Interpolator
from .document.tree import made
from .document.yaml_text import Node
from .nodes import Reading, mapping
from .toml_text import read_toml

__all__ = ["KEY", "read_suites", "together"]

KEY = "tests"
"""The table of `understudy.toml` that is no option."""


def read_suites(data: bytes, file: str, variables: Mapping[str, str], reading: Reading) -> tuple[Suite, ...]:
    """The suites of a file, with the variables in their values replaced.

    Raises:
        TopologyError: it is no TOML, a key is not known, or a value is not allowed.
    """
    tests = mapping(read_toml(data, file)).get(KEY)
    if tests is None:
        return ()
    values = Interpolator(variables)
    found = [read_suite(name, _interpolated(child, values), reading) for name, child in mapping(tests).items()]
    for name, where in values.unset.items():
        reading.warn(where, f"the variable {name!r} is not set: it is empty")
    return tuple(found)


def _interpolated(node: Node, values: Interpolator) -> Node:
    if isinstance(node.value, Mapping):
        return made({key: _interpolated(child, values) for key, child in node.value.items()}, node)
    if isinstance(node.value, tuple):
        return made((_interpolated(item, values) for item in node.value), node)
    value = values(node.value, node.where) if isinstance(node.value, str) else node.value
    return node if value == node.value else made(value, node)


def together(document: Iterable[Suite], file: Iterable[Suite], reading: Reading) -> tuple[Suite, ...]:
    """The suites of the Compose document and of the file; of one name, that of the file, with a warning."""
    found = {suite.name: suite for suite in document}
    for suite in file:
        if (other := found.get(suite.name)) is not None:
            reading.warn(suite.where, f"it takes the place of the suite of this name at {other.where.place}")
        found[suite.name] = suite
    return tuple(found.values())
