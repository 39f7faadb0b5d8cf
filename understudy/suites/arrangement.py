"""The arrangement of the test stage: which suites run here and in which order, and what their plugin is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from understudy.stacks.topology import Suite
from understudy.suites.interpreter import pytest_arguments
from understudy.suites.shards import Shard, Split

__all__ = ["WHOLE", "Arrangement", "SuiteOrder", "can_be_split"]


@dataclass(frozen=True, slots=True)
class SuiteOrder:
    """What the history says of one suite: whether it failed last, its usual seconds; likewise of its tests by id."""

    failed: bool = False
    seconds: float | None = None
    failed_tests: tuple[str, ...] = ()
    tests: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Suite -> its order, and which part of how many runs here (None: all of it)."""

    orders: Mapping[str, SuiteOrder] = field(default_factory=dict)
    shard: Shard | None = None
    split: Split | None = None

    def suites(self, suites: Sequence[Suite]) -> tuple[Suite, ...]:
        """Those that run here: what failed last time first, then the longest first; what is not known as the median.

        The order is stable, and without a history it is the given one.
        """
        here = [suite for suite in suites if suite.name not in self.elsewhere]
        known = [order.seconds for order in self.orders.values() if order.seconds is not None]
        usual = median(known) if known else 0.0

        def rank(suite: Suite) -> tuple[bool, float]:
            order = self.orders.get(suite.name, SuiteOrder())
            return not order.failed, -(usual if order.seconds is None else order.seconds)

        return tuple(sorted(here, key=rank))

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The suites that run whole in another part."""
        if self.shard is None or self.split is None:
            return ()
        return tuple(sorted(name for name, part in self.split.whole.items() if part != self.shard.index))

    @property
    def notice(self) -> str:
        """What is said at the start of a part; empty: it is a whole."""
        if self.shard is None:
            return ""
        others = f"; suites that run in another: {', '.join(self.elsewhere)}" if self.elsewhere else ""
        return f"part {self.shard} of the tests{others}"

    def document(self, suites: Sequence[Suite]) -> bytes:
        """What the pytest plugin reads (`UNDERSTUDY_ARRANGEMENT`): suite -> its tests' order and its part."""
        told: dict[str, dict[str, object]] = {}
        for suite in suites:
            order = self.orders.get(suite.name, SuiteOrder())
            told[suite.name] = {"failed": order.failed_tests, "seconds": dict(order.tests)}
            if self.shard is not None and self.split is not None:
                parts = dict(self.split.tests.get(suite.name, {}))
                told[suite.name] |= {"shard": self.shard.index, "of": self.shard.of, "parts": parts}
        return json.dumps(told).encode()


WHOLE = Arrangement()
"""All suites and tests, as they come."""


def can_be_split(suite: Suite) -> bool:
    """Whether a suite's tests can be run apart: pytest's can, any other command is run whole."""
    return bool(suite.command) and pytest_arguments(suite.command) is not None
