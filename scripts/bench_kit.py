"""What all benchmarks have alike: the command that is measured, its runs, its seconds, and how figures are written."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["ROOT", "UNDERSTUDY", "Pair", "commit_all", "ratio", "run", "shown", "taken", "timed"]

ROOT = Path(__file__).resolve().parent.parent
UNDERSTUDY = Path(sys.executable).parent / "understudy"

Pair = tuple[list[float], list[float]]
"""Seconds of ours and of the peer, one of each a round."""


def timed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def taken(rounds: int, ours: Callable[[], object], peer: Callable[[], object]) -> Pair:
    """A round of each in turn; the first is not counted."""
    pairs = [(timed(ours), timed(peer)) for _ in range(rounds + 1)][1:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def run(*arguments: str, cwd: Path, env: dict[str, str], codes: tuple[int, ...] = (0,)) -> str:
    """What a command prints; one that ends otherwise than by one of `codes` ends the benchmark."""
    done = subprocess.run(arguments, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"ran {' '.join(arguments)}, and it ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def commit_all(folder: Path, env: dict[str, str]) -> None:
    """Make the folder a repository with one commit of all that is in it."""
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
    run("git", "init", "-q", "-b", "main", cwd=folder, env=env)
    run("git", "add", ".", cwd=folder, env=env)
    run("git", *who, "commit", "-qm", "bench", cwd=folder, env=env)


def shown(values: list[float]) -> str:
    return f"{min(values):.2f} / {statistics.median(values):.2f}"


def ratio(ours: list[float], peer: list[float]) -> str:
    pairs = [a / b for a, b in zip(ours, peer, strict=True)]
    return f"{min(pairs):.2f} / {statistics.median(pairs):.2f}"
