"""`understudy run --shards N`: N clones of one commit side by side, each with its part of the tests, joined in one run.

Each part is a `run --shard i/N` in a process of its own. This one only watches, tells and joins: a part that is left
alone ends by itself, with its evidence, its destroy and its receipt.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from understudy.aftermath import tell_kept
from understudy.arranging import hold_options, shard_of
from understudy.ci.github import publish
from understudy.console import Console
from understudy.errors import ExportError, InterruptedRunError, LimitError, ProvisionError, UnderstudyError, UsageError
from understudy.export import RunFolder
from understudy.export.folder import runs_of
from understudy.export.sinks import Stage, open_outbox
from understudy.interrupts import Interrupts, Rest
from understudy.joining import parts_of, rewrite, write_joined
from understudy.last_lines import last_lines
from understudy.lifecycle import command_of, hold_runs
from understudy.options import Options
from understudy.progress import Progress
from understudy.report import CauseRecord, RunRecord
from understudy.report.joining import Part
from understudy.report_html import read_record
from understudy.shard_process import ShardProcess, arguments_of, own_place, shares_of
from understudy.shard_tally import Tally, how_it_ended
from understudy.suites.shards import Shard
from understudy.suites.slots import processors

__all__ = ["Split", "run"]

POLL = 0.02
"""Seconds between two looks at the parts."""

HURRY = 2.2
"""Seconds after a second signal in which parts hand over, end, and are joined: a runner kills 2.5 s after it."""

PATIENCE = 900.0
"""Seconds that parts have to clean up once they were told to end; what is left then is ended at once."""


def run(options: Options, folder: Path, flags: Mapping[str, object], *, form: str) -> int:
    """Run all parts side by side and join them in one run folder; returns the exit code of the whole.

    Args:
        options: as they hold for the whole; `shards` is the number of parts.
        folder: the current folder.
        flags: the flags that the command was given, which each part is given too.
        form: `text` or `json`, the record on standard output.

    Raises:
        UsageError: the input is not usable; nothing was created.
        UnderstudyError: no part came as far as to have a run folder.
    """
    if shard_of(options) is not None or options.shard:
        raise UsageError(
            f"Both shards ({options.shards}, all of them here) and shard ({options.shard}, one of them here) are set.",
            hint="--shards splits one run on this machine, --shard a CI's over several: drop one.",
        )
    if options.workers is not None and options.workers < options.shards:
        raise UsageError(
            f"Shared {options.workers} test processes out over {options.shards} parts, and each needs one.",
            hint="Raise --workers, or lower --shards.",
        )
    with command_of(options, form) as (console, interrupts):
        hold_options(options)
        hold_runs(folder / options.runs)
        outbox = open_outbox(options, folder)
        outbox.check()
        with _place(runs_of(folder / options.runs)) as place:
            split = Split(options.shards, Tally(options.stop_after), console, interrupts)
            split.run(place, _commands(options, flags, place))
            record, made = _join(split, options, folder)
            errors = outbox.send(made.path, Stage.FINAL, stop=interrupts.stop, listener=console)
            if outbox.records:
                record = _sent(made, replace(record, sinks=outbox.records), errors)
        publish(record, made.path, os.environ, sys.stderr)
        _tell(record, made, console.say)
    if form == "json":
        click.echo(json.dumps(record.to_data(), indent=1))
    return record.exit_code


def _commands(options: Options, flags: Mapping[str, object], place: Path) -> Iterator[tuple[Shard, list[str]]]:
    for number, workers in enumerate(shares_of(options.workers or processors(), options.shards), 1):
        shard = Shard(number, options.shards)
        runs = own_place(place, shard)
        own = {"shards": 1, "shard": str(shard), "workers": workers, "progress": "json", "runs": str(runs)}
        yield shard, ShardProcess.command(arguments_of(flags, own))


@contextmanager
def _place(runs: Path) -> Iterator[Path]:
    """A folder beside run folders for the parts while they run; it goes unless it holds what could not be joined."""
    place = Path(tempfile.mkdtemp(prefix="parts-", dir=runs))
    try:
        yield place
    finally:
        if not any(place.glob("*/*/*/run.json")):
            shutil.rmtree(place, ignore_errors=True)


@dataclass
class Split(Rest):
    """All parts of one run, from the first start to the last end."""

    of: int
    tally: Tally
    console: Console
    interrupts: Interrupts
    parts: list[ShardProcess] = field(default_factory=list)
    codes: dict[Shard, int] = field(default_factory=dict)
    patience: float = PATIENCE
    _events: queue.SimpleQueue[tuple[Shard, Progress]] = field(default_factory=queue.SimpleQueue)
    _halted: bool = False
    _deadline: float | None = None

    def run(self, place: Path, commands: Iterator[tuple[Shard, list[str]]]) -> None:
        """Start every part and return when none is left; whatever happens here, each is told to end and waited for.

        Args:
            place: a folder, in which each part gets one of its own.
            commands: the argument vector of each part.
        """
        with ExitStack() as closing:
            try:
                self.interrupts.rest = self
                for shard, command in commands:
                    part = ShardProcess(shard, command, own_place(place, shard), lambda *heard: self._events.put(heard))
                    closing.callback(part.close)
                    self.parts.append(part)
                while self._look():
                    pass
            finally:
                self._end_all()
        self._hear_all(0.0)

    def _look(self) -> bool:
        """Take in what is new and pass on what follows from it; whether a part is left."""
        self._hear_all(POLL)
        for part in self.parts:
            if part.shard not in self.codes and (code := part.code) is not None:
                self.codes[part.shard] = code
                self.tally.ended(part.shard, code, time.time())
        if self.interrupts.interrupted and self._deadline is None:
            self._interrupt()
        if self.tally.reason is not None and not self._halted and not self.interrupts.interrupted:
            self._halted = True
            for part in self.parts:
                if part.shard != self.tally.reason.shard:
                    part.halt(self.tally.reason.why, self.tally.reason.at)
        if self._deadline is not None and time.monotonic() > self._deadline:
            for part in self.parts:
                part.kill()
        return len(self.codes) < len(self.parts)

    def _hear_all(self, wait: float) -> None:
        """Show what parts have said by now, waiting a moment for the first of it."""
        with suppress(queue.Empty):
            shard, event = self._events.get(timeout=wait) if wait else self._events.get_nowait()
            while True:
                self.tally.hear(shard, event)
                subject = f"{shard} {event.subject}".rstrip()
                with suppress(Exception):  # whatever a console does, the parts are watched
                    self.console(replace(event, subject=subject))
                shard, event = self._events.get_nowait()

    def _interrupt(self) -> None:
        """One signal to each part, which ends its suites, exports, and destroys."""
        self._deadline = time.monotonic() + self.patience
        for part in self.parts:
            part.interrupt()

    def _end_all(self) -> None:
        """After a regular end there is nothing to do."""
        if all(part.code is not None for part in self.parts):
            return
        self._interrupt()
        while self._look():
            pass

    def second(self) -> str:
        """See Rest.second."""
        return "Once more, and the parts leave the rest to the watchdog."

    def hand_over(self, *, asked: bool) -> str:
        """See Rest.hand_over: parts do it by themselves, each at its own deadline; asked again, at once.

        They are joined meanwhile, if that can be done in the time that there is.
        """
        if asked and self.parts:
            for part in self.parts:
                part.hurry()
            if not self.interrupts.over.wait(HURRY):
                return "the parts leave the rest to the watchdog; what is there yet is shown by: understudy list"
        return ""

    def remains(self) -> str:
        """See Rest.remains: this process ends, and parts that are left clean up by themselves."""
        left = [part for part in self.parts if part.code is None]
        told = [
            f"Part {part.shard} (process {part.pid}) is cleaning up by itself; if it is ended too, what remains is "
            f"removed by: understudy down {part.environment or '(see `understudy list`)'}"
            for part in left
        ]
        return "\n".join(told) or "Nothing remains."

    def causes(self) -> Iterator[CauseRecord]:
        """What the parts' own records cannot say: that a process was killed, or ended before it had a run folder."""
        for part in self.parts:
            code = self.codes.get(part.shard, 0)
            if code < 0 or (code and part.run_folder is None):
                yield CauseRecord.of(_ended(part, code), "join")


