"""Kinds of fault that end a run from outside: signals, CI's cancel, the loss of the watchdog and of the machine."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import Any

from faults.lane import SERVES, Lane, Run
from faults.nemesis import ENDINGS, PHASES, Moment, await_moment, draw_moment
from faults.trial import Trial, hold, hold_gone, kind
from jsonschema import Draft202012Validator
from support import ROOT

__all__ = ["end_at", "held_record"]


def end_at(lane: Lane, trial: Trial, moment: Moment, ending: str) -> Run | None:
    """Start a run and end it at an instant; None where that does not count: it was over, or nothing was there."""
    run = lane.run()
    there = await_moment(run, moment, 60 * lane.patience)
    existed = lane.something() if there else []
    trial.facts |= {"phase": moment.phase, "after": moment.after, "ending": ending, "existed": existed}
    trial.counted = bool(existed) and not run.ended
    if not trial.counted:
        lane.finish(run)
        return None
    ENDINGS[ending](lane, run)
    return run


def held_record(lane: Lane, code: int) -> dict[str, Any]:
    """The run.json of the last run: it is there, valid, and has the exit code."""
    found = json.loads((lane.project.latest() / "run.json").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "understudy" / "schemas" / "run.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(found)
    hold(found["exit_code"] == code, f"run.json says {found['exit_code']}, expected {code}")
    assert isinstance(found, dict)
    return found


def _varied(lane: Lane, random_: random.Random) -> None:
    """One of the topologies and outcomes."""
    lane.shape(
        command=random_.choice((SERVES, "sleep 0.3; " + SERVES)),
        seconds=random_.choice((0.2, 0.6, 1.0)),
        code=random_.choice((0, 0, 1)),
        relay=random_.random() < 0.5,
    )


@kind("kill", 300, short=len(PHASES))
def kill(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """SIGKILL of the whole group."""
    _varied(lane, random_)
    if run := end_at(lane, trial, draw_moment(random_, trial.index), "group"):
        run.process.wait()


@kind("kill-part", 30, short=0)
def kill_part(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """SIGKILL of the entry process alone, or of all that the run started but for the watchdog."""
    _varied(lane, random_)
    if run := end_at(lane, trial, draw_moment(random_, trial.index), random_.choice(("entry", "tree"))):
        run.process.wait()


@kind("cancel", 100)
def cancel(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """CI's cancel: SIGINT to the entry process, 7.5 s, SIGTERM, 2.5 s, SIGKILL of the tree."""
    _varied(lane, random_)
    began = time.monotonic()
    run = end_at(lane, trial, draw_moment(random_, trial.index), "cancel")
    if run is None:
        return
    code = lane.finish(run, 5)
    trial.facts |= {"exit": code, "whole": round(time.monotonic() - began, 2)}
    # what was told to end while it said its last words had its result already
    hold(code in {130, 0, 1}, f"it ended with {code}")
    if code == 130:
        held_record(lane, 130)


@kind("signal", 20)
def one_signal(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """One SIGTERM to the entry process, or SIGHUP to its group."""
    _varied(lane, random_)
    moment = draw_moment(random_, trial.index)
    run = end_at(lane, trial, moment, random_.choice(("term", "hup")))
    if run is None:
        return
    began = time.monotonic()
    code = lane.finish(run, 10)
    trial.facts |= {"exit": code, "exit_seconds": round(time.monotonic() - began, 2)}
    hold(code in {130, 0, 1}, f"it ended with {code}")


@kind("watchdog", 40)
def watchdog(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """The watchdog killed at a random instant: the run goes on, ends clean, or is killed and still leaves nothing."""
    _varied(lane, random_)
    moment = draw_moment(random_, trial.index)
    run = lane.run()
    there = await_moment(run, moment, 60 * lane.patience)
    dogs = lane.watchdogs()
    trial.counted = there and bool(dogs)
    trial.facts |= {"phase": moment.phase, "after": moment.after}
    for pid in dogs:
        os.kill(pid, signal.SIGKILL)
    if trial.counted and random_.random() < 0.5:
        time.sleep(1.0 * lane.patience)  # in which a run finds itself another one
        trial.facts["then"] = "group"
        ENDINGS["group"](lane, run)
        run.process.wait()
        return
    hold(lane.finish(run) in {0, 1}, "a run without its watchdog failed")


@kind("lost-machine", 20)
def lost_machine(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Everything killed at once, the watchdog too; the next run on the same backend and target removes it."""
    _varied(lane, random_)
    if end_at(lane, trial, draw_moment(random_, trial.index), "all") is None:
        return
    done = lane.command("run", "--progress", "json")
    trial.facts["next"] = done.code
    hold(done.code in {0, 1}, f"the next run ended with {done.code}: {done.text[-1000:]}")
    hold_gone(lane, trial)
