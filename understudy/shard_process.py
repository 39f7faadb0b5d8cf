"""One part of a run as a process of our own: its command line, what it says, how it is told to end, what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from understudy.export.folder import RUNS
from understudy.halts import VARIABLE, halting_line
from understudy.options import OptionSpec, specs
from understudy.progress import Phase, Progress, State
from understudy.suites.shards import Shard

__all__ = ["ShardProcess", "arguments_of", "event_of", "own_place", "shares_of"]

_LINE = 1 << 20
_TAIL = 4096
_LAST = 2.0
"""Seconds in which what a process said last is read, once it has ended."""


def shares_of(workers: int, parts: int) -> tuple[int, ...]:
    """Test processes shared out over parts, each of which gets at least one.

    >>> shares_of(5, 2)
    (3, 2)
    >>> shares_of(1, 2)
    (1, 1)
    """
    return tuple(max(1, workers // parts + (number < workers % parts)) for number in range(parts))


def arguments_of(flags: Mapping[str, object], own: Mapping[str, object]) -> list[str]:
    """The arguments of a part's `run`: the flags that the whole was given, except where a part has its own.

    Values stand behind an equals sign, so that none can be taken for an option.

    >>> arguments_of({"commit": "-x", "fail_fast": False, "set": ("A=1", "B=2")}, {"commit": "HEAD"})
    ['--set=A=1', '--set=B=2', '--no-fail-fast', '--commit=HEAD']
    """
    by_name = {spec.name: spec for spec in specs()}
    given = {name: value for name, value in flags.items() if value is not None and name not in own}
    return [
        word
        for values in (given, own)
        for name, spec in by_name.items()
        if name in values
        for word in _words(spec, values[name])
    ]


def _words(spec: OptionSpec, value: object) -> list[str]:
    dashed = spec.name.replace("_", "-")
    if spec.switch:
        return [f"--{dashed}" if value else f"--no-{dashed}"]
    return [f"--{dashed}={each}" for each in (value if isinstance(value, tuple) else (value,))]


def event_of(line: bytes) -> Progress | None:
    """The progress that a part printed as a JSON line; None: it is something else."""
    try:
        data = json.loads(line)
        return Progress(
            phase=Phase(data["phase"]),
            state=State(data["state"]),
            subject=str(data["subject"]),
            detail=str(data["detail"]),
            seconds=None if data["seconds"] is None else float(data["seconds"]),
            at=float(data["at"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def own_place(place: Path, shard: Shard) -> Path:
    """The folder of one part among those of all."""
    return place / str(shard).replace("/", "-of-")


class ShardProcess:
    """The process of one part, in a session of its own, so that a terminal's signals reach it through us only.

    Args:
        shard: which part it is.
        command: the argument vector.
        place: a folder of its own; below it the part makes its run folder, and its standard error is kept there.
        hear: called with each event, from a thread.
    """

    def __init__(
        self, shard: Shard, command: Sequence[str], place: Path, hear: Callable[[Shard, Progress], None]
    ) -> None:
        self.shard, self.place = shard, place
        place.mkdir(mode=0o700)
        heard, self._tell = os.pipe()
        without = {"GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"}  # a job has one summary, that of the whole
        variables = {name: value for name, value in os.environ.items() if name not in without}
        try:
            with (place / "stderr.log").open("xb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**variables, VARIABLE: str(heard)},
                    pass_fds=(heard,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(self._tell)
            raise
        finally:
            os.close(heard)
        self._hear = hear
        self._reader = threading.Thread(target=self._read, name=f"part {shard}", daemon=True)
        self._reader.start()

    @staticmethod
    def command(arguments: Sequence[str]) -> list[str]:
        """The argument vector of our own `run` with these arguments; no module is taken from the current folder."""
        return [sys.executable, "-P", "-m", "understudy.cli", "run", *arguments]

    def _read(self) -> None:
        if (out := self._process.stdout) is None:
            return
        with suppress(OSError, ValueError), out:
            while line := out.readline(_LINE):
                if (event := event_of(line)) is not None:
                    self._hear(self.shard, event)

    @property
    def pid(self) -> int:
        """Its process, which leads a session and a group."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None: it runs."""
        return self._process.poll()

    def halt(self, why: str, at: float) -> None:
        """Tell its suites to end because of another part; `at` is when that failed, in seconds since the epoch."""
        with suppress(OSError):
            os.write(self._tell, halting_line(why, at))

    def interrupt(self) -> None:
        """Tell it once to end and clean up."""
        if self.code is None:
            self._process.send_signal(signal.SIGTERM)

    def hurry(self) -> None:
        """Tell it again: it hands what is left over to its watchdog, and ends."""
        if self.code is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, and all of its session's first group."""
        if self.code is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Read the rest of what an ended process said, and let go of it; one that runs takes it as its end."""
        os.close(self._tell)
        if self.code is not None:
            self._reader.join(_LAST)

    @property
    def run_folder(self) -> Path | None:
        """Its run folder with a record in it; None: it made none."""
        with suppress(OSError):
            for path in sorted((self.place / RUNS).iterdir()):
                if not path.is_symlink() and (path / "run.json").is_file():
                    return path
        return None

    @property
    def environment(self) -> str:
        """The environment that it has, which its run folder is called after; empty: not known."""
        return self.run_folder.name.partition("-")[2] if self.run_folder else ""

    def last_words(self) -> str:
        """The end of its standard error."""
        with suppress(OSError), (self.place / "stderr.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            return log.read().decode("utf-8", "replace").strip().removeprefix("understudy: ")
        return ""
