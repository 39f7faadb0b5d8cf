"""The test stage: all suites side by side, each stopped when one fails, none leaving a process behind."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from understudy.files import write_file
from understudy.progress import ProgressListener, State
from understudy.redact import Redactor
from understudy.stacks.topology import Suite
from understudy.suites.contract import Contract
from understudy.suites.gate import Gate, OpenGate
from understudy.suites.interpreter import check_suites
from understudy.suites.junit import render_junit
from understudy.suites.launch import HostLauncher, Launcher, Private
from understudy.suites.results import Case, Outcome, SuiteResult, SuitesResult, SuiteStatus
from understudy.suites.running import RunningSuite
from understudy.suites.stage import Stage
from understudy.suites.verdict import SUITE_CASE

__all__ = ["run_nothing", "run_suites"]


def run_suites(
    suites: Sequence[Suite],
    *,
    project: Path,
    contract: Contract,
    folder: Path,
    workers: int | None,
    stop_after: int | None,
    stop: threading.Event,
    listener: ProgressListener,
    redactor: Redactor | None = None,
    origin: Path | None = None,
    tree: Path | None = None,
    gate: Gate | None = None,
    order: Sequence[str] = (),
) -> SuitesResult:
    """Run suites and return what they came to; a failed test is a result, never an exception.

    Args:
        suites: what to run, side by side as far as `workers` allows.
        project: the project's folder in the commit's tree.
        contract: what the suites are told of the environment.
        folder: the run folder, where `junit.xml` and `suites/<name>/` are written.
        workers: the most test processes of all suites at once; suites for which there is no room wait. None: what
            the suites declare together, or one a processor where that is more.
        stop_after: failed tests, over all suites, after which everything is stopped; None: nothing is.
        stop: when set, everything is stopped and the suites' status is `interrupted`.
        listener: told of starts, failures, counts and ends; an error that it raises is named in `failures`.
        redactor: takes secrets out of all that is written; default: the contract's secrets.
        origin: the user's own project folder, for interpreters; default `project`.
        tree: the commit's tree, which no suite may leave; default `project`.
        gate: says when a suite's needs are there; default: now. A suite that waits for them takes no process.
        order: names of suites in the order in which they start where they have to wait; others follow as declared.

    Raises:
        UsageError: a suite could not start, as `check_suites` says, or names of the contract clash.
    """
    prepared = check_suites(suites, project, origin, tree)
    cleaner = redactor or Redactor(contract.secrets.values())
    running = [RunningSuite(each, folder, cleaner) for each in prepared]
    first = {name: number for number, name in enumerate(order)}
    queue = sorted(running, key=lambda suite: first.get(suite.name, len(first)))
    with tempfile.TemporaryDirectory(prefix="understudy-", ignore_cleanup_errors=True) as private:

        def place() -> Launcher:
            return HostLauncher(Private.create(Path(private), contract))

        stage = Stage(queue, place, gate or OpenGate(), stop, listener, workers, stop_after)
        try:
            stage.run()
        finally:
            result = _result(stage, running, folder)  # the evidence is written also when the stage is given up
    return result


def run_nothing(suites: Sequence[Suite], folder: Path, why: str) -> SuitesResult:
    """The result of a stage that could not begin: every suite is named, with the cause, in `junit.xml` too."""
    told = f"not run: {why}"
    results = [
        SuiteResult(
            name=suite.name,
            status=SuiteStatus.STOPPED,
            reason=told,
            command=suite.command,
            exit_code=None,
            started=None,
            seconds=0.0,
            workers=0,
            cases=(Case(SUITE_CASE, Outcome.NOT_RUN, message=told),),
            attempts=0,
        )
        for suite in suites
    ]
    files, problems = _write_junit(results, folder)
    return SuitesResult(tuple(results), time.time(), 0.0, stopped_by=why, files=files, failures=problems)


def _result(stage: Stage, running: Sequence[RunningSuite], folder: Path) -> SuitesResult:
    results, notices = [], []
    for suite in running:
        result, problems = suite.write(suite.result())
        results.append(result)
        notices += problems
        _say(stage, result)
    files, unwritten = _write_junit(results, folder)
    return SuitesResult(
        suites=tuple(results),
        started=stage.started,
        seconds=stage.seconds,
        stopped_by=stage.stopped.why if stage.stopped else "",
        stop_seconds=stage.stop_seconds,
        files=files,
        failures=(*notices, *unwritten, *([stage.unheard] if stage.unheard else [])),
    )


def _say(stage: Stage, result: SuiteResult) -> None:
    for case in result.cases:
        if case.outcome is Outcome.FLAKY:
            stage.say(State.WARNING, f"{result.name}: {case.id}", f"flaky: {case.message}")
    done = result.status is SuiteStatus.PASSED
    counts = ", ".join(f"{number} {name}" for name, number in result.counts().items() if number)
    detail = counts if done else f"{result.reason} ({counts})"
    stage.say(State.DONE if done else State.FAILED, result.name, detail, result.seconds)


def _write_junit(results: Sequence[SuiteResult], folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the document of all suites: the files that there are then, and what failed."""
    try:
        write_file(folder / "junit.xml", render_junit(results))
    except OSError as error:
        return (), (f"junit.xml could not be written: {error}",)
    return ("junit.xml",), ()
