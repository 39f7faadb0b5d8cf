"""One trial: what was done to which run at which instant, what it left, and whether that is right."""

from __future__ import annotations

import functools
import random
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from faults.lane import Lane
from support import ROOT

__all__ = [
    "KINDS",
    "STRATUM",
    "Failed",
    "Kind",
    "Trial",
    "attempt",
    "commit",
    "hold",
    "hold_gone",
    "kind",
    "narrowed",
    "now",
]

STRATUM = 100_020
"""A trial that did not count is drawn anew under its number plus a multiple of this: in the same phase."""


class Failed(AssertionError):  # noqa: N818 - the word of the record
    """What the checker found wrong."""


@dataclass
class Trial:
    """The record of one trial, a line of the results.

    `seconds`: from the fault until all was as before; `cpu`: seconds of processor time that the trial took, the
    daemon's among them; `commit`, `made`: of what, and when (RFC 3339); `lane_lost`: its lane could not be cleared, and
    the next trial needs another.
    """

    kind: str
    seed: int
    index: int
    counted: bool = True
    ok: bool = True
    why: str = ""
    seconds: float | None = None
    cpu: float = 0.0
    commit: str = ""
    made: str = ""
    lane_lost: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Body = Callable[[Lane, random.Random, Trial], None]


@dataclass(frozen=True)
class Kind:
    """A kind of fault: how often in the whole and in the short form, and what a trial of it does.

    `crowded`: a trial keeps more processors busy than a lane's share, so that none whose limit is held may run beside.
    """

    name: str
    count: int
    short: int
    body: Body
    says: str
    crowded: bool = False


KINDS: dict[str, Kind] = {}


def kind(name: str, count: int, *, short: int = 1, crowded: bool = False) -> Callable[[Body], Body]:
    """Register a kind; its docstring is its line in the table."""

    def register(body: Body) -> Body:
        says = (body.__doc__ or "").strip().split("\n")[0].rstrip(".")
        KINDS[name] = Kind(name, count, short, body, says, crowded)
        return body

    return register


def attempt(lane: Lane, name: str, seed: int, index: int) -> Trial:
    """Make one trial and judge it; a failure is in the record, and the lane as it was before."""
    trial = Trial(name, seed, index, commit=commit(), made=now())
    began = lane.cpu()
    try:
        KINDS[name].body(lane, _chance(f"{name} {seed} {index}"), trial)
        if trial.counted:
            hold_gone(lane, trial)
    except Failed as failure:
        trial.ok, trial.why = False, str(failure)
    except Exception as error:  # noqa: BLE001 - a defect of the suite itself is a failure, too
        trial.ok, trial.why = False, f"{type(error).__name__}: {error}"
    if not trial.ok or not trial.counted:
        trial.facts["output"] = _last_output(lane)
        _bring_back(lane, trial)
    trial.cpu = round(lane.cpu() - began, 2)
    return trial


def _bring_back(lane: Lane, trial: Trial) -> None:
    """Clear the lane; where that fails, the record says so, and the lane is of no use any more."""
    try:
        lane.clear()
    except Exception as error:  # noqa: BLE001 - whatever it is, this trial's record is not to be lost with the lane
        trial.ok, trial.lane_lost = False, True
        trial.why = f"{trial.why} (and the lane could not be cleared: {type(error).__name__}: {error})".strip()


@functools.cache
def commit() -> str:
    """The commit that is tested, and whether something tracked differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if git("status", "--porcelain", "-uno") else "")


def narrowed(index: int) -> float:
    """The part of a stretch of time from which the instant of this trial is drawn.

    Whatever did not count came too late, on a fast machine more often than not; so half of it is left each time.
    """
    return 0.5 ** (index // STRATUM)


def now() -> str:
    """The time, RFC 3339, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _chance(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - it has to be the same again


def hold_gone(lane: Lane, trial: Trial) -> None:
    """Hold that all is as before within the lane's limit; the first who asks sets the time."""
    seconds, differences = lane.settled(lane.alone)
    if trial.seconds is None:
        trial.seconds = seconds
    if seconds is None:
        raise Failed(f"{lane.alone:g} s later: {differences}")


def hold(condition: object, words: str) -> None:
    """Hold something; unlike `assert`, with words that are kept in the record."""
    if not condition:
        raise Failed(words)


def _last_output(lane: Lane) -> str:
    outputs = sorted((lane.folder / "out").glob("*.txt"), key=lambda path: int(path.stem))
    return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in outputs[-2:])
