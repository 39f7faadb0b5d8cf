"""What an environment of 25 resources on AWS costs, up and gone on moto: by the commands, with the receipt.

All that a command has outside of itself on a real account is a process of its own here, so that it can be counted
apart: moto in AWS's place, and the provider of the tests in the published plugin's.
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_aws_parts
from bench_kit import UNDERSTUDY, commit_all, run

__all__ = ["Measured", "measure", "renewed", "section", "verdicts"]

PARTS = Path(bench_aws_parts.__file__)
PLACES = {"disk": "eu-west-1", "S3": "eu-central-1"}
"""Where the state lies, and the region of the platform of which it is the state: each has one of its own."""
MOST_SECONDS = 10.0
ENVIRONMENT = {"disk": "`up` and `down`, state on disk", "S3": "`up` and `down`, state in S3"}
EMPTY = "an empty stack through the engine, state on disk"
FLOOR = "the same calls of the provider, by boto3 alone"
USERS = ("commands", "provider", "cloud")
STEPS = {
    "up, before the engine": "start, imports, whose account, what is stale, the platform, admission",
    "up, the engine": "`pulumi stack init`, `pulumi up` and the program",
    "up, after the engine": "what answers where, the lease",
    "down, before the engine": "start, imports, whose account",
    "down, the engine and the receipt": "`pulumi destroy`, the look, the sweep of task definitions, the second look",
    "down, after the receipt": "what else is stale",
}

QUEUE = "https://sqs.eu-west-1.amazonaws.com/999999999999/"
COMPOSE = f"""\
name: bench
services:
  web:
    image: registry.example/web:1
    ports: ["8080:8080"]
    depends_on: [api]
    x-understudy: {{kind: gateway}}
  api:
    image: registry.example/api:1
    environment:
      DATABASE_URL: "postgres://app:${{DB:-on-a-desk-alone}}@db:5432/app"
      ORDERS: {QUEUE}orders
      MAILS: {QUEUE}mails
      UPLOADS: s3://uploads/in
    depends_on: [db]
  db:
    image: postgres:15
    environment: {{POSTGRES_PASSWORD: "${{DB:-on-a-desk-alone}}"}}
    expose: ["5432"]
  orders:
    image: registry.example/queue:1
    x-understudy: {{managed: {{service: sqs, name: orders, options: {{url: {QUEUE}orders}}}}}}
  mails:
    image: registry.example/queue:1
    x-understudy: {{managed: {{service: sqs, name: mails, options: {{url: {QUEUE}mails}}}}}}
  uploads:
    image: registry.example/store:1
    x-understudy: {{managed: {{service: s3, name: uploads}}}}
x-understudy:
  secrets: [DB]
"""

SECTION = """\
## On AWS

On a platform that `understudy platform up` has made, an environment of {resources} resources of AWS (a gateway, a
service, a database in a container, two queues, a bucket, and what goes with them): `understudy up --target aws` and
`understudy down`, whole processes both, down to a clean receipt. AWS is moto's server; the provider is that of the
tests. Beside it an empty stack through the engine, and as the floor the {calls} calls to AWS of the environment's
provider, made by boto3 alone one after another; {rounds} rounds. Goal: less than 10 s, up and gone together. Load
average of the machine, over a minute, when this section was written: {load:.1f}. The floor says how fast that was,
too: who compares two versions of this page begins with it.

| | up, s | gone, s | both, s |
|---|---|---|---|
{walls}

Seconds of processor time of the same, by who used them: the commands (Understudy and its processes of the Pulumi CLI),
the provider, and moto, which serves the state in S3 too.

| | commands | provider | moto | in all |
|---|---|---|---|---|
{processor}

Where the seconds go, state on disk:

| | | s |
|---|---|---|
{steps}

With the state in S3 it is the Pulumi CLI that takes longer. It writes the whole state before and after each step, some
90 times in this `up`, and asks S3 four times before each write, all of it one after another. By moto's log it makes
some 540 requests for state, lock and history in `up` and `down`, and Understudy 40 for the lease and the receipt. In
`up` no write is left out: what a killed one has made stands in the state.
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


@dataclass(frozen=True)
class World:
    """Moto, the provider, a folder, and the variables that lead there."""

    cloud: Process
    provider: Process
    folder: Path
    env: Mapping[str, str]


