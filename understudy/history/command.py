"""`understudy history`: what earlier runs of this repository came to, for people, for programs, and for shards."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from understudy.build.git import Repository
from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.files import write_file
from understudy.history.access import base_branch, in_time
from understudy.history.place import Place, history_place
from understudy.history.text import DEFINITION, render_runs, render_tests
from understudy.options import Options

__all__ = ["Wanted", "run"]

_LIMIT = 60.0
_NARROWEST = 60
_UNCUT = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: a test (part of an id, or a suite's name), a branch, so many runs, the format, a file."""

    test: str = ""
    branch: str = ""
    runs: int = 20
    form: str = "text"
    export: str = ""
    topology: str = ""


def run(options: Options, folder: Path, wanted: Wanted) -> int:
    """Print what is asked for, or write the file of durations; returns 0.

    Raises:
        UsageError: the history is off, or the folder is in no repository.
        NotFoundError: no run or no test is there.
        HistoryError: the history cannot be read.
    """
    place = history_place(options.history)
    if place is None:
        raise UsageError("Looked for the history, and it is off.", hint="Name one with --history.")
    repository = Repository.find(folder)
    if wanted.export:
        return in_time(lambda: _export(place, repository, wanted), _LIMIT)
    return in_time(lambda: _show(place, repository.origin(), wanted), _LIMIT)


def _show(place: Place, origin: str, wanted: Wanted) -> int:
    from understudy.history.questions import ends_of, recent, tests_of
    from understudy.history.store import History

    with History(place).transaction() as connection:
        runs = recent(connection, origin, wanted.branch, wanted.runs)
        tests = tests_of(connection, list(runs), wanted.test)
        ends = ends_of(connection, runs, wanted.test) if wanted.test else {}
    if not runs:
        of = f" of branch {wanted.branch!r}" if wanted.branch else ""
        raise NotFoundError(f"Looked in {place.name} for runs of {origin}{of}, and there is none.")
    if wanted.test and not ends:
        raise NotFoundError(
            f"Looked in the newest {len(runs)} runs of {origin} for a test that holds {wanted.test!r}, and none does.",
            hint="Give a part of the test's id, or a suite's name; --last looks further back.",
        )
    if wanted.form == "json":
        data = {
            "schema": 1,
            "repository": origin,
            "flaky": " ".join(DEFINITION.split()),
            "runs": [asdict(each) for each in runs.values()],
            "tests": [
                {
                    **asdict(test),
                    "rate": test.rate,
                    "ends": [
                        {"run": run.run, "outcome": outcome, "seconds": seconds}
                        for run, outcome, seconds in ends.get((test.topology, test.suite, test.test), ())
                    ],
                }
                for test in tests
            ],
        }
        click.echo(json.dumps(data, indent=1))
        return 0
    width = max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST) if sys.stdout.isatty() else _UNCUT
    shown = render_tests(tests, ends, width=width) if wanted.test else render_runs(runs.values(), tests, width=width)
    click.echo(shown)
    return 0


def _export(place: Place, repository: Repository, wanted: Wanted) -> int:
    """Write the usual durations of the branch asked for, or of the default branch, and of this one."""
    from understudy.history.arrange import durations_of
    from understudy.history.questions import past, recent
    from understudy.history.store import History
    from understudy.suites.shards import Durations, durations_document

    origin, branch = repository.origin(), wanted.branch or repository.checked_out()
    base = base_branch(repository, "", os.environ)[0]
    found = Durations()
    with History(place).transaction() as connection:
        runs = recent(connection, origin, "", wanted.runs)
        topologies = {wanted.topology} if wanted.topology else {run.topology for run in runs.values()}
        if len(topologies) > 1:
            raise UsageError(
                f"Looked for durations in runs of {origin}, and they are of several topologies: "
                f"{', '.join(sorted(topologies))}.",
                hint="Name one with --topology.",
            )
        for topology in topologies:
            found = durations_of(past(connection, origin, topology, branch, base))
    if not found.suites and not found.tests:
        raise NotFoundError(f"Looked in {place.name} for runs of branch {branch!r} or {base!r}, and there is none.")
    try:
        write_file(Path(wanted.export), durations_document(found).encode())
    except OSError as error:
        raise UnderstudyError(f"Wrote the durations to {wanted.export}, and it failed: {error}.") from error
    count = sum(map(len, found.tests.values()))
    click.echo(f"{wanted.export}: {len(found.suites)} suites, {count} tests")
    return 0
