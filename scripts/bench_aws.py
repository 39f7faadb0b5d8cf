"""What an environment of 25 resources on AWS costs, up and gone on moto: the engine's part, the state's, and AWS's own.

All that a run has outside of itself on a real account is a process of its own here, so that it can be counted apart:
moto in AWS's place, and the provider of the tests in the published plugin's.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bench_aws_parts

__all__ = ["Measured", "measure", "renewed", "section", "verdicts"]

PARTS = Path(bench_aws_parts.__file__)
MOST_SECONDS = 10.0
ENVIRONMENT = {"S3": "an environment, state in S3", "disk": "an environment, state on disk"}
EMPTY = {"S3": "an empty stack, state in S3", "disk": "an empty stack, state on disk"}
FLOOR = "the same calls, by boto3 alone"
USERS = ("ours", "cli", "provider", "cloud")

SECTION = """\
## On AWS

A platform that is up, and on it an environment of {resources} resources of AWS (a gateway, a service, a database in a
container, two queues, a bucket, and what goes with them): one process that imports what it needs, makes it and destroys
it. AWS is moto's server; the provider is that of the tests. Beside it an empty stack, and as the floor the {calls}
calls to AWS of the environment, made by boto3 alone one after another; {rounds} rounds. Goal: less than 10 s in all,
with the state in S3. Load average of the machine, over a minute, when this section was written: {load:.1f}.

| | ready, s | gone, s | process in all, s |
|---|---|---|---|
{walls}

Seconds of processor time of the same, by who used them: Understudy's process (imports, program, engine), the processes
of the Pulumi CLI, the provider, and moto, which serves the state in S3 too.

| | Understudy | CLI | provider | moto | in all |
|---|---|---|---|---|---|
{processor}
"""

Measured = dict[str, list[dict[str, float]]]
"""What each way took, a round each: seconds, those of processor time by who used them, and counts."""


class Process:
    """A part that stays and answers to words."""

    def __init__(self, mode: str, env: Mapping[str, str]) -> None:
        self.mode = mode
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self._process = subprocess.Popen([sys.executable, PARTS, mode], env=env, **pipes)
        self.found = self._answer()

    def ask(self, word: str) -> Any:  # noqa: ANN401 - JSON
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """There is nothing in it to save, and a server that is slow to stop must not cost the figures."""
        self._process.terminate()
        self._process.communicate()

    def _answer(self) -> Any:  # noqa: ANN401 - JSON
        line = self._process.stdout.readline()
        return json.loads(line) if line else sys.exit(f"ran {PARTS.name} {self.mode}, and it ended")


def once(mode: str, *arguments: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Run a part to its end; what it said, and under `all` the seconds of the whole process."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, PARTS, mode, *arguments], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"ran {PARTS.name} {mode}, and it failed:\n{done.stdout}{done.stderr}")
    return {**json.loads(done.stdout), "all": time.perf_counter() - began}


@contextmanager
def world() -> Iterator[tuple[Process, Process, dict[str, str]]]:
    """Moto, the provider, and the variables that lead there."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PULUMI_", "UNDERSTUDY_"))}
    env |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": bench_aws_parts.REGION}
    env |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    started: list[Process] = []
    try:
        started.append(Process("cloud", env))
        env["AWS_ENDPOINT_URL"] = started[0].found
        started.append(Process("provider", env))
        yield started[0], started[1], env
    finally:
        for each in reversed(started):
            each.end()


def measure(rounds: int) -> Measured:
    """So many rounds of each way in turn, after one that is not counted."""
    found: Measured = {}
    with tempfile.TemporaryDirectory(prefix="bench-aws-") as folder, world() as (cloud, provider, env):
        (Path(folder) / "state").mkdir()
        backends = {
            "S3": f"s3://state?endpoint={cloud.found}&s3ForcePathStyle=true&region={bench_aws_parts.REGION}",
            "disk": (Path(folder) / "state").as_uri(),
        }
        where = {place: (folder, backend, str(provider.found)) for place, backend in backends.items()}
        outputs = once("platform", *where["disk"], env=env)
        del outputs["all"]

        def counted(way: str, work: Callable[[], dict[str, float]]) -> None:
            before = {each.mode: each.ask("used") for each in (provider, cloud)}
            took = {"ours": 0.0, "cli": 0.0, **work()}
            took |= {each.mode: each.ask("used") - before[each.mode] for each in (provider, cloud)}
            found.setdefault(way, []).append(took)
            took["used"] = sum(took[user] for user in USERS)
            print(f"on AWS: {way}: {took['all']:.2f} s, {took['used']:.2f} s of processor time", flush=True)

        for _ in range(rounds + 1):
            for place in backends:
                counted(EMPTY[place], lambda p=place: once("life", "", *where[p], env=env))
                provider.ask("forget")
                counted(ENVIRONMENT[place], lambda p=place: once("life", json.dumps(outputs), *where[p], env=env))
            counted(FLOOR, lambda: provider.ask("again"))
    return {way: took[1:] for way, took in found.items()}


def section(found: Measured, shown: Callable[[list[float]], str]) -> str:
    """The part of docs/benchmarks.md; figures are written as on the rest of the page."""

    def row(way: str, keys: tuple[str, ...]) -> str:
        cells = [shown([took[key] for took in found[way]]) if key in found[way][0] else "" for key in keys]
        return f"| {' | '.join([way, *cells])} |"

    ways = [*ENVIRONMENT.values(), *EMPTY.values(), FLOOR]
    return SECTION.format(
        resources=int(found[ENVIRONMENT["S3"]][0]["resources"]),
        calls=int(found[FLOOR][0]["calls"]),
        rounds=len(found[FLOOR]),
        load=os.getloadavg()[0],
        walls="\n".join(row(way, ("ready", "gone", "all")) for way in ways),
        processor="\n".join(row(way, (*USERS, "used")) for way in ways),
    )


def verdicts(found: Measured) -> list[tuple[str, bool]]:
    """The goal and whether it is met, by the median."""
    seconds = statistics.median(took["all"] for took in found[ENVIRONMENT["S3"]])
    return [("an environment of 25 resources on AWS, up and gone on moto in less than 10 s", seconds < MOST_SECONDS)]


def renewed(page: str, text: str, said: list[str]) -> str:
    """The page with this section in the place of the one with its title, or before `Ready and gone`, and its goals."""
    head = text.split("\n", 1)[0]
    before, found, rest = page.partition(f"{head}\n")
    if found:
        rest = rest[rest.index("\n## ") + 1 :]
    else:
        before, found, rest = page.partition("## Ready and gone\n")
        rest = found + rest
    for line in said:
        goal = re.compile(re.escape(line.rsplit(":", 1)[0]) + r": \w+")
        rest = goal.sub(line, rest) if goal.search(rest) else f"{rest}{line}\n"
    return f"{before}{text}\n{rest}"
