"""`understudy diff`: find the sides, compare them, ask the engine or the target if that is wanted, and print."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click

from understudy import __version__
from understudy.diff.pair import pair, told
from understudy.diff.record import DifferenceRecord, DiffRecord, counted
from understudy.diff.side import Side
from understudy.diff.sides import Sides
from understudy.errors import UsageError
from understudy.options import Options
from understudy.progress import silent
from understudy.stacks.compare import SECTIONS
from understudy.stacks.differences import Difference, differences
from understudy.stops import Stop

__all__ = ["FORMATS", "Wanted", "compare_sides", "run"]

FORMATS = ("text", "json", "markdown", "html")

DIFFERENT = 1
"""The exit code of `--exit-code` where something differs."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for beside the sides."""

    engine: bool = False
    drift: bool = False
    form: str = "text"
    exit_code: bool = False


def run(options: Options, folder: Path, first: str | None, second: str | None, wanted: Wanted) -> int:
    """Print what differs; returns 0, or with `exit_code` 1 where something does.

    Raises:
        UsageError: a side cannot be read, or what is asked for does not go together.
        NotFoundError: there is no such environment or run.
        ToolError: the engine or the target is asked, and does not answer.
    """
    if wanted.drift and (wanted.engine or second is not None):
        raise UsageError(
            "Drift compares one environment with its target.", hint="Name the environment alone: --drift ENV."
        )
    record = _drifted(options, folder, first) if wanted.drift else _compared(options, folder, first, second, wanted)
    _put(_rendered(record, wanted.form))
    if wanted.form == "text":
        from understudy.console import printable

        for line in record.warnings:
            click.echo(f"understudy: {printable(line)}", err=True)
    return DIFFERENT if wanted.exit_code and record.different else 0


def compare_sides(before: Side, after: Side) -> DiffRecord:
    """The record of two sides."""
    found = tuple(map(DifferenceRecord.of, _differences(before, after)))
    parts = {
        f"{section}.{name}"
        for section in SECTIONS
        for side in (before, after)
        for name in getattr(side.compared.topology, section)
    }
    return DiffRecord(
        "topology",
        before.record,
        after.record,
        project=after.compared.topology.name,
        different=bool(found),
        unchanged=len(parts - {each.subject for each in found}),
        differences=found,
        fidelity=counted(found),
        warnings=tuple(dict.fromkeys((*before.warnings, *after.warnings))),
        version=__version__,
    )


def _differences(before: Side, after: Side) -> tuple[Difference, ...]:
    """Production against a commit is that commit's own record, whichever stands first."""
    kinds = (before.record.kind, after.record.kind)
    if kinds == ("commit", "production"):
        turned = differences(after.compared, before.compared, derived=True)
        return tuple(replace(each, before=each.after, after=each.before) for each in turned)
    return differences(before.compared, after.compared, derived=kinds == ("production", "commit"))


def _compared(options: Options, folder: Path, first: str | None, second: str | None, wanted: Wanted) -> DiffRecord:
    before, after = pair(Sides(options, folder), first, second)
    record = compare_sides(before, after)
    if not wanted.engine:
        return record
    from understudy.diff.preview import foreseen, hold_previewed
    from understudy.session import open_session

    hold_previewed(options, before)
    with open_session(options, folder, silent, Stop(), of=lambda _store: before.lease) as session:
        preview, told = foreseen(session, before, after)
    different = record.different or preview.changes > 0
    return replace(record, preview=preview, different=different, warnings=(*record.warnings, *told))


def _drifted(options: Options, folder: Path, name: str | None) -> DiffRecord:
    from understudy.diff.drift import drift_of, hold_drifting
    from understudy.session import open_session

    side = told(Sides(options, folder), f"env:{name or ''}")
    lease = hold_drifting(side)
    with open_session(options, folder, silent, Stop(), of=lambda _store: lease) as session:
        return drift_of(session, side, lease)


def _rendered(record: DiffRecord, form: str) -> str:
    match form:
        case "json":
            return record.to_json()
        case "markdown":
            from understudy.diff.markdown import render as markdown

            return markdown(record)
        case "html":
            from understudy.diff.html import render as html

            return html(record)
    from understudy.diff.text import render

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 80
    return render(record, width=min(width, 120), colour=terminal and not os.environ.get("NO_COLOR"))


def _put(text: str) -> None:
    """UTF-8, whatever the locale says: a page in a file has to be what its head says it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
