"""What judging a large estate costs: 10,000 leases and 30,000 labelled objects, read from memory and classified."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SECTION", "Judged", "measure", "section", "verdicts"]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

LEASES, OBJECTS = 10_000, 30_000
MOST_SECONDS, MOST_BYTES = 5.0, 500 * 10**6

SECTION = """\
## Reaping

{leases:,} leases as JSON documents and {objects:,} labelled objects of one target, half of the environments over and
every tenth without its lease, read from memory and classified in a process of its own, {rounds} rounds. The peak is
that of the whole process (`ru_maxrss`), with the inventory in it. Goal: less than 5 s and 500 MB.

| | minimum / median |
|---|---|
| seconds | {seconds} |
| seconds of processor time | {processor} |
| MB at the peak | {peak} |
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """Seconds, those of processor time, and peak bytes of each round."""

    seconds: tuple[float, ...]
    processor: tuple[float, ...]
    peak: tuple[float, ...]


def measure(rounds: int) -> Judged:
    """Judge the estate so many times, each in a process of its own."""
    found = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, __file__, "once"], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    return Judged(*(tuple(each[key] for each in found) for key in ("seconds", "processor", "peak")))


def once() -> dict[str, float]:
    """Make the estate, then read and classify it; what was found is held against what was made."""
    from reap_world import World, at, labels, lease

    from understudy.reap.classify import classify
    from understudy.reap.facts import gather
    from understudy.reap.model import Judgement

    world = World()
    environments = LEASES + LEASES // 9
    for number in range(environments):
        name, over = f"e{number:06}", number % 2 == 0
        until = at(-2) if over else at(20)
        if number % 10:
            made = lease(name, created=at(-30), expires=until, not_after=until)
            world.store.shelf.put(f"{name}.json", made.to_json().encode())
        for part in range(3):
            if len(world.target.objects) < OBJECTS:
                world.target.add(f"{name}-{part}", labels(name, until))
    began, used = time.perf_counter(), time.process_time()
    facts = gather(world.target, world.store, gone=lambda _leases: {})
    judged = classify(facts)
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    kinds = Counter(verdict.kind for verdict in judged)
    if len(facts.leases) < LEASES - 1 or len(facts.objects) != OBJECTS or kinds[Judgement.REAP] < environments // 3:
        sys.exit(f"the estate was not what was to be measured: {kinds}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "processor": processor, "peak": peak}


def section(found: Judged, shown: Callable[[list[float]], str]) -> str:
    """The part of docs/benchmarks.md."""
    return SECTION.format(
        leases=LEASES,
        objects=OBJECTS,
        rounds=len(found.seconds),
        seconds=shown(list(found.seconds)),
        processor=shown(list(found.processor)),
        peak=shown([each / 1e6 for each in found.peak]),
    )


def verdicts(found: Judged) -> list[tuple[str, bool]]:
    """Each goal and whether it is met, by medians."""
    said = f"{LEASES:,} leases and {OBJECTS:,} objects are classified"
    return [
        (f"{said} in less than {MOST_SECONDS:g} s", statistics.median(found.seconds) < MOST_SECONDS),
        (f"{said} within {MOST_BYTES / 1e6:g} MB", statistics.median(found.peak) < MOST_BYTES),
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["once"]:
        print(json.dumps(once()))
    else:
        print(section(measure(5), lambda each: " / ".join(f"{f(each):.2f}" for f in (min, statistics.median))))