@contextmanager
def world() -> Iterator[World]:
    """AWS on this machine, for as long as the context lasts."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PULUMI_", "UNDERSTUDY_"))}
    env |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_CONFIG_FILE": os.devnull}
    env |= {"AWS_REGION": PLACES["disk"], "AWS_EC2_METADATA_DISABLED": "true"}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "DOCKER_HOST": "tcp://127.0.0.1:1"}
    env |= {"UNDERSTUDY_AWS_ACCOUNTS": bench_aws_parts.ACCOUNT, "PULUMI_CONFIG_PASSPHRASE": "of-a-benchmark"}
    started: list[Process] = []
    with tempfile.TemporaryDirectory(prefix="bench-aws-") as folder:
        try:
            started.append(Process("cloud", env))
            env["AWS_ENDPOINT_URL"] = started[0].found
            started.append(Process("provider", env))
            env["PULUMI_DEBUG_PROVIDERS"] = f"aws:{started[1].found}"
            yield World(started[0], started[1], Path(folder), env)
        finally:
            for each in reversed(started):
                each.end()


class Project:
    """A repository with the environment's topology, and a platform for it that is up."""

    def __init__(self, there: World, place: str) -> None:
        self.folder = there.folder / place
        self.folder.mkdir()
        self.env = {**there.env, "AWS_REGION": PLACES[place], "XDG_STATE_HOME": str(there.folder / f"{place}-state")}
        if place == "S3":
            given = f"endpoint={there.cloud.found}&s3ForcePathStyle=true&region={PLACES['disk']}"
            self.env["PULUMI_BACKEND_URL"] = f"s3://{bench_aws_parts.STATE}?{given}"
        (self.folder / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
        commit_all(self.folder, self.env)
        run(str(UNDERSTUDY), "platform", "up", cwd=self.folder, env=self.env)

    def life(self) -> dict[str, float]:
        """The environment, up and gone."""
        up, heard = self._command("up", "--target", "aws")
        done = [event["subject"] for event in heard if (event["phase"], event["state"]) == ("provision", "done")]
        down, removed = self._command("down")
        ready, gone = up[1] - up[0], down[1] - down[0]
        steps = [*_around("provision", up, heard), *_around("destroy", down, removed)]
        took = {"up": ready, "gone": gone, "both": ready + gone, "resources": float(sum(map(bool, done)))}
        return took | dict(zip(STEPS, steps, strict=True))

    def _command(self, *words: str) -> tuple[tuple[float, float], list[dict[str, Any]]]:
        """When it began and ended, seconds since the epoch, and what it told of its progress."""
        began = time.time()
        said = run(str(UNDERSTUDY), *words, "--progress", "json", cwd=self.folder, env=self.env)
        return (began, time.time()), [json.loads(line) for line in said.splitlines()]


def _around(phase: str, span: tuple[float, float], heard: list[dict[str, Any]]) -> tuple[float, float, float]:
    """The seconds of a command before a phase, in it, and after it."""
    inside = [event for event in heard if event["phase"] == phase and not event["subject"]]
    begun, done = (next(event["at"] for event in inside if event["state"] == state) for state in ("started", "done"))
    return begun - span[0], done - begun, span[1] - done


def measure(rounds: int) -> Measured:
    """So many rounds of each way, after one that is not counted; those of the commands and the engine take turns."""
    found: Measured = {}
    with world() as there:
        projects = {place: Project(there, place) for place in PLACES}

        def empty() -> dict[str, float]:
            began = time.perf_counter()
            said = run(sys.executable, str(PARTS), "empty", str(there.folder), cwd=there.folder, env=dict(there.env))
            took: dict[str, float] = json.loads(said)
            return {**took, "both": time.perf_counter() - began}

        def counted(way: str, work: Callable[[], dict[str, float]]) -> None:
            before = _used(there)
            took = work()
            took |= {user: used - before[user] for user, used in _used(there).items()}
            took["used"] = sum(took[user] for user in USERS)
            found.setdefault(way, []).append(took)
            print(f"on AWS: {way}: {took['both']:.2f} s, {took['used']:.2f} s of processor time", flush=True)

        for _ in range(rounds + 1):
            counted(EMPTY, empty)
            counted(ENVIRONMENT["S3"], projects["S3"].life)
            there.provider.ask("forget")
            counted(ENVIRONMENT["disk"], projects["disk"].life)
        for _ in range(rounds + 1):  # at the end: they leave task definitions, which a command would take for leftovers
            counted(FLOOR, lambda: there.provider.ask("again"))
    return {way: took[1:] for way, took in found.items()}


def _used(there: World) -> dict[str, float]:
    """Seconds of processor time so far: of the commands that have ended, the provider and moto."""
    ended = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    return {"commands": ended, "provider": there.provider.ask("used"), "cloud": there.cloud.ask("used")}


def section(found: Measured, shown: Callable[[list[float]], str]) -> str:
    """The part of docs/benchmarks.md; figures are written as on the rest of the page."""

    def cells(way: str, keys: tuple[str, ...]) -> list[str]:
        return [shown([took[key] for took in found[way]]) if key in found[way][0] else "" for key in keys]

    def row(*words: str) -> str:
        return f"| {' | '.join(words)} |"

    ways = [*ENVIRONMENT.values(), EMPTY, FLOOR]
    whole = found[ENVIRONMENT["disk"]]
    return SECTION.format(
        resources=int(whole[0]["resources"]),
        calls=int(found[FLOOR][0]["calls"]),
        rounds=len(whole),
        load=os.getloadavg()[0],
        walls="\n".join(row(way, *cells(way, ("up", "gone", "both"))) for way in ways),
        processor="\n".join(row(way, *cells(way, (*USERS, "used"))) for way in ways),
        steps="\n".join(row(step, what, *cells(ENVIRONMENT["disk"], (step,))) for step, what in STEPS.items()),
    )


def verdicts(found: Measured) -> list[tuple[str, bool]]:
    """The goal, and whether it is met, by the median."""
    said = "an environment of 25 resources on AWS, up and gone on moto in less than 10 s, state"
    return [
        (f"{said} {where}", statistics.median(took["both"] for took in found[ENVIRONMENT[place]]) < MOST_SECONDS)
        for place, where in (("disk", "on disk"), ("S3", "in S3"))
    ]


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
