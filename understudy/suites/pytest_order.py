"""The pytest plugin that puts tests in order and leaves out those of other shards, by a file that Understudy wrote.

This file is copied beside a suite as `understudy_order.py` and runs in the suite's own interpreter: Python 3.8 or
newer, pytest 7 or newer, nothing else but the standard library. The variable `UNDERSTUDY_ARRANGEMENT` names the file,
`UNDERSTUDY_SUITE` the suite. Under pytest-xdist every worker reads the same file, so that all of them see the same
tests in the same order.

Which tests run is never changed by the order. What failed last time comes first, whatever file it is in: that costs
one more setup of the fixtures of such a file. The rest stays together by file, so that fixtures of a module are set up
once; the longest file comes first. Within a file the order stays, unless xdist hands out tests one by one: then
nothing in a suite can lean on it, and the longest test comes first. Where pytest itself has mixed the files, as it
does for a parametrised fixture of the session, its order stays.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import statistics
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Any

__all__ = ["arranged", "pytest_configure", "shard_of"]

CHUNK = 500
SINGLY = ("load", "worksteal")
"""The ways of pytest-xdist to hand out tests one by one."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the arranger where a file is named."""
    path = os.environ.get("UNDERSTUDY_ARRANGEMENT")
    if not path:
        return
    with open(path, "rb") as source:  # noqa: PTH123 - as short as it can be
        told = json.load(source).get(os.environ.get("UNDERSTUDY_SUITE"))
    if told:
        config.pluginmanager.register(Arranger(told), "understudy-arranger")


def shard_of(identity: str, parts: Mapping[str, int], of: int) -> int:
    """The part that a test belongs to, from 1: the planned one, or by the hash of its id where none is planned."""
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return parts.get(identity) or 1 + int(digest[:12], 16) % of


class Arranger:
    """Chooses this shard's tests and puts them in order."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - of xdist
        """Tell each worker how xdist hands out the tests, which it would not know."""
        node.workerinput["understudy_singly"] = node.config.option.dist in SINGLY

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """After everybody else has chosen: leave out other parts' tests, then order."""
        if "of" in self.told:
            self._choose(config, items)
        singly = bool(getattr(config, "workerinput", {}).get("understudy_singly"))
        items[:] = arranged(items, self.told["failed"], self.told["seconds"], singly=singly)

    def _choose(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        shard, of, parts = self.told["shard"], self.told["of"], self.told["parts"]
        others = [item for item in items if shard_of(item.nodeid, parts, of) != shard]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [item for item in items if shard_of(item.nodeid, parts, of) == shard]
        self._report([item.nodeid for item in others])

    def _report(self, ids: list[str]) -> None:
        """Say which tests were collected and belong to another part; each worker does, and the reader keeps one."""
        path = os.environ.get("UNDERSTUDY_RESULTS")
        if not path:
            return
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            for first in range(0, len(ids), CHUNK):
                event = {"event": "elsewhere", "ids": ids[first : first + CHUNK], "at": time.time()}
                os.write(handle, (json.dumps(event) + "\n").encode("ascii"))
        finally:
            os.close(handle)


def arranged(
    items: Sequence[pytest.Item], failed: Sequence[str], seconds: Mapping[str, float], *, singly: bool
) -> list[pytest.Item]:
    """The same tests: those in `failed` first, then file by file, the longest first; a test not known as the median."""
    before = set(failed)
    first = [item for item in items if item.nodeid in before]
    rest = [item for item in items if item.nodeid not in before]
    usual = statistics.median(seconds.values()) if seconds else 0.0

    def weight(some: Sequence[pytest.Item]) -> float:
        return sum(seconds.get(item.nodeid, usual) for item in some)

    def longest(some: Sequence[pytest.Item], key: Callable[[pytest.Item], Hashable]) -> list[list[pytest.Item]]:
        """Blocks of one key, the longest first; as they were where a key has several blocks."""
        keyed = [(name, list(block)) for name, block in itertools.groupby(some, key)]
        blocks = [block for _, block in keyed]
        if len({name for name, _ in keyed}) == len(keyed):
            blocks.sort(key=weight, reverse=True)
        return blocks

    for file in longest(rest, file_of):
        if not singly or any(map(shares_parameter, file)):
            first += file
            continue
        for group in longest(file, class_of):
            first += sorted(group, key=lambda item: -weight([item]))
    return first


def file_of(item: pytest.Item) -> str:
    """The file that a test is in."""
    return item.nodeid.partition("::")[0]


def class_of(item: pytest.Item) -> str:
    """The class that a test is in; of a function its own id."""
    path = item.nodeid.partition("[")[0].split("::")
    return "::".join(path[1:-1]) or item.nodeid


def shares_parameter(item: pytest.Item) -> bool:
    """Whether a parametrised fixture wider than one test is behind it: its tests stay together, as pytest has them."""
    scopes = getattr(getattr(item, "callspec", None), "_arg2scope", {})
    return any(getattr(scope, "value", "function") != "function" for scope in scopes.values())
