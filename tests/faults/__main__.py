"""`make faults`: the trials of every kind in several lanes, their results as JSON lines, and the table of them."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

import faults.kinds  # noqa: F401 - registers them
from faults.lane import hear_signals, open_lane
from faults.report import latest, summary, write_guarantees
from faults.trial import KINDS, STRATUM, Trial, attempt, commit, now
from support import ROOT

AGAIN = 6
"""How often a trial that did not count is drawn anew."""

LANES_LOST = 4
"""How often a lane is made anew that could not be opened, or cleared after a failure."""

SEED = 20260101


@dataclass(frozen=True)
class Wanted:
    kind: str
    index: int
    tried: int = 0

    @property
    def drawn(self) -> int:
        """Trials that did not count are drawn anew in the same stratum."""
        return self.index + self.tried * STRATUM


def main(arguments: list[str]) -> int:
    """Parse, run the lanes, write what came of it; 0 only if all that was asked for held."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, help="so many of each kind instead of the whole form's")
    parser.add_argument("--short", action="store_true", help="a kill in each phase, and one of each other kind")
    parser.add_argument("--index", type=int, action="append", help="only the trial of this number; may be repeated")
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--patience", type=float, default=1.0, help="stretches every limit, on a busy machine")
    parser.add_argument("--limit", type=float, help="seconds within which all is gone; 15, stretched by --patience")
    parser.add_argument("--minutes", type=float, default=90, help="begin no trial after so long")
    parser.add_argument("--results", type=Path, default=ROOT / "faults-results")
    parser.add_argument("--resume", action="store_true", help="make what lacks or failed, and the table of all")
    parser.add_argument("--lane", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.lane:
        return _lane(given)
    given.results.mkdir(parents=True, exist_ok=True)
    file = given.results / "trials.jsonl"
    done = _read(file) if given.resume else []
    if not given.resume:
        file.unlink(missing_ok=True)
    wanted = _wanted(given, done)
    began = time.monotonic()
    with file.open("a", encoding="utf-8") as out:
        for record in _made(given, wanted):
            record["reproduce"] = (
                f"make faults FAULTS='--only {record['kind']} --seed {record['seed']} --index {record['index']}'"
            )
            out.write(json.dumps(record) + "\n")
            out.flush()
            _tell(record)
            done.append(record)
    asked = [name for name, _ in _counts(given)]
    own = [each for each in done if each["kind"] in asked and each["seed"] == given.seed]
    text, failures = summary(own, asked)
    print(f"{text}\n\nSeed {given.seed}; {(time.monotonic() - began) / 60:.1f} minutes.")
    if given.resume or not (given.only or given.count or given.index or given.short):
        write_guarantees(summary([each for each in done if each["seed"] == given.seed], list(KINDS))[0], given.seed)
    lacking = len(_wanted(given, [each for each in own if each["counted"]], again=False))
    if lacking > 0:
        print(f"{lacking} trials were not made in time, or did not count")
    return 1 if failures or lacking > 0 else 0


def _counts(given: argparse.Namespace) -> list[tuple[str, int]]:
    names = given.only or list(KINDS)
    if given.index:
        return [(name, len(given.index)) for name in names]
    if given.short:
        return [(name, KINDS[name].short) for name in names if KINDS[name].short]
    return [(name, min(given.count or KINDS[name].count, KINDS[name].count)) for name in names]


def _wanted(given: argparse.Namespace, done: list[dict[str, Any]], *, again: bool = True) -> list[Wanted]:
    """What lacks, or failed and is to be made again, the kinds mixed so that every lane has of each."""
    there = {
        (each["kind"], each["index"] % STRATUM)
        for each in latest(done)
        if each["seed"] == given.seed and (each["counted"] and (each["ok"] or not again))
    }
    rows = []
    for name, count in _counts(given):
        numbers = given.index or range(count)
        rows += [
            (place / max(count, 1), Wanted(name, index))
            for place, index in enumerate(numbers)
            if (name, index) not in there
        ]
    return [wanted for _, wanted in sorted(rows, key=lambda row: row[0])]


def _made(given: argparse.Namespace, wanted: list[Wanted]) -> Iterator[dict[str, Any]]:
    """The records as they come from the lanes; what crowds the machine comes when no limit is held any more."""
    until = time.monotonic() + given.minutes * 60
    for crowded in (False, True):
        yield from _together(given, [each for each in wanted if KINDS[each.kind].crowded is crowded], until)


def _together(given: argparse.Namespace, wanted: list[Wanted], until: float) -> Iterator[dict[str, Any]]:
    todo: Queue[Wanted] = Queue()
    for each in wanted:
        todo.put(each)
    came: Queue[dict[str, Any] | None] = Queue()
    lanes = min(given.lanes, len(wanted))
    for number in range(lanes):
        threading.Thread(target=_drive, args=(given, number, todo, came, until), daemon=True).start()
    while lanes:
        record = came.get()
        if record is None:
            lanes -= 1
        else:
            yield record


def _drive(
    given: argparse.Namespace, number: int, todo: Queue[Wanted], came: Queue[dict[str, Any] | None], until: float
) -> None:
    """A lane, which is made anew where it is lost; at most so often, and without taking the others along."""
    try:
        for _ in range(LANES_LOST):
            if not _feed(given, number, todo, came, until):
                break
    finally:
        came.put(None)


def _feed(
    given: argparse.Namespace, number: int, todo: Queue[Wanted], came: Queue[dict[str, Any] | None], until: float
) -> bool:
    """Feed one lane's process, and hand on what it says; whether it was lost before all was done."""
    own_mounts = ("unshare", "--mount", "--propagation", "private")  # which end with the lane
    command = [
        *own_mounts,
        sys.executable,
        "-m",
        "faults",
        "--lane",
        "--seed",
        str(given.seed),
        "--patience",
        str(given.patience),
        "--limit",
        str(given.limit or 15 * given.patience),
    ]
    with (
        contextlib.suppress(BrokenPipeError),
        subprocess.Popen(
            command,
            cwd=ROOT / "tests",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as lane,
    ):
        assert lane.stdin is not None
        assert lane.stdout is not None
        while time.monotonic() < until:
            try:
                each = todo.get_nowait()
            except Empty:
                break
            record = _told(lane.stdin, lane.stdout, each) or _dead(each, given.seed)
            came.put(record | {"lane": number})
            if not record["counted"] and record["ok"] and each.tried < AGAIN:
                todo.put(Wanted(each.kind, each.index, each.tried + 1))
            if record["lane_lost"]:
                return True
        return False
    return True  # it had ended before it was told to


def _told(ask: IO[str], answer: IO[str], each: Wanted) -> dict[str, Any]:
    """The record of a trial that a lane's process was asked for; empty: it ended without one."""
    with contextlib.suppress(OSError):
        ask.write(json.dumps([each.kind, each.drawn]) + "\n")
        ask.flush()
        if line := answer.readline():
            record: dict[str, Any] = json.loads(line)
            return record
    return {}


def _dead(each: Wanted, seed: int) -> dict[str, Any]:
    return Trial(
        each.kind, seed, each.drawn, ok=False, why="the lane's process ended", commit=commit(), made=now(),
        lane_lost=True,
    ).to_json()  # fmt: skip


def _lane(given: argparse.Namespace) -> int:
    """A lane's process: a trial for each line of standard input, its record as a line of standard output."""
    hear_signals()
    folder = Path(tempfile.mkdtemp(prefix="udl-", dir="/tmp"))
    try:
        with open_lane(folder, patience=given.patience, alone=given.limit) as lane:
            for line in sys.stdin:
                name, index = json.loads(line)
                trial = attempt(lane, name, given.seed, index)
                print(json.dumps(trial.to_json()), flush=True)
                if trial.lane_lost:
                    return 1
    except BrokenPipeError:
        return 1  # nobody is there any more to hear it
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(record: dict[str, Any]) -> None:
    seconds = "" if record["seconds"] is None else f" after {record['seconds']:.1f} s"
    outcome = "as before" if record["ok"] else f"FAILED: {record['why']}\n  {record['reproduce']}"
    if not record["counted"] and record["ok"]:
        outcome = "does not count"
    facts = {key: value for key, value in record["facts"].items() if key not in {"output", "existed"}}
    print(f"{record['kind']} {record['index']} {facts}: {outcome}{seconds}, {record['cpu']:.1f} CPU s", flush=True)


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
