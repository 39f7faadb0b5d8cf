"""`understudy comment`: a run and the differences from production as one comment, made of records and never of text."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import click

from understudy.ci.notes import Posted, put
from understudy.ci.pulls import forge_of, run_url
from understudy.console import printable
from understudy.diff.markdown import render as diff_markdown
from understudy.diff.record import DiffRecord
from understudy.errors import UsageError
from understudy.export.runs import find_run
from understudy.files import open_regular
from understudy.options import Options
from understudy.report import RecordError, RunRecord
from understudy.report.markdown import COMMENT_LIMIT, marker
from understudy.report.summary import summary

__all__ = ["Wanted", "body_of", "run"]

DIFF = "diff.json"
"""The file of a run folder in which `understudy diff --format json` is looked for."""

_LARGEST = 256 << 20
_SUMMARY_LIMIT = COMMENT_LIMIT * 2 // 3
"""Characters of the summary; the differences have the rest, and never less than a third."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for.

    `run` is an id, a folder or `latest`; `diff` a file of `understudy diff --format json` (empty: that in the run
    folder, if there is one); `key` tells several such comments on one pull request apart; `number` is the pull
    request's (None: the CI tells); `form` is text or json.
    """

    run: str
    diff: str
    key: str
    number: int | None
    form: str


def run(options: Options, folder: Path, wanted: Wanted) -> int:
    """Write or change the comment on the pull request that this CI job is about; returns 0.

    Raises:
        UsageError: a record cannot be read, or this is no CI job with a token.
        NotFoundError: there is no such run.
        ApiError: the service refuses, or fails for too long.
    """
    place = find_run(folder / options.runs, wanted.run)
    record = _read_run(place / "run.json")
    file = folder / wanted.diff if wanted.diff else place / DIFF
    differences = _read_diff(file) if wanted.diff or file.exists() else None
    notes = forge_of(os.environ, wanted.number)
    posted = None
    if notes is not None:
        mark = marker("comment", wanted.key)
        posted = put(notes, mark, body_of(record, differences, mark=mark, url=run_url(os.environ)))
    _say(posted, wanted.form)
    return 0


def _say(posted: Posted | None, form: str) -> None:
    done = "none" if posted is None else "changed" if posted.changed else "written"
    url = posted.url if posted else ""
    if form == "json":
        click.echo(json.dumps({"comment": done, "url": url}))
    elif posted is None:
        click.echo("no open pull request has this commit at its head: nothing is written")
    else:
        click.echo(printable(f"comment {done}: {url}".rstrip(": ")))


def body_of(record: RunRecord, differences: DiffRecord | None, *, mark: str, url: str = "") -> str:
    """The comment: at most as long as GitHub takes it, and escaped whatever the records hold."""
    parts = [mark, summary(record, limit=_SUMMARY_LIMIT).rstrip("\n")]
    if url:
        parts.append(f"[The run]({url}) has the log and the run folder.")
    text = "\n\n".join(parts)
    if differences is not None:
        text += "\n\n" + diff_markdown(differences, limit=COMMENT_LIMIT - len(text) - 2).rstrip("\n")
    return text


def _read_run(path: Path) -> RunRecord:
    try:
        return RunRecord.from_json(_read(path))
    except RecordError as error:
        raise UsageError(f"Read the run record {path}, and it is none of this version: {error}.") from error


def _read_diff(path: Path) -> DiffRecord:
    try:
        return DiffRecord.from_json(_read(path))
    except RecordError as error:
        raise UsageError(
            f"Read the differences in {path}, and they are no record of this version: {error}.",
            hint="`understudy diff --format json` writes one.",
        ) from error


def _read(path: Path) -> str:
    """A file that may come from a stranger's job: a regular one, of a size, in UTF-8."""
    try:
        with open_regular(path) as source:
            data = source.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"Read {path}, and it failed: {error.strerror or error}.") from error
    if len(data) > _LARGEST:
        raise UsageError(f"Read {path}, and it is larger than {_LARGEST >> 20} MiB.")
    return data.decode("utf-8", "replace")
