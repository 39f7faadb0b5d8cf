"""Shards: which part of the test stage one of several machines runs, decided alike on each of them.

Where a test goes depends on its own id, on the number of parts, and on the file of durations; on nothing else that one
machine may know and another not. So no test is lost or doubled, whatever each machine's history or collection is.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from understudy.errors import UsageError

__all__ = [
    "Durations",
    "Shard",
    "Split",
    "durations_document",
    "longest_first",
    "parse_durations",
    "parse_shard",
    "split",
]

_RULE = 1
"""The version of the rule by which tests are split; part of a plan's hash."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The `index`-th of `of` parts, counted from 1."""

    index: int
    of: int

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


def parse_shard(text: str, environ: Mapping[str, str]) -> Shard | None:
    """The part that the option `shard` names: `i/n`, or `auto`, which is what the CI says; empty: None.

    `auto` reads CI_NODE_INDEX and CI_NODE_TOTAL of GitLab, CIRCLE_NODE_INDEX and CIRCLE_NODE_TOTAL of CircleCI, and
    BUILDKITE_PARALLEL_JOB and BUILDKITE_PARALLEL_JOB_COUNT of Buildkite; without them the run is a whole. They count
    only when asked for: GitLab sets them for a matrix too, where each job shall run all tests.
    """
    if not text:
        return None
    if text != "auto":
        index, _, of = text.partition("/")
        return Shard(int(index), int(of))
    for index_name, of_name, first in (
        ("CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
        ("CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),
        ("BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
    ):
        told, total = environ.get(index_name, ""), environ.get(of_name, "")
        if re.fullmatch(r"\d{1,4}", told, re.ASCII) and re.fullmatch(r"\d{1,4}", total, re.ASCII):
            return Shard(int(told) + 1 - first, int(total))
    return None


@dataclass(frozen=True, slots=True)
class Durations:
    """Usual seconds: of whole suites by name, and of tests by suite and id."""

    suites: Mapping[str, float] = field(default_factory=dict)
    tests: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def durations_document(durations: Durations) -> str:
    """Durations as the text of a file, sorted, so that it can be committed."""
    names = sorted({*durations.suites, *durations.tests})
    data = {
        name: {
            **({"seconds": durations.suites[name]} if name in durations.suites else {}),
            "tests": dict(sorted(durations.tests.get(name, {}).items())),
        }
        for name in names
    }
    return json.dumps({"schema": 1, "suites": data}, indent=1) + "\n"


def parse_durations(text: bytes, where: str) -> Durations:
    """The reverse of `durations_document`.

    Raises:
        UsageError: it is no such document.
    """
    try:
        data = json.loads(text)
        if data["schema"] != 1:
            raise ValueError(f"schema 1 expected, not {data['schema']!r}")  # noqa: TRY301 - joins the other reasons
        suites = {str(name): _seconds(of["seconds"]) for name, of in data["suites"].items() if "seconds" in of}
        tests = {
            str(name): {str(test): _seconds(seconds) for test, seconds in of.get("tests", {}).items()}
            for name, of in data["suites"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"Read the durations {where}, and it is no file of durations: {type(error).__name__}: {error}.",
            hint="`understudy history --export FILE` writes one.",
        ) from error
    return Durations(suites, tests)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"seconds expected, not {value!r}")
    return float(value)


@dataclass(frozen=True, slots=True)
class Split:
    """Where everything goes: suite -> its part, and suite -> known test -> its part; `plan` is a hash of all of it.

    A test that is not named goes to a part by the hash of its id (`understudy_pytest.shard_of`).
    """

    of: int
    whole: Mapping[str, int]
    tests: Mapping[str, Mapping[str, int]]
    plan: str


def split(suites: Sequence[tuple[str, bool]], durations: Durations, of: int) -> Split:
    """Split suites - name, and whether its tests can be run apart - over `of` parts by their usual seconds.

    The longest goes first, each to the part that has the least so far (Graham, "Bounds on Multiprocessing Timing
    Anomalies", 1969: at most 4/3 - 1/(3n) of the best); ties go by name and by part. A whole suite that is not known
    gets the median of the known ones.
    """
    whole = sorted(name for name, apart in suites if not apart)
    known = [durations.suites[name] for name in whole if name in durations.suites]
    usual = median(known) if known else 1.0
    weighed = [(durations.suites.get(name, usual), name, "") for name in whole]
    for name, apart in sorted(suites):
        if apart:
            weighed += [(seconds, name, test) for test, seconds in durations.tests.get(name, {}).items()]
    placed = longest_first(weighed, of)
    by_suite: dict[str, dict[str, int]] = {name: {} for name, apart in suites if apart}
    for (suite, test), part in placed.items():
        if test:
            by_suite[suite][test] = part
    wholes = {name: placed[name, ""] for name in whole}
    facts = json.dumps([_RULE, of, wholes, by_suite], sort_keys=True)
    return Split(of, wholes, by_suite, hashlib.sha256(facts.encode()).hexdigest()[:16])


def longest_first(weighed: Sequence[tuple[float, str, str]], of: int) -> dict[tuple[str, str], int]:
    """(seconds, suite, test) -> the part of each, counted from 1.

    >>> longest_first([(3.0, "a", "x"), (2.0, "a", "y"), (2.0, "a", "z")], 2)
    {('a', 'x'): 1, ('a', 'y'): 2, ('a', 'z'): 2}
    """
    loads = [(0.0, part) for part in range(1, of + 1)]
    placed = {}
    for seconds, suite, test in sorted(weighed, key=lambda each: (-each[0], each[1], each[2])):
        load, part = heapq.heappop(loads)
        placed[suite, test] = part
        heapq.heappush(loads, (load + seconds, part))
    return placed
