"""What is done to a run, and when: an instant drawn over its phases, and the ways in which runs are ended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faults.lane import Lane, Run
from faults.trial import narrowed

__all__ = ["ENDINGS", "PHASES", "Moment", "await_moment", "draw_moment"]

PHASES = ("provision", "ready", "test", "export", "destroy", "receipt")
"""The strata: as many kills in each. Before `provision` there is nothing yet that could be left behind."""

LENGTHS = {"provision": 3.0, "ready": 0.3, "test": 1.0, "export": 1.0, "destroy": 2.0, "receipt": 0.1}
"""Seconds within a phase from which an instant is drawn; one that comes when the run is over does not count."""

_LOOK = 0.02


@dataclass(frozen=True)
class Moment:
    """So many seconds after a phase began."""

    phase: str
    after: float


def draw_moment(random_: random.Random, index: int) -> Moment:
    """The instant of the trial with this number: phases in turn, uniformly within each (`narrowed`)."""
    phase = PHASES[index % len(PHASES)]
    return Moment(phase, round(random_.uniform(0, LENGTHS[phase] * narrowed(index)), 3))


def await_moment(run: Run, moment: Moment, limit: float) -> bool:
    """Wait for the instant; False: the run ended first, or it did not come within `limit` seconds."""
    end = time.monotonic() + limit
    while not run.began(moment.phase):
        if run.ended or time.monotonic() > end:
            return False
        time.sleep(_LOOK)
    until = time.monotonic() + moment.after
    while (left := until - time.monotonic()) > 0:
        if run.ended:
            return False
        time.sleep(min(_LOOK, left))
    return not run.ended


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_group(lane: Lane, run: Run) -> None:  # noqa: ARG001 - all endings are called alike
    """SIGKILL of the whole process group, as a shell's or a CI runner's."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGKILL)


def kill_entry(lane: Lane, run: Run) -> None:  # noqa: ARG001 - all endings are called alike
    """SIGKILL of the entry process alone."""
    _signal(run.process.pid, signal.SIGKILL)


def kill_tree(lane: Lane, run: Run) -> None:
    """SIGKILL of every process that the run started, but for the watchdog."""
    spared = set(lane.watchdogs())
    for pid in lane.processes():
        if pid not in spared:
            _signal(pid, signal.SIGKILL)
    _signal(run.process.pid, signal.SIGKILL)


def lose_all(lane: Lane, run: Run) -> None:  # noqa: ARG001 - all endings are called alike
    """SIGKILL of everything at once, the watchdog too, as when the machine is lost."""
    lane.end_all()


def terminate(lane: Lane, run: Run) -> None:  # noqa: ARG001 - all endings are called alike
    """One SIGTERM to the entry process, as `docker stop` and Kubernetes do."""
    _signal(run.process.pid, signal.SIGTERM)


def hang_up(lane: Lane, run: Run) -> None:  # noqa: ARG001 - all endings are called alike
    """SIGHUP to the group: the terminal was closed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGHUP)


def cancel(lane: Lane, run: Run, pauses: Sequence[float] = (7.5, 2.5)) -> None:
    """How GitHub's runner ends a step: SIGINT to the entry process, SIGTERM, SIGKILL of the tree.

    https://docs.github.com/en/actions/reference/workflow-cancellation-reference. A pause ends when the process does,
    and a lane's patience stretches it as every limit: at 1 it is the runner's own.
    """
    for number, pause in zip((signal.SIGINT, signal.SIGTERM), pauses, strict=True):
        _signal(run.process.pid, number)
        end = time.monotonic() + pause * lane.patience
        while not run.ended and time.monotonic() < end:
            time.sleep(_LOOK)
        if run.ended:
            return
    kill_tree(lane, run)


ENDINGS: dict[str, Callable[[Lane, Run], None]] = {
    "group": kill_group,
    "entry": kill_entry,
    "tree": kill_tree,
    "all": lose_all,
    "cancel": cancel,
    "term": terminate,
    "hup": hang_up,
}
