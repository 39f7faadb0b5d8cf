"""`understudy report --merge`: the run folders of all parts as one new run folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from understudy.console import printable
from understudy.errors import ExportError, UsageError
from understudy.export import RunFolder
from understudy.export.runs import find_run
from understudy.files import open_regular, write_file
from understudy.history.access import remember
from understudy.history.place import history_place
from understudy.last_lines import last_lines
from understudy.options import Options
from understudy.report import CaseRecord, CauseRecord, Moment, RunRecord, SuiteRecord
from understudy.report.joining import Part, join
from understudy.report_html import read_record, write_report
from understudy.reporting import run as render
from understudy.suites.junit import render_junit
from understudy.suites.results import Attempt, Case, SuiteResult

__all__ = ["merge", "parts_of", "rewrite", "write_joined"]


def merge(options: Options, folder: Path, names: Sequence[str], *, form: str, output: str) -> int:
    """Join the parts of a split run in a new run folder; returns its exit code, which is 0 where all of it passed.

    Each part's whole folder is kept below `parts/`.

    Args:
        options: `runs` says where run folders are; `history` remembers the whole, if none of its parts is there.
        folder: the current folder.
        names: the runs: ids, folders, or `latest`.
        form: how it is printed, one of `reporting.FORMATS`; `html` without `output`: its last lines as text.
        output: where it is written beside the new folder, as in `reporting.run`.

    Raises:
        NotFoundError: a run is not there.
        UsageError: they are not parts of one commit and one split.
        ExportError: the folder cannot be written.
    """
    if not names:
        raise UsageError("Joined parts, and no run folder was named.", hint="Name the run folder of every part.")
    found = [find_run(folder / options.runs, name) for name in dict.fromkeys(names)]
    records = [read_record(path) for path in found]
    parts = parts_of(records)
    join(parts, "")  # refuses what does not belong together, before anything is made
    made = RunFolder.create(folder / options.runs, "joined", datetime.now(UTC))
    try:
        for part, path in zip(parts, found, strict=True):
            _copy(path, made.path / part.folder)
    except OSError as error:
        raise ExportError(f"Copied the parts to {made.path}, and it failed: {error}.") from error
    record = write_joined(made, parts, options)
    rendered = form != "html" or bool(output)
    for line in last_lines(record, made.path.resolve()):
        click.echo(printable(line), err=rendered)
    for cause in record.causes:
        click.echo(printable(cause.message), err=True)
    if rendered:
        render(options, folder, os.fspath(made.path), form=form, output=output)
    return record.exit_code


def parts_of(records: Sequence[RunRecord]) -> list[Part]:
    """The records as parts, each of whose folder lies below `parts/` of the joined run's."""
    return [Part(record, f"parts/{record.shard.replace('/', '-of-')}") for record in records]


def write_joined(
    made: RunFolder, parts: Sequence[Part], options: Options, causes: Sequence[CauseRecord] = ()
) -> RunRecord:
    """Write what joins parts whose folders are there: record, JUnit, summary and page; returns the record.

    Args:
        made: the folder of the joined run.
        parts: the parts.
        options: `history` remembers the whole, if none of its parts is there.
        causes: what else went wrong, before all that the parts say.

    Raises:
        UsageError: they are not parts of one commit and one split.
        ExportError: the folder cannot be written.
    """
    whole = join(parts, made.name)
    record = replace(whole, causes=())
    for cause in (*causes, *whole.causes):
        record = record.with_cause(cause)
    try:
        write_file(made.path / "junit.xml", render_junit([_result(suite) for suite in record.suites]))
    except OSError as error:
        raise ExportError(f"Joined the parts in {made.path}, and it failed: {error}.") from error
    record = remember(history_place(options.history), record, beside=[part.record.run for part in parts])
    files = {*made.files(), "run.json", "summary.md", "report.html"}
    return rewrite(made, replace(record, files=tuple(sorted(files))))


def rewrite(made: RunFolder, record: RunRecord) -> RunRecord:
    """Write a joined run's record, its summary and its page; returns the record as it is then.

    Raises:
        ExportError: the folder cannot be written.
    """
    made.write_run(record)
    made.write_summary(record)
    write_report(made.path)
    return record


def _copy(source: Path, target: Path) -> None:
    """The regular files of a run folder, without links that lead out of it; modes are those of a run folder."""
    target.mkdir(parents=True, mode=0o700)
    for parent, folders, files in os.walk(source):
        here = target / Path(parent).relative_to(source)
        for name in folders:
            if not Path(parent, name).is_symlink():
                (here / name).mkdir(mode=0o700)
        for name in files:
            if Path(parent, name).is_symlink():
                continue
            handle = os.open(here / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open_regular(Path(parent, name)) as data, os.fdopen(handle, "wb") as out:
                shutil.copyfileobj(data, out)


def _result(suite: SuiteRecord) -> SuiteResult:
    """A suite's record as the result that JUnit is made of."""
    return SuiteResult(
        name=suite.name,
        status=suite.status,
        reason=suite.reason,
        command=suite.command,
        exit_code=suite.exit_code,
        started=_seconds(suite.started),
        seconds=suite.seconds,
        workers=suite.workers,
        cases=tuple(map(_case, suite.tests)),
    )


def _case(test: CaseRecord) -> Case:
    return Case(
        id=test.id,
        outcome=test.outcome,
        seconds=test.seconds,
        started=_seconds(test.started),
        message=test.message,
        detail=test.detail,
        sections=tuple((section.title, section.text) for section in test.sections),
        file=test.file,
        line=test.line,
        earlier=tuple(
            Attempt(
                each.outcome,
                each.seconds,
                message=each.message,
                detail=each.detail,
                sections=tuple((section.title, section.text) for section in each.sections),
            )
            for each in test.earlier
        ),
    )


def _seconds(moment: Moment | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()
