"""Kinds of fault inside: a failure injected in each phase, and a kill between create and checkpoint."""

from __future__ import annotations

import random

from faults.kinds_ends import held_record
from faults.lane import Lane
from faults.trial import Trial, hold, kind
from support import ROOT

__all__ = ["patched"]

INSIDE = str(ROOT / "tests" / "faults" / "inside")

FAILURES = {
    "clone": {3},
    "build": {3},
    "provision": {3},
    "ready": {3},
    "test": {1, 3},
    "export": {6},
    "destroy": {0, 4},
    "receipt": {4},
}
"""The phase in which a failure is injected, and the exit codes that say so; for a destroy the sweep makes up."""


def patched(*names: str, **variables: str) -> dict[str, str]:
    """The environment of a command in which these changes are made (`faults_patches`)."""
    return {"PYTHONPATH": INSIDE, "FAULTS_PATCHES": ",".join(names), **variables}


@kind("phase", 16)
def phase(lane: Lane, random_: random.Random, trial: Trial) -> None:  # noqa: ARG001 - the phases come in turn
    """A failure injected in each phase in turn."""
    where = list(FAILURES)[trial.index % len(FAILURES)]
    if where == "ready":
        lane.shape(command="sleep 0.2; exit 3")
        env = {}
    else:
        lane.shape()
        env = patched(f"fail-{where}")
    done = lane.command("run", "--progress", "json", env=env)
    trial.facts |= {"phase": where, "exit": done.code}
    hold("Traceback" not in done.text, "a traceback was shown")
    hold(done.code in FAILURES[where], f"it ended with {done.code}, expected one of {FAILURES[where]}")
    record = held_record(lane, done.code)
    if done.code:
        hold(record["causes"], "run.json names no cause")
        trial.facts["cause"] = record["causes"][0]
    if where == "receipt":  # it could not look, so the lease stays for the next
        hold(lane.leases(), "the lease was closed although nobody had looked")
        lane.command("reap", "--yes")


@kind("checkpoint", 100)
def checkpoint(lane: Lane, random_: random.Random, trial: Trial) -> None:  # noqa: ARG001 - there is one such instant
    """A kill of all that knows, between the create of a container and the checkpoint that would name it."""
    lane.shape()
    run = lane.start("run", "--progress", "json", env=patched("die-after-create"))
    lane.finish(run)
    made = lane.client.api.containers(all=True, filters={"label": "dev.understudy.environment"})
    known = "".join(path.read_text(encoding="utf-8", errors="replace") for path in lane.stacks())
    orphans = [each["Id"] for each in made if each["Id"] not in known]
    trial.facts |= {"orphans": len(orphans), "exit": run.process.returncode}
    trial.counted = bool(orphans) and run.process.returncode == -9