def _ended(part: ShardProcess, code: int) -> UnderstudyError:
    known = {2: UsageError, LimitError.exit_code: LimitError, InterruptedRunError.exit_code: InterruptedRunError}
    message = f"Ran part {part.shard}, and {how_it_ended(code)}"
    words = f": {said}" if (said := part.last_words()) and code > 0 else "."
    hint = ""
    if code < 0:
        hint = (
            "The watchdog removes what it has made; where there is none, that is removed by: understudy down "
            f"{part.environment or '(see `understudy list`)'}"
        )
    return known.get(code, ProvisionError)(message + words, hint=hint)


def _join(split: Split, options: Options, folder: Path) -> tuple[RunRecord, RunFolder]:
    """The joined run: the parts' folders are moved into its own.

    Raises:
        UnderstudyError: there is no part to be joined.
        UsageError: HEAD has moved between two starts.
    """
    found = [path for part in split.parts if (path := part.run_folder) is not None]
    causes = tuple(split.causes())
    if not found:
        raise _nothing(split)
    parts = parts_of([read_record(path) for path in found])
    made = RunFolder.create(folder / options.runs, "joined", datetime.now(UTC))
    _move(found, parts, made.path)
    return write_joined(made, parts, options, causes), made


def _nothing(split: Split) -> UnderstudyError:
    """Why there is no run: no part came so far, and mostly all for the same reason."""
    if split.interrupts.interrupted:
        return InterruptedRunError("Interrupted before any part had begun.")
    for part in split.parts:
        if code := split.codes.get(part.shard, 0):
            return _ended(part, code)
    return ProvisionError("Ran all parts, and none left a run folder.")


def _move(found: Sequence[Path], parts: Sequence[Part], target: Path) -> None:
    try:
        for path, part in zip(found, parts, strict=True):
            (target / part.folder).parent.mkdir(exist_ok=True, mode=0o700)
            path.rename(target / part.folder)
    except OSError as error:
        raise ExportError(f"Moved the parts to {target}, and it failed: {error}.") from error


def _sent(made: RunFolder, record: RunRecord, errors: Sequence[ExportError]) -> RunRecord:
    """Take into the joined record what came of its sinks."""
    for error in errors:
        record = record.with_cause(CauseRecord.of(error, "export"))
    return rewrite(made, record)


def _tell(record: RunRecord, made: RunFolder, say: Callable[[str], None]) -> None:
    """Say how each part ended, what the whole came to, and where all of it lies."""
    for part in record.parts:
        own = read_record(made.path / part.folder)
        end = f"exit code {own.exit_code}" if own.ended else "it did not end"
        say(f"part {part.shard}: {end}, environment {part.environment}, receipt: {part.receipt or 'none'}")
        tell_kept(own, say)
    for line in last_lines(record, made.path.resolve()):
        say(line)
