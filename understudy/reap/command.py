"""`understudy reap`: one pass, a pass every so often in the foreground, or giving up what nobody can judge."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from understudy.console import make_console, printable
from understudy.errors import InterruptedRunError, LeftoversError, ToolError, UnderstudyError, UsageError
from understudy.interrupts import Interrupts, Rest
from understudy.options import Options
from understudy.progress import ProgressListener, silent
from understudy.reap.forget import forget, forget_stack
from understudy.reap.model import Policy
from understudy.reap.passing import Pass, reap
from understudy.reap.text import as_data, as_line, as_text
from understudy.session import open_session
from understudy.stacks.identity import format_time
from understudy.stops import Stop

__all__ = ["Wanted", "every", "run"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `understudy reap` was asked for; durations in seconds, 0: none."""

    older_than: float = 0.0
    yes: bool = False
    max_destroy: int | None = None
    every: float = 0.0
    forget_target: str = ""
    forget_stack: str = ""
    form: str = "text"


class _NextPass(Rest):
    """What a pass that is cut off leaves: environments whose leases name a dead owner."""

    def hand_over(self, *, asked: bool) -> str:  # noqa: ARG002 - it is as good at either time
        """See Rest.hand_over."""
        return "the next pass, run or up on this backend and target goes on with what was in hand"


def run(options: Options, folder: Path, wanted: Wanted) -> int:
    """Reap, and print what was found and done; returns the exit code.

    Raises:
        UsageError: options that contradict each other.
        LeftoversError: nobody could look.
        InterruptedRunError: a signal came before a single pass was over.
    """
    if (
        len([each for each in (wanted.forget_target, wanted.forget_stack, wanted.every or wanted.older_than) if each])
        > 1
    ):
        raise UsageError(
            "--forget-target and --forget-stack each give up one thing, once; --every and --older-than do not apply."
        )
    out = sys.stderr if wanted.form == "json" or wanted.every else sys.stdout
    with make_console(options.progress, out) as console, Interrupts(console.note) as interrupts:
        interrupts.rest = _NextPass()
        if wanted.every:
            return every(wanted.every, lambda: _line(options, folder, wanted, interrupts.stop), interrupts.stop, _say)
        if wanted.forget_target:
            return forget(
                options, folder, console, interrupts.stop, wanted.forget_target, dry=not wanted.yes, form=wanted.form
            )
        try:
            if wanted.forget_stack:
                return forget_stack(
                    options, folder, console, interrupts.stop, wanted.forget_stack, dry=not wanted.yes, form=wanted.form
                )
            made = _pass(options, folder, wanted, console, interrupts.stop)
        except ToolError as error:
            raise LeftoversError(f"Nobody could look: {error.args[0]}", hint=error.hint) from error
        text = json.dumps(as_data(made), indent=1) if wanted.form == "json" else as_text(made)
        if wanted.form == "json":
            click.echo(text)
        else:
            console.say(text)
        if interrupts.interrupted:
            raise InterruptedRunError("Interrupted; what was in hand is gone on with by the next pass.")
    return made.exit_code


def every(
    period: float,
    once: Callable[[], str],
    stop: threading.Event,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """One pass each `period` seconds, counted from the first, until `stop` is set; returns 0.

    A pass that takes longer than the period leaves out those that would have begun meanwhile: no two overlap. One
    that fails is a line like any other, and the next one comes.

    Args:
        period: seconds.
        once: makes one pass and says its line.
        stop: ends the waiting, and a pass too.
        say: takes each line.
        clock: seconds that only go forward.
    """
    began = clock()
    while not stop.is_set():
        say(once())
        passed = clock() - began
        stop.wait((passed // period + 1) * period - passed)
    return 0


def _line(options: Options, folder: Path, wanted: Wanted, stop: Stop) -> str:
    """One pass as one line, whatever happens."""
    try:
        made = _pass(options, folder, wanted, silent, stop)
    except UnderstudyError as error:
        moment = format_time(datetime.now(UTC))
        reason = printable(str(error.args[0])).replace("\n", " ")
        if wanted.form == "json":
            return json.dumps({"now": moment, "problems": [reason], "exit_code": LeftoversError.exit_code})
        return f"{moment} UNKNOWN: {reason}; exit {LeftoversError.exit_code}"
    return json.dumps(as_data(made)) if wanted.form == "json" else as_line(made)


def _pass(options: Options, folder: Path, wanted: Wanted, listener: ProgressListener, stop: Stop) -> Pass:
    with open_session(options, folder, listener, stop) as session:
        return reap(session, Policy(wanted.older_than), dry=not wanted.yes, most=wanted.max_destroy)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
