"""Kinds of fault of two commands on one environment."""

from __future__ import annotations

import random

from faults.lane import Lane
from faults.nemesis import Moment, await_moment
from faults.trial import Trial, hold, kind, narrowed


@kind("down-while-up", 12)
def down_while_up(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """`down` at a random instant of an `up` that is at work: it stops that first, and all is removed."""
    lane.shape(command="sleep 5; httpd -f -p 8080")
    moment = Moment("provision", round(random_.uniform(0, 2.5 * narrowed(trial.index)), 3))
    up = lane.start("up", "--name", "both", "--progress", "json")
    there = await_moment(up, moment, 60 * lane.patience) and lane.leases()
    trial.counted = bool(there)
    if not there:
        lane.finish(up)
        lane.command("down", "both")
        return
    down = lane.command("down", "both")
    trial.facts |= {"after": moment.after, "down": down.code, "up": lane.finish(up, 10)}
    hold(down.code == 0, f"down ended with {down.code}: {down.text[-800:]}")
    trial.counted = trial.facts["up"] != 0  # else it was done before `down` could ask it
    hold(trial.facts["up"] in {130, 0}, f"up ended with {trial.facts['up']}: {up.text[-800:]}")
    hold("Traceback" not in up.text + down.text, "a traceback was shown")
