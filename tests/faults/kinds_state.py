"""Kinds of fault in what a dead run left: its locks, its state, its lease; and in those who clean up."""

from __future__ import annotations

import getpass
import json
import os
import random
import socket
import subprocess
import time
import uuid
from pathlib import Path

from faults.kinds_inside import patched
from faults.lane import Lane
from faults.nemesis import Moment, await_moment, draw_moment, lose_all
from faults.trial import Trial, hold, kind, narrowed

__all__ = ["abandon"]

REAPED = {0, 5}
"""`reap`: nothing is left to do; or but for the decoys, which are somebody else's and cannot be judged."""


def abandon(lane: Lane, random_: random.Random, moment: Moment | None = None, *, max_ttl: str = "24h") -> str:
    """An environment whose run was lost with all its processes; its id, "" where the run was faster."""
    lane.shape(seconds=1.0)
    run = lane.run(env={"UNDERSTUDY_MAX_TTL": max_ttl})
    if not await_moment(run, moment or draw_moment(random_, random_.randrange(3)), 60 * lane.patience):
        lane.finish(run)
        return ""
    lose_all(lane, run)
    run.process.wait()
    leases = lane.leases()
    return leases[0] if leases else ""


def _lock_of(lane: Lane, environment: str, **changes: object) -> Path:
    """A lock of the engine's on the environment's stack; of this process, but for `changes`."""
    folder = lane.backend / ".pulumi" / "locks" / "organization" / "understudy" / environment
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "pid": os.getpid(),
        "username": getpass.getuser(),
        "hostname": socket.gethostname(),
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.0Z", time.gmtime()),
    }
    path = folder / f"{uuid.uuid4()}.json"
    path.write_text(json.dumps(content | changes), encoding="utf-8")
    return path


def _dead_pid() -> int:
    """The pid of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@kind("lock-stale", 20)
def lock_stale(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Two locks whose owners are gone: broken, said so, and all removed."""
    environment = abandon(lane, random_)
    trial.counted = bool(environment)
    if environment:
        for _ in range(2):
            _lock_of(lane, environment, pid=_dead_pid())
        done = lane.command(*random_.choice((("down", environment), ("reap", "--yes"))))
        trial.facts["exit"] = done.code
        hold(done.code in REAPED, f"it ended with {done.code}: {done.text[-800:]}")
        hold("broke the lock" in done.text, f"it did not say that it broke a lock: {done.text[-800:]}")


@kind("lock-live", 10)
def lock_live(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Five attempts at a lock whose owner lives: never broken; once it is gone, all is removed."""
    environment = abandon(lane, random_, Moment("test", 0.1))
    trial.counted = bool(environment)
    if not environment:
        return
    owner = subprocess.Popen(["sleep", "600"])
    try:
        lock = _lock_of(lane, environment, pid=owner.pid)
        for _ in range(5):
            done = lane.command("down", environment, "--lock-timeout", "1", limit=60)
            trial.facts["exit"] = done.code
            hold(lock.exists(), "the lock of a living owner was broken")
            hold(done.code in {4, 7}, f"it ended with {done.code}: {done.text[-800:]}")
    finally:
        owner.kill()
        owner.wait()
    done = lane.command("down", environment)
    hold(done.code == 0, f"after its owner's end it ended with {done.code}: {done.text[-800:]}")


def _mutilated(data: bytes, random_: random.Random) -> bytes:
    way = random_.randrange(6)
    if way == 0:
        return data[: len(data) * random_.randrange(1, 10) // 10]
    if way == 1:
        return b""
    if way == 2:
        return b"\0" * len(data)
    if way == 3:
        return b"{}"
    if way == 4:
        return random_.randbytes(200)
    return b"[" * 5000


@kind("mutilated", 40)
def mutilated(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """State, lease or both cut off, emptied, zeroed, replaced or missing: found by label, or said; never just well."""
    environment = abandon(lane, random_, Moment("test", 0.1), max_ttl="2h")
    trial.counted = bool(environment)
    if not environment:
        return
    lease = lane.backend / ".understudy" / "leases" / f"{environment}.json"
    victims = {"state": lane.stacks(), "lease": [lease], "both": [*lane.stacks(), lease]}
    which = list(victims)[trial.index % 3]
    missing = random_.random() < 0.25
    for path in victims[which]:
        path.unlink() if missing else path.write_bytes(_mutilated(path.read_bytes(), random_))
    done = lane.command("reap", "--yes")
    trial.facts |= {"what": which, "missing": missing, "exit": done.code}
    if which == "state":
        hold(done.code in REAPED, f"reap ended with {done.code}: {done.text[-800:]}")
        return
    left = lane.something()
    trial.facts["left"] = left
    hold(not left or environment in done.text, f"reap said nothing of what it left: {done.text[-800:]}")
    # past the labels' own limit (2 h, and 1 h of grace) nothing protects it any more
    done = lane.command("reap", "--yes", env=patched("skew", "target-skew", FAULTS_SKEW=str(4 * 3600)))
    trial.facts["later"] = done.code


@kind("reaper", 40)
def reaper(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """The reaper killed at a random instant of its work; the next one finishes it."""
    environment = abandon(lane, random_)
    trial.counted = bool(environment)
    if not environment:
        return
    reaping = lane.start("reap", "--yes")
    after = 0.3 + random_.uniform(0, 3.7 * narrowed(trial.index))
    end = time.monotonic() + after
    while time.monotonic() < end and not reaping.ended:
        time.sleep(0.02)
    trial.counted = not reaping.ended
    trial.facts["after"] = round(after, 2)
    lose_all(lane, reaping)
    reaping.process.wait()
    done = lane.command("reap", "--yes")
    trial.facts["exit"] = done.code
    hold(done.code in REAPED, f"the second reaper ended with {done.code}: {done.text[-800:]}")


@kind("reapers", 12, crowded=True)
def reapers(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Two to five reapers at once on one environment: no error, nothing left, nothing of others touched."""
    environment = abandon(lane, random_)
    trial.counted = bool(environment)
    if not environment:
        return
    running = [lane.start("reap", "--yes") for _ in range(random_.randint(2, 5))]
    codes = [lane.finish(each) for each in running]
    trial.facts["exits"] = codes
    hold(set(codes) <= REAPED, f"they ended with {codes}")


ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Chatham")
SKEWS = (-262, 0, 262)
FAR = (-2 * 86400, 2 * 86400, -56 * 365 * 86400, 74 * 365 * 86400)


@kind("clocks", 10)
def clocks(lane: Lane, random_: random.Random, trial: Trial) -> None:
    """Time zones and clocks that differ: what lives is kept, and a clock a day off is refused."""
    lane.shape()
    made = lane.command("up", "--ttl", "2h")
    hold(made.code == 0, f"up ended with {made.code}: {made.text[-800:]}")
    environment = lane.leases()[0]
    told = {}
    for skew in (random_.choice(SKEWS), random_.choice(FAR)):
        zone = random_.choice(ZONES)
        done = lane.command("reap", "--yes", env={**patched("skew", FAULTS_SKEW=str(skew)), "TZ": zone})
        told[f"{zone} {skew}"] = done.code
        hold(lane.leases() == [environment], f"with the clock {skew} s off in {zone} it was taken: {done.text[-800:]}")
        hold(abs(skew) < 86400 or done.code in {4, 5}, f"with the clock {skew} s off it ended with {done.code}")
    trial.facts["exits"] = told
    hold(lane.command("down", environment).code == 0, "down failed")
