"""Exporting again: an existing run folder is sent to sinks, for whom a run could not reach or did not know."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from understudy.console import make_console
from understudy.errors import ExportError, InterruptedRunError, UsageError
from understudy.export.runs import find_run
from understudy.export.sinks import Stage, open_outbox
from understudy.interrupts import Interrupts
from understudy.options import Options
from understudy.report.codec import encode

__all__ = ["export"]


def export(options: Options, folder: Path, name: str, *, form: str) -> int:
    """Send the folder of a past run to every sink; returns 0, or 6 where one failed. The folder's record stays.

    Raises:
        NotFoundError: there is no such run.
        UsageError: no sink is named, or one cannot be used.
        InterruptedRunError: a signal came.
    """
    run = find_run(folder / options.runs, name)
    outbox = open_outbox(options, folder)
    if not outbox.sinks:
        raise UsageError(
            f"Run {run.name} was to be sent, and no sink is named.",
            hint="Name one: --export s3://bucket/prefix, or `export` in understudy.toml.",
        )
    outbox.check()
    out = sys.stderr if form == "json" else sys.stdout
    with make_console(options.progress, out) as console, Interrupts(console.note) as interrupts:
        errors = outbox.send(run, Stage.FINAL, stop=interrupts.stop, listener=console)
        for error in errors:
            console.say(str(error))
        if errors and interrupts.interrupted:
            raise InterruptedRunError(f"Interrupted while run {run.name} was sent.")
    if form == "json":
        data = {"run": run.name, "sinks": [encode(record) for record in outbox.records]}
        click.echo(json.dumps(data, indent=1))
    return ExportError.exit_code if errors else 0
