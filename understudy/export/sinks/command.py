"""Any command as a sink: an argument vector that is given the run folder, an allow-list of variables and a time."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from understudy.errors import UsageError
from understudy.export.sinks.budget import Budget
from understudy.export.sinks.interface import Delivery, SinkError
from understudy.redact import Redactor
from understudy.scratch import Scratch
from understudy.suites.contract import RESERVED, host_environment

__all__ = ["LOGS", "CommandSink", "command_sink"]

LOGS = "exports"
"""The folder in a run folder that has what sinks' commands printed."""

_PLACE = "{run}"
_GRACE = 2.0
_TICK = 0.1
_TAIL = 1 << 20
"""Bytes of a command's output that are kept, from its end."""

_WORDS = 300


@dataclass(frozen=True)
class CommandSink:
    """A command. `given` are the variables that the user lets it have; `number` tells its log from others'."""

    command: tuple[str, ...]
    folder: Path
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    number: int = 1

    @property
    def name(self) -> str:
        """`command` and the program's name; arguments may hold what others must not read."""
        return f"command {Path(self.command[0]).name}"

    def check(self) -> str:
        """Hold that the program is there.

        Raises:
            UsageError: it is not.
        """
        program = self.command[0]
        found = shutil.which(self.folder / program if "/" in program else program)
        if found is None:
            raise UsageError(
                f"Looked for the program {program!r} of an --export, and it is not there or cannot be run.",
                hint="A sink is s3://bucket/prefix or a command.",
            )
        return ""

    def send(self, delivery: Delivery, budget: Budget) -> None:
        """Run it, again where it fails; it has taken all when it exits with 0.

        Raises:
            SinkError: it did not start, exited with another code, or took too long.
        """
        budget.run(
            lambda: self._once(delivery, budget), again=lambda error: isinstance(error, SinkError) and error.again
        )

    def _once(self, delivery: Delivery, budget: Budget) -> None:
        with Scratch("export") as place:
            output = place / "output"
            try:
                code = self._run(delivery, budget, output)
            except OSError as error:
                raise SinkError(f"Started {self.command[0]}: {error}") from error
            told = self._keep(delivery, output)
        if code is None:
            raise SinkError(f"Ran {self.name}, and ended it: {budget.spent()}{told}")
        if code:
            raise SinkError(f"Ran {self.name}: exit code {code}{told}", again=True)

    def _run(self, delivery: Delivery, budget: Budget, output: Path) -> int | None:
        """Its exit code; None where its time was over and it was ended, with all that it started."""
        run = os.fspath(delivery.folder)
        arguments = [part.replace(_PLACE, run) for part in self.command]
        if arguments == list(self.command):
            arguments.append(run)
        own = {"UNDERSTUDY_RUN": run, "UNDERSTUDY_EXPORT_STAGE": delivery.stage.value}
        with output.open("wb") as out:
            process = subprocess.Popen(
                arguments,
                cwd=self.folder,
                env={**host_environment(self.given), **own},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            while budget.left() > 0:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(_TICK)
            return None
        finally:
            _end(process)

    def _keep(self, delivery: Delivery, output: Path) -> str:
        """Append what it printed to its log, without secrets; returns its last line, for a message."""
        with output.open("rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size - _TAIL))
            text = source.read().decode("utf-8", "replace")
        text = Redactor(self.given.values()).text(delivery.redactor.text(text))
        log = delivery.folder / LOGS / f"{self.number}-{Path(self.command[0]).name}.log"
        with contextlib.suppress(OSError):  # its output is no evidence: what it took is
            log.parent.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(text)
        lines = text.strip().splitlines()
        return f"; its last line: {lines[-1][:_WORDS]}" if lines else ""


def command_sink(text: str, folder: Path, names: Sequence[str], host: Mapping[str, str], number: int) -> CommandSink:
    """The sink that a text names, split into arguments by a POSIX shell's rules for quotes and given to no shell.

    `names` are the variables of `host` that the command gets beside the allow-list.

    Raises:
        UsageError: the text is no command, or a variable is not set or never handed on.
    """
    try:
        command = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"Read a command of --export, and it is none: {error}.") from error
    if not command or not command[0]:
        raise UsageError("Read a sink of --export, and it is empty.")
    for name in names:
        if name.upper().startswith(RESERVED):
            raise UsageError(f"Variable {name!r} was to be given to an --export; Understudy's and Pulumi's never are.")
        if name not in host:
            raise UsageError(f"Looked for variable {name!r}, which an --export is to be given, and it is not set.")
    return CommandSink(command, folder, {name: host[name] for name in names}, number)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a command's group: SIGTERM, a grace, SIGKILL; nothing where it ended by itself."""
    ended = process.poll() is not None
    for number in (signal.SIGTERM, signal.SIGKILL) if not ended else (signal.SIGKILL,):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
