"""Benchmarks of the test stage: how fast a failure stops it, and what running suites side by side saves."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_kit import ROOT, UNDERSTUDY, commit_all, run

__all__ = ["Measured", "measure", "section", "verdicts"]

MOST_STOP = 2.0
WORKERS = 4

STOPPED = """\
name: bench-stop
services:
  idle: {image: "busybox:1.35", command: [sleep, "3600"]}
x-understudy:
  tests:
"""
TESTS = """\
import pathlib, signal, time, pytest
if {deaf}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
HERE = pathlib.Path(__file__).parent
@pytest.mark.parametrize("n", range(50))
def test_n(n):
    if n == 5 and {fails}:
        while not all((HERE.parent / name / "begun").exists() for name in "acd"):
            time.sleep(0.01)
        assert False
    (HERE / "begun").touch()
    time.sleep(60 if n == 5 else 0)
"""
TELL = """
import json as _json, pathlib as _pathlib, shutil as _shutil
_told = _pathlib.Path({path!r})
if "UNDERSTUDY_CONTRACT" in os.environ and not _told.exists():
    _shutil.copy(os.environ["UNDERSTUDY_CA_FILE"], {ca!r})
    _told.write_text(_json.dumps({{k: v for k, v in os.environ.items() if k.startswith("UNDERSTUDY_")}}))
"""


@contextlib.contextmanager
def environment(fill: Callable[[Path], None]) -> Iterator[tuple[Path, dict[str, str]]]:
    """A project in a repository of its own, and its environment, up; the folder and the variables for commands."""
    with tempfile.TemporaryDirectory(prefix="bench-tests-") as temporary:
        folder = Path(temporary) / "project"
        folder.mkdir()
        fill(folder)
        env = {**os.environ, "XDG_STATE_HOME": temporary, "GIT_CONFIG_GLOBAL": os.devnull}
        commit_all(folder, env)
        try:
            run(str(UNDERSTUDY), "up", "--progress", "plain", cwd=folder, env=env)
            yield folder, env
        finally:
            run(str(UNDERSTUDY), "down", "--progress", "plain", cwd=folder, env=env, codes=(0, 7))


def record_of(folder: Path, env: dict[str, str], *options: str, code: int = 0) -> dict[str, Any]:
    """The record of one `understudy test`."""
    run(str(UNDERSTUDY), "test", "--progress", "plain", *options, cwd=folder, env=env, codes=(code,))
    record = (folder / "understudy-runs" / "latest" / "run.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(record)
    return loaded


def stop_times(rounds: int, *, deaf: bool) -> list[float]:
    """Seconds from a failed assertion, one among 200 tests in 4 suites, until no process was left, from the record.

    `deaf`: a suite ignores SIGTERM, and is killed after the grace of 1 s.
    """

    def fill(folder: Path) -> None:
        # Hypothesis' plugin takes a second of a pytest that is interrupted or fails; most projects do not have it.
        command = "[pytest, -q, -p, 'no:hypothesispytest']"
        suites = "".join(f"    {name}: {{command: {command}, folder: {name}, workers: 1}}\n" for name in "abcd")
        (folder / "compose.yaml").write_text(STOPPED + suites)
        for name in "abcd":
            (folder / name).mkdir()
            text = TESTS.format(fails=name == "b", deaf=deaf and name == "c")
            (folder / name / "test_it.py").write_text(text)

    found = []
    with environment(fill) as (folder, env):
        for _ in range(rounds):
            for begun in Path(env["XDG_STATE_HOME"]).rglob("begun"):
                begun.unlink()
            found.append(record_of(folder, env, code=1)["stop_seconds"])
    return found


def shop_walls(rounds: int) -> dict[str, list[float]]:
    """Seconds of the example's suites on one environment: one after another by hand, and as the stage runs them."""
    ways: dict[str, list[float]] = {"one after another": [], "--workers 1": [], f"--workers {WORKERS}": []}
    with tempfile.TemporaryDirectory(prefix="bench-told-") as told:
        variables, authority = Path(told) / "variables.json", Path(told) / "ca.pem"

        def fill(folder: Path) -> None:
            ignored = shutil.ignore_patterns("understudy-runs", "__pycache__", ".pytest_cache")
            shutil.copytree(ROOT / "examples" / "shop", folder, ignore=ignored, dirs_exist_ok=True)
            with (folder / "tests" / "conftest.py").open("a") as conftest:
                conftest.write(TELL.format(path=str(variables), ca=str(authority)))

        with environment(fill) as (folder, env):
            record_of(folder, env)  # not counted: it warms the services, and tells the variables
            given = json.loads(variables.read_text()) | {"UNDERSTUDY_CA_FILE": str(authority)}
            given = {k: v for k, v in given.items() if k not in ("UNDERSTUDY_RESULTS", "UNDERSTUDY_RETRIES")}
            for _ in range(rounds):
                began = time.perf_counter()
                for file in ("test_orders.py", "test_payments.py", "test_old_clients.py"):
                    plain = {k: v for k, v in env.items() if not k.startswith("UNDERSTUDY_")} | given
                    run(sys.executable, "-m", "pytest", "-q", file, cwd=folder / "tests", env=plain)
                ways["one after another"].append(time.perf_counter() - began)
                for number in (1, WORKERS):
                    phases = record_of(folder, env, "--workers", str(number))["phases"]
                    seconds = next(phase["seconds"] for phase in phases if phase["name"] == "test")
                    ways[f"--workers {number}"].append(seconds)
    return ways


@dataclass(frozen=True)
class Measured:
    """Seconds: of stops where all suites end on SIGTERM, where one ignores it, and of the example's suites by way."""

    stops: list[float]
    deaf: list[float]
    walls: dict[str, list[float]]


def measure(rounds: int) -> Measured:
    """All of it, so many times."""
    return Measured(stop_times(rounds, deaf=False), stop_times(rounds, deaf=True), shop_walls(rounds))


def section(found: Measured, shown: Callable[[list[float]], str]) -> str:
    """The part of the page."""
    peer = statistics.median(found.walls["one after another"])
    rows = "\n".join(
        f"| {way} | {shown(seconds)} | {statistics.median(seconds) / peer:.2f} |"
        for way, seconds in found.walls.items()
    )
    return f"""\
## Tests

From a failed assertion, one among 200 tests in 4 suites, until no process of any suite is left, as each run writes it
into its record (`stop_seconds`). Goal: at most 2 s.

| | seconds |
|---|---|
| all suites end on SIGTERM | {shown(found.stops)} |
| one ignores it, and is killed | {shown(found.deaf)} |

The three suites of `examples/shop` against one environment that is up: the test stage of `understudy test`, beside the
same pytest processes one after another by hand. Ratios are of medians. Each suite makes its connections anew and asks
the mock once before its first test.

| | seconds | ratio |
|---|---|---|
{rows}
"""


def verdicts(found: Measured) -> list[tuple[str, bool]]:
    """Each goal with whether it was met: the slowest stop, and the medians of the walls."""
    slow, fast = (statistics.median(found.walls[way]) for way in ("one after another", f"--workers {WORKERS}"))
    return [
        ("everything stopped within 2 s of a failure, in every round", max(*found.stops, *found.deaf) <= MOST_STOP),
        (f"the example's suites with {WORKERS} workers faster than one after another", fast < slow),
    ]
