"""Writing the page: read a run folder's record and logs, render, and put the file in its place whole or not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from understudy.errors import ExportError, UsageError
from understudy.files import write_file
from understudy.report import RecordError, RunRecord
from understudy.report_html.evidence import logs_of
from understudy.report_html.page import render

__all__ = ["REPORT", "page_of", "read_record", "write_report"]

REPORT = "report.html"
"""The page's name in a run folder."""


def read_record(folder: Path) -> RunRecord:
    """The record of a run folder.

    Raises:
        UsageError: it cannot be read, or is none of this version.
    """
    path = folder / "run.json"
    try:
        return RunRecord.from_json(path.read_text(encoding="utf-8"))
    except (OSError, RecordError, ValueError, RecursionError) as error:
        raise UsageError(
            f"Read the record {path}, and it failed: {error}.",
            hint="A report is made of a run folder by a version of Understudy that knows its record.",
        ) from error


def page_of(folder: Path, base: str | None = ".") -> str:
    """The page of a run folder; `base` is where the folder lies from the page, None: nowhere.

    Raises:
        UsageError: the folder has no record that can be read.
    """
    record = read_record(folder)
    if not record.files:  # they are listed at a run's end, which this one did not reach
        there = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        record = replace(record, files=tuple(sorted(path.relative_to(folder).as_posix() for path in there)))
    return render(record, logs_of(record, folder), base)


def write_report(folder: Path, output: Path | None = None) -> Path:
    """Write the page of a run folder into it, or to `output`, from where its links lead back; returns its path.

    The folder's texts are redacted already, and so the page is.

    Raises:
        UsageError: the folder has no record that can be read.
        ExportError: the page cannot be written.
    """
    path = output or folder / REPORT
    page = page_of(folder, Path(os.path.relpath(folder, path.parent)).as_posix())
    try:
        write_file(path, page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise ExportError(f"Wrote the report {path}, and it failed: {error}.") from error
    return path
