"""Past runs by name: a folder, an id below understudy-runs, or `latest`; one resolver for every command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from understudy.errors import NotFoundError
from understudy.export.folder import RUNS
from understudy.files import open_regular
from understudy.report import RunRecord

__all__ = ["find_run", "kept_runs", "run_folder"]

_MOST_RUNS = 500
"""Run folders that are looked through for a branch's newest; more are not read."""


def run_folder(base: Path, name: str) -> Path | None:
    """The folder of a run: its path, or its id below `base`/understudy-runs, or `latest` there; None: no such run."""
    if "\0" in name or not name:
        return None
    places = [base / RUNS / name] if "/" not in name and name not in {".", ".."} else []
    return next((place.resolve() for place in (*places, Path(name)) if (place / "run.json").is_file()), None)


def kept_runs(base: Path) -> Iterator[tuple[Path, RunRecord]]:
    """The runs below `base`/understudy-runs, newest first; what cannot be read is left out."""
    try:
        names = sorted((path.name for path in (base / RUNS).iterdir() if not path.is_symlink()), reverse=True)
    except OSError:
        return
    for name in names[:_MOST_RUNS]:
        try:
            with open_regular(base / RUNS / name / "run.json") as source:  # a commit may bring a link to a device
                record = RunRecord.from_json(source.read().decode("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        yield base / RUNS / name, record


def find_run(base: Path, name: str) -> Path:
    """The same as `run_folder`, for what has to be there.

    Raises:
        NotFoundError: there is no such run.
    """
    found = run_folder(base, name)
    if found is None:
        raise NotFoundError(f"Looked for run {name!r}, and there is none.", hint=f"Runs are folders of {base / RUNS}.")
    return found
