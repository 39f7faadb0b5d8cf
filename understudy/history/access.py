"""The history beside a run: read before it, written after it, and neither may fail it or hold it up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from understudy.build.git import Repository
from understudy.errors import UnderstudyError
from understudy.history.past import NOTHING, Pass, Past
from understudy.history.place import Place
from understudy.report import RunRecord

__all__ = ["base_branch", "in_time", "passes", "recall", "remember"]

T = TypeVar("T")

READ, WRITE = 10.0, 15.0
"""Seconds after which a run goes on without what it asked of the history."""


def in_time(work: Callable[[], T], limit: float) -> T:
    """What `work` returns, if it does so within `limit` seconds; else it is left alone, and ends with the process.

    Raises:
        UnderstudyError: it took longer, or what `work` raises.
    """
    done: list[T] = []
    wrong: list[Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:  # noqa: BLE001 - raised again below, by the thread that waits
            wrong.append(error)

    thread = threading.Thread(target=run, name="history", daemon=True)
    thread.start()
    thread.join(limit)
    if wrong:
        raise wrong[0]
    if not done:
        raise UnderstudyError(f"Used the history, and it did not answer within {limit:g} s.")
    return done[0]


def base_branch(repository: Repository | None, production_ref: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The branch that this one is compared with, and how it was found; both empty: there is none.

    GitHub ("Default environment variables") and GitLab ("Predefined CI/CD variables") name the branch that a pull or
    merge request goes to.
    """
    for variable in ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"):
        if environ.get(variable):
            return environ[variable], variable
    if production_ref:
        return production_ref.removeprefix("origin/"), "where production is read"
    found = repository.default_ref(environ) if repository is not None else ""
    return (found.removeprefix("origin/"), "the default branch") if found else ("", "")


def recall(place: Place | None, *, repository: str, topology: str, branch: str, base: tuple[str, str]) -> Past:
    """What is known of earlier runs; nothing, and the problem, where the history cannot be read."""
    if place is None:
        return NOTHING
    known = place

    def read() -> Past:
        from understudy.history.questions import past
        from understudy.history.store import History

        with History(known).transaction() as connection:
            return past(connection, repository, topology, branch, base[0])

    try:
        found = in_time(read, READ)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a database, the run goes on
        return Past(problem=f"the history was not read: {_one_line(error)}")
    beside = f" and of its base {base[0]} ({base[1]})" if base[0] and base[0] != branch else ""
    return replace(found, note=f"runs of branch {branch or '(none)'}{beside}" if found.tests or found.suites else "")


def passes(
    place: Place | None, *, repository: str, topology: str, keys: Mapping[str, str], since: str
) -> tuple[Mapping[str, Pass], str]:
    """Suite -> its newest pass under its key, no older than `since`; and the problem, where it cannot be read."""
    if place is None or not keys:
        return {}, ""
    known = place

    def read() -> Mapping[str, Pass]:
        from understudy.history.passes import passes_of
        from understudy.history.store import History

        with History(known).transaction() as connection:
            return passes_of(connection, repository, topology, keys, since)

    try:
        return in_time(read, READ), ""
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a database, the suites run
        return {}, f"the history was not read: {_one_line(error)}"


def remember(place: Place | None, record: RunRecord, beside: Sequence[str] = ()) -> RunRecord:
    """Write what a run came to, unless one of the runs `beside` is there, which are its parts.

    The record comes back, with a warning where it could not be written.
    """
    if place is None:
        return record
    known = place

    def write() -> bool:
        from understudy.history.store import History, Keep

        history = History(known)
        return not any(history.knows(record, run) for run in beside) and history.add(record, Keep())

    try:
        in_time(write, WRITE)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a database, the run is as it is
        return replace(record, warnings=(*record.warnings, f"the history was not written: {_one_line(error)}"))
    return record


def _one_line(error: Exception) -> str:
    said = str(error) if isinstance(error, UnderstudyError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())
