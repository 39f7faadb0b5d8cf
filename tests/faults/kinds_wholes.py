"""Kinds that are one proof of many parts: 60 environments at once, and tests of the suite at their full counts."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from faults.lane import Lane
from faults.side_by_side import side_by_side
from faults.trial import Trial, hold, kind
from private_daemon import private_daemon
from support import ROOT


@kind("sixty", 1, short=0, crowded=True)
def sixty(lane: Lane, random_: random.Random, trial: Trial) -> None:  # noqa: ARG001 - nothing is drawn
    """60 environments side by side on one daemon of default settings, each of whose ports answers; then all removed."""
    with tempfile.TemporaryDirectory(prefix="ud-sixty-", dir="/tmp") as folder, private_daemon() as daemon:
        figures = side_by_side(daemon, Path(folder), 60, at_once=6)
    trial.facts |= asdict(figures)
    hold(not figures.failures, f"{len(figures.failures)} failures; the first: {figures.failures[:1]}")


@kind("decoys", 1, short=0, crowded=True)
def decoys(lane: Lane, random_: random.Random, trial: Trial) -> None:  # noqa: ARG001 - Hypothesis draws
    """10,000 random inventories with decoys in one trial: a reaper takes all that is ours and over, nothing else."""
    _test("tests/unit/test_reap_decoys.py", FAULTS_INVENTORIES="10000")


@kind("reaper-points", 1, short=0, crowded=True)
def reaper_points(lane: Lane, random_: random.Random, trial: Trial) -> None:  # noqa: ARG001 - it takes every point
    """A reaper of a target of files killed before and after each thing it does, in one trial; the next one heals it."""
    _test("tests/unit/test_reap_processes.py", FAULTS_STRIDE="1")


def _test(file: str, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file],
        cwd=ROOT,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    # a lane takes in the ends of processes, this one's perhaps among them, and then its exit code says nothing
    passed = re.search(r"^\d+ passed in ", done.stdout, re.MULTILINE)
    hold(done.returncode == 0 and passed, done.stdout[-2000:] + done.stderr[-1000:])
