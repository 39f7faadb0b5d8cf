"""Defences taken out of a run that is then killed: the checker must go red, or it proves nothing."""

from __future__ import annotations

import random

from faults.kinds_inside import patched
from faults.lane import Lane
from faults.nemesis import Moment, await_moment, kill_group, lose_all
from faults.trial import Trial, hold, kind

__all__ = ["TAKEN_OUT"]

TAKEN_OUT = ("no-watchdog", "no-sweep", "no-next-run", "no-teardown")
"""One after the other; what each is needed for is in `defence`."""


@kind("defence", len(TAKEN_OUT), short=0)
def defence(lane: Lane, random_: random.Random, trial: Trial) -> None:  # noqa: ARG001 - nothing is drawn
    """A defence taken out on purpose, which the checker has to notice."""
    name = TAKEN_OUT[trial.index % len(TAKEN_OUT)]
    lane.shape(seconds=1.0)
    env = patched(
        *{"no-sweep": ("no-sweep", "die-after-create"), "no-teardown": ("no-teardown", "no-watchdog")}.get(
            name, (name,)
        )
    )
    run = lane.run(env=env)
    if name == "no-next-run":
        trial.counted = await_moment(run, Moment("test", 0.2), 60 * lane.patience)
        lose_all(lane, run)
        run.process.wait()
        lane.command("run", "--progress", "json", env=env)
    elif name in {"no-sweep", "no-teardown"}:
        lane.finish(run)
    else:
        trial.counted = await_moment(run, Moment("test", 0.2), 60 * lane.patience)
        kill_group(lane, run)
        run.process.wait()
    seconds, differences = lane.settled(lane.alone)
    trial.facts |= {"defence": name, "noticed": differences}
    lane.clear()
    if trial.counted:
        hold(seconds is None, f"without it ({name}) nothing was left, so that nothing shows that it is needed")
