"""Kinds of fault of disks that are full: the state folder's, and the one on which Docker keeps its data."""

from __future__ import annotations

import json
import random

from faults.lane import Filler, Lane
from faults.nemesis import Moment, await_moment, draw_moment
from faults.trial import Trial, hold, kind


@kind("disk", 12)
def disk(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """The disk of the state folder full at a random instant: the run fails, and once there is room all is removed."""
    with lane.small_disk(megabytes=32) as filler:
        _filled(lane, draw_moment(random_, trial.index), trial, filler)
        for path in lane.stacks():
            json.loads(path.read_text(encoding="utf-8"))
        _removed(lane, trial)


@kind("disk-docker", 6)
def disk_docker(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Docker's disk full at a random instant of provisioning: no hang, and once there is room all is removed."""
    _filled(lane, Moment("provision", round(random_.uniform(0, 1.0), 3)), trial, lane.docker_disk)
    _removed(lane, trial)


def _filled(lane: Lane, moment: Moment, trial: Trial, filler: Filler) -> None:
    """A run on whose way the disk becomes full, and has room again once the run has ended."""
    lane.shape(seconds=1.0)
    run = lane.run()
    trial.counted = await_moment(run, moment, 60 * lane.patience)
    trial.facts |= {"phase": moment.phase, "after": moment.after}
    try:
        filler.fill()
        trial.facts["free"] = filler.free
        trial.facts["exit"] = lane.finish(run)
    finally:
        filler.empty()
    hold("Traceback" not in run.text, "a traceback was shown")


def _removed(lane: Lane, trial: Trial) -> None:
    trial.facts["reap"] = lane.command("reap", "--yes").code
    seconds, differences = lane.settled(lane.alone)
    trial.seconds = seconds
    hold(seconds is not None, f"{lane.alone:g} s later: {differences}")
