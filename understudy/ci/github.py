"""A run told to GitHub Actions by the job's own means: annotations in the log, the step's summary, its outputs."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from understudy.ci.annotations import annotated, command
from understudy.report import RunRecord
from understudy.report.summary import STEP_LIMIT, is_up, summary, verdict

__all__ = ["outputs", "publish"]


def publish(record: RunRecord, folder: Path, variables: Mapping[str, str], out: TextIO) -> None:
    """Tell the job of a run: nothing happens outside GitHub Actions, and nothing here fails a run.

    Args:
        record: the run's record, with the secrets taken out.
        folder: its run folder.
        variables: the process's environment; GITHUB_ACTIONS, GITHUB_STEP_SUMMARY and GITHUB_OUTPUT count.
        out: where commands go: the runner reads standard output and standard error alike.
    """
    if variables.get("GITHUB_ACTIONS") != "true":
        return
    lines = [*annotated(record)]
    if path := variables.get("GITHUB_STEP_SUMMARY"):
        lines += _told("the step's summary", lambda: _append_summary(Path(path), record))
    if place := variables.get("GITHUB_OUTPUT"):
        text = "".join(_entry(name, value) for name, value in outputs(record, folder).items())
        lines += _told("the step's outputs", lambda: _append(Path(place), text))
    for line in lines:
        print(line.encode("utf-8", "backslashreplace").decode(), file=out, flush=True)


def outputs(record: RunRecord, folder: Path) -> dict[str, str]:
    """The step's outputs; `urls` is a JSON object, empty where the environment is gone."""
    urls = {f"{each.service}:{each.port}": each.url for each in record.endpoints} if is_up(record) else {}
    return {
        "environment": record.environment,
        "verdict": verdict(record),
        "exit-code": str(record.exit_code),
        "run": record.run,
        "run-folder": os.fspath(folder.resolve()),
        "urls": json.dumps(urls),
    }


def _entry(name: str, value: str) -> str:
    """A multi-line value between delimiters that nobody can know before ("Workflow commands", setting outputs)."""
    delimiter = f"understudy_{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _append_summary(path: Path, record: RunRecord) -> None:
    """Append the summary within what is left of the step's limit; in bytes, of which a character has up to four."""
    left = STEP_LIMIT - (path.stat().st_size if path.exists() else 0)
    text, limit = "", left
    while limit > 0 and len((text := summary(record, limit=limit)).encode("utf-8", "backslashreplace")) > left:
        limit //= 2
    if limit > 0:
        _append(path, text)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8", errors="backslashreplace") as out:
        out.write(text)


def _told(what: str, write: Callable[[], None]) -> list[str]:
    """Write, or say as a warning why that was not possible."""
    try:
        write()
    except OSError as error:
        return [command("warning", f"Wrote {what}, and it failed: {error}.", {"title": "Understudy"})]
    return []
