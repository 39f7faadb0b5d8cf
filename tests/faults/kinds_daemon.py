"""Kinds of fault of the Docker daemon under a run: it restarts, stays away, or hangs, in each phase of the run."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from faults.lane import Lane, Run
from faults.nemesis import await_moment, draw_moment
from faults.trial import Trial, hold, kind

__all__ = ["daemon", "daemon_away", "daemon_hangs"]

CODES = {0, 1, 3, 4, 6}
"""How a run may end whose daemon goes: it fails with that reason, or the daemon went too late to matter."""


def _disturbed(lane: Lane, random_: random.Random, trial: Trial) -> Run | None:
    """A run at the instant of its fault, phases in turn; None: it does not count."""
    lane.shape(seconds=1.0)
    run = lane.run()
    moment = draw_moment(random_, trial.index)
    trial.counted = await_moment(run, moment, 60 * lane.patience)
    trial.facts |= {"phase": moment.phase, "after": moment.after}
    if not trial.counted:
        lane.finish(run)
        return None
    return run


def _ended(lane: Lane, trial: Trial, run: Run, limit: float) -> int:
    """How it ended, within `limit` seconds, and without a traceback."""
    began = time.monotonic()
    code = lane.finish(run, limit)
    trial.facts |= {"exit": code, "exit_seconds": round(time.monotonic() - began, 2)}
    hold(code in CODES, f"it ended with {code}")
    hold("Traceback" not in run.text, "a traceback was shown")
    return code


def _finished(lane: Lane, trial: Trial) -> None:
    """What a run could not remove while its daemon was away, the next command does, where the watchdog has not."""
    lane.restore_foreign()
    if lane.leases():
        trial.facts["reap"] = lane.command("reap", "--yes").code


@kind("daemon", 12)
def daemon(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Docker restarted, or killed and started, in each phase in turn: the run ends within 60 s, and all is removed."""
    run = _disturbed(lane, random_, trial)
    if run is None:
        return
    how = random_.choice(("restart", "kill"))
    trial.facts["how"] = how

    def away() -> None:
        lane.daemon.stop(20) if how == "restart" else lane.daemon.kill()
        time.sleep(0.5)
        lane.daemon.start()

    restarting = threading.Thread(target=away)
    restarting.start()
    try:
        _ended(lane, trial, run, 60)
    finally:
        restarting.join()
    _finished(lane, trial)


@kind("daemon-away", 6, short=0)
def daemon_away(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Docker stopped in each phase in turn, and away until the run has ended: the lease stays, and all is removed."""
    run = _disturbed(lane, random_, trial)
    if run is None:
        return
    lane.daemon.stop(20)
    try:
        code = _ended(lane, trial, run, 120)
        hold(code in {0, 1} or lane.leases(), "the lease was closed although nobody could look")
    finally:
        lane.daemon.start()
    _finished(lane, trial)


@kind("daemon-hangs", 6, short=0)
def daemon_hangs(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Docker takes connections and answers nothing, in each phase in turn: the run says so within 60 s, and ends."""
    run = _disturbed(lane, random_, trial)
    if run is None:
        return
    with _hanging(lane):
        began = time.monotonic()
        while not (run.ended or "it hangs" in run.text):
            hold(time.monotonic() - began < 60 * lane.patience, "60 s later nothing was said of it")
            time.sleep(0.1)
        trial.facts["said_seconds"] = round(time.monotonic() - began, 2)
        _ended(lane, trial, run, 120)
    _finished(lane, trial)


@contextmanager
def _hanging(lane: Lane) -> Iterator[None]:
    process = lane.daemon.process
    assert process is not None, "the daemon does not run"
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
