"""This machine's clock against its own uptime: a jump ahead would make everything over at once, and is doubted first.

The target's clock shows none where both are one machine's. Within a boot of the kernel, wall clock less uptime stays
the same but for corrections; uptime is CLOCK_BOOTTIME (clock_gettime(2)), which goes on in suspend, but not in a paused
virtual machine: there a jump is right, and so it is believed once it has lasted.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from understudy.files import write_file
from understudy.processes import read

__all__ = ["BELIEVED", "MOST", "Known", "Reading", "judge", "jumped", "reading"]

MOST = timedelta(days=1)
"""A correction of the clock up to this is believed at once, as is a skew to the target's."""

BELIEVED = timedelta(hours=1)
"""Uptime after which a jump that has lasted is believed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment. `boot`: of which boot and time namespace; `wall`, `up`: seconds."""

    boot: str
    wall: float
    up: float

    def ahead_of(self, other: Reading) -> timedelta:
        """How far the wall clock moved more than the uptime since another reading of the same boot."""
        return timedelta(seconds=(self.wall - self.up) - (other.wall - other.up))


@dataclass(frozen=True, slots=True)
class Known:
    """The last reading that was believed, and the first of a jump since, which is not yet."""

    believed: Reading
    doubted: Reading | None = None


def judge(now: Reading, before: Known | None) -> tuple[Known, timedelta]:
    """What is known now, and how far the clock is ahead of what can be believed; zero: it is believed. Pure.

    A jump back makes nothing over, so that none is refused for it; but the way ahead again is no jump then.
    """
    nothing = timedelta(0)
    if before is None or before.believed.boot != now.boot:
        return Known(now), nothing
    jump = now.ahead_of(before.believed)
    if abs(jump) <= MOST:
        return Known(now), nothing
    doubted = before.doubted
    if doubted is None or abs(now.ahead_of(doubted)) > MOST:
        doubted = now
    if timedelta(seconds=now.up - doubted.up) >= BELIEVED:
        return Known(now), nothing
    return Known(before.believed, doubted), max(jump, nothing)


def reading() -> Reading | None:
    """Both clocks now; None where the system does not tell one boot from another."""
    boot = read("/proc/sys/kernel/random/boot_id").strip()
    if not boot:
        return None
    with suppress(OSError):  # no time namespaces: Linux before 5.6
        boot += f"/{Path('/proc/self/ns/time').readlink()}"
    return Reading(boot, time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))


def jumped(state: Path, now: Reading | None, *, keep: bool) -> timedelta:
    """How far this machine's clock is ahead of what can be believed, by what an earlier command wrote down.

    Args:
        state: the state folder; one that is not there, or cannot be read or written, remembers nothing.
        now: the clocks; None: nothing is known of them.
        keep: write down what is known now.
    """
    if now is None:
        return timedelta(0)
    file = state / "clock.json"
    known, jump = judge(now, _remembered(file))
    if keep:
        with suppress(OSError):
            write_file(file, json.dumps(asdict(known)).encode())
    return jump


def _remembered(file: Path) -> Known | None:
    try:
        said = json.loads(file.read_bytes())
        doubted = said["doubted"]
        return Known(_parsed(said["believed"]), None if doubted is None else _parsed(doubted))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _parsed(said: dict[str, object]) -> Reading:
    return Reading(str(said["boot"]), float(str(said["wall"])), float(str(said["up"])))
