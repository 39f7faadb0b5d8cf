"""Many environments at once on one Docker Engine with its default settings: made, reached, removed; and the figures.

`python tests/faults/side_by_side.py --environments 60` prints them as JSON and exits with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from private_daemon import PrivateDaemon, private_daemon
from support import UNDERSTUDY, Done, make_project

__all__ = ["Figures", "side_by_side"]

COMPOSE = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
"""

_ASK = """\
import sys, urllib.error, urllib.request
for url in sys.argv[1:]:
    try:
        urllib.request.urlopen(url, timeout=30).close()
    except urllib.error.HTTPError:
        pass
"""
"""Asks every URL once; any answer is one."""


@dataclass(frozen=True)
class Figures:
    """What came of it; `failures` are the messages of commands that failed, and what else was not as it has to be."""

    environments: int
    at_once: int
    networks: int
    made_seconds: float
    removed_seconds: float
    total_seconds: float
    failures: tuple[str, ...]


def side_by_side(daemon: PrivateDaemon, folder: Path, environments: int, at_once: int) -> Figures:
    """Make so many environments, at most `at_once` of them in the same moment, so that all stand; then remove them."""
    project = make_project(folder / "many", folder / "state")
    (project.folder / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    project.commit("Describe production")
    began = time.monotonic()

    def understudy(*arguments: str) -> Done:
        done = subprocess.run(
            daemon.inside([UNDERSTUDY, *arguments]),
            cwd=project.folder,
            env=project.env | daemon.env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    names = [f"side-{number}" for number in range(environments)]
    failures: list[str] = []
    with ThreadPoolExecutor(at_once) as pool:
        made = list(pool.map(lambda name: understudy("up", "--name", name, "--format", "json"), names))
        failures += [f"up: {done.err[-600:]}" for done in made if done.code]
        urls = [each["url"] for done in made if not done.code for each in json.loads(done.out)["endpoints"]]
        asked = subprocess.run(
            daemon.inside([sys.executable, "-c", _ASK, *(url.replace("tcp://", "http://") for url in urls)]),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        failures += [f"ask: {asked.stderr[-600:]}"] if asked.returncode else []
        stood = time.monotonic()
        subnets = _subnets(daemon)
        failures += [f"{one} overlaps {two}" for one, two in itertools.combinations(subnets, 2) if one.overlaps(two)]
        running = len(daemon.docker("ps", "-q").split())
        if running != 2 * environments:
            failures.append(f"{running} containers run, and {2 * environments} should")
        gone = list(pool.map(lambda name: understudy("down", name), names))
        failures += [f"down: {done.text[-600:]}" for done in gone if done.code]
    failures += [f"left behind: {name}" for name in _objects(daemon)]
    ended = time.monotonic()
    return Figures(
        environments=environments,
        at_once=at_once,
        networks=len(subnets),
        made_seconds=round(stood - began, 1),
        removed_seconds=round(ended - stood, 1),
        total_seconds=round(ended - began, 1),
        failures=tuple(failures),
    )


def _objects(daemon: PrivateDaemon) -> list[str]:
    listings = (("ps", "-aq"), ("network", "ls", "-q", "--filter", "type=custom"), ("volume", "ls", "-q"))
    return [f"{listing[0]} {name}" for listing in listings for name in daemon.docker(*listing).split()]


def _subnets(daemon: PrivateDaemon) -> list[ipaddress.IPv4Network]:
    ids = daemon.docker("network", "ls", "-q", "--filter", "type=custom").split()
    facts = json.loads(daemon.docker("network", "inspect", *ids)) if ids else []
    return [ipaddress.IPv4Network(config["Subnet"]) for each in facts for config in each["IPAM"]["Config"]]


def main() -> int:
    """Parse, run, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-side-") as folder, private_daemon() as daemon:
        figures = side_by_side(daemon, Path(folder), given.environments, given.at_once)
    print(json.dumps(asdict(figures), indent=1))  # noqa: T201 - this is what it is for
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
