"""`understudy report`: a past run rendered anew from its folder, at any later time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from understudy.errors import UsageError
from understudy.export.runs import find_run
from understudy.options import Options
from understudy.report.summary import summary
from understudy.report_html import page_of, read_record, write_report

__all__ = ["FORMATS", "run"]

_STDOUT = "-"


def _json(folder: Path) -> str:
    return read_record(folder).to_json()


def _markdown(folder: Path) -> str:
    return summary(read_record(folder))


FORMATS: Mapping[str, Callable[[Path], str]] = {
    "html": lambda folder: page_of(folder, None),
    "markdown": _markdown,
    "json": _json,
}
"""Format -> the text that it makes of a run folder."""


def run(options: Options, folder: Path, name: str, *, form: str, output: str) -> int:
    """Render a run; returns 0. The page goes into the run folder, or where `output` says; any other text to the output.

    Args:
        options: `runs` says where run folders are.
        folder: the current folder.
        name: a run's id, its folder, or `latest`.
        form: one of `FORMATS`.
        output: a file; `-` is the standard output; empty: `report.html` in the run folder, for other formats `-`.

    Raises:
        NotFoundError: there is no such run.
        UsageError: its record cannot be read.
        ExportError: the page cannot be written.
    """
    found = find_run(folder / options.runs, name)
    if form == "html" and output != _STDOUT:
        click.echo(os.fspath(write_report(found, folder / output if output else None).resolve()))
        return 0
    _put(FORMATS[form](found), output or _STDOUT, folder)
    return 0


def _put(text: str, output: str, folder: Path) -> None:
    """UTF-8, whatever the locale says."""
    data = text.encode("utf-8", "backslashreplace")
    if output == _STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        (folder / output).write_bytes(data)
    except OSError as error:
        raise UsageError(f"Wrote {folder / output}, and it failed: {error}.", hint="Name another --output.") from error
