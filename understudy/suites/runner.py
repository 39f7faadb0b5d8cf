"""The test stage: all suites side by side, each stopped when one fails, none leaving a process behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from understudy.files import write_file
from understudy.halts import Halt
from understudy.progress import ProgressListener
from understudy.redact import Redactor
from understudy.stacks.topology import Suite
from understudy.suites.arrangement import WHOLE, Arrangement
from understudy.suites.attribution import attribute, blamed
from understudy.suites.contract import Contract, EndpointAddress
from understudy.suites.gate import Gate, OpenGate
from understudy.suites.interpreter import check_suites
from understudy.suites.junit import render_junit
from understudy.suites.launch import Launcher
from understudy.suites.places import Inside, open_places
from understudy.suites.private_folder import private_folder
from understudy.suites.results import BAD, Case, Outcome, SuiteResult, SuitesResult, SuiteStatus
from understudy.suites.running import RunningSuite
from understudy.suites.stage import Stage
from understudy.suites.verdict import SUITE_CASE, Cause
from understudy.targets.watching import Death, StillWatch, Watch

__all__ = ["only_reused", "run_nothing", "run_suites"]

UNNOTICED = 0.3
"""Seconds that Docker has to tell of a death, after the failure that it may explain."""

LAST_LOOK = 5.0
"""Seconds that it has to answer when it is asked."""


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
    network: Inside | None = None,
    gate: Gate | None = None,
    endpoints: Callable[[], tuple[EndpointAddress, ...]] | None = None,
    watch: Watch | None = None,
    arrangement: Arrangement = WHOLE,
    so_far: Callable[[SuitesResult], None] | None = None,
    halt: Halt | None = None,
    reused: Sequence[SuiteResult] = (),
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
        network: the environment inside which suites may run; default: there is none.
        gate: says when a suite's needs are there; default: now. A suite that waits for them takes no process.
        watch: says what of the environment died; default: nothing does.
        endpoints: asked for them when the first suite starts; default: those of the contract.
        arrangement: which suites run here, the order of suites and tests, and which part of the tests this is.
        so_far: told once a second what suites have come to by then, as if the run ended there; it raises nothing.
        halt: says whether another part of the run has failed; default: there is none.
        reused: results of suites that do not run, which stand before the others.

    Raises:
        UsageError: a suite could not start, as `check_suites` says, or names of the contract clash.
    """
    first = {suite.name: number for number, suite in enumerate(arrangement.suites(suites))}
    prepared = check_suites([suite for suite in suites if suite.name in first], project, origin, tree)
    cleaner = redactor or Redactor(contract.secrets.values())
    with private_folder() as private, ExitStack() as opened:
        running = [RunningSuite(each, folder, private.path / "raw", cleaner) for each in prepared]
        queue = sorted(running, key=lambda suite: first[suite.name])

        def place() -> Launcher:
            told = contract if endpoints is None else replace(contract, endpoints=endpoints())
            return opened.enter_context(
                open_places(
                    prepared,
                    private=private,
                    contract=told,
                    network=network,
                    tree=tree or project,
                    order=arrangement.document(suites),
                )
            )

        stage = Stage(
            queue,
            place,
            gate or OpenGate(),
            stop,
            listener,
            workers,
            stop_after,
            _CleanWatch(watch or StillWatch(), cleaner),
            lambda: so_far(_so_far(stage, running, reused)) if so_far else None,
            halt or Halt(),
        )
        try:
            stage.run()
        finally:
            result = _result(stage, running, folder, reused)  # the evidence is written also when the stage is given up
    return result


class _CleanWatch:
    """A watch whose words hold no secret: health checks and logs are output like any other."""

    def __init__(self, watch: Watch, redactor: Redactor) -> None:
        self._watch = watch
        self._say = redactor.text

    def deaths(self) -> Sequence[Death]:
        return [self._clean(death) for death in self._watch.deaths()]

    def settle(self, seconds: float) -> Sequence[Death]:
        return [self._clean(death) for death in self._watch.settle(seconds)]

    def _clean(self, death: Death) -> Death:
        say = self._say
        return replace(death, reason=say(death.reason), health=say(death.health), log=say(death.log))


def run_nothing(suites: Sequence[Suite], folder: Path, why: str, status: SuiteStatus) -> SuitesResult:
    """The result of a stage that could not begin: every suite is named, with the cause, in `junit.xml` too."""
    told = f"not run: {why}"
    results = [
        SuiteResult(
            name=suite.name,
            status=status,
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


def only_reused(results: Sequence[SuiteResult], folder: Path) -> SuitesResult:
    """The result of a stage in which every suite's is of an earlier run, in `junit.xml` too."""
    files, problems = _write_junit(results, folder)
    return SuitesResult(tuple(results), time.time(), 0.0, files=files, failures=problems)


def _so_far(stage: Stage, running: Sequence[RunningSuite], reused: Sequence[SuiteResult]) -> SuitesResult:
    seconds = time.time() - stage.started
    return SuitesResult((*reused, *(suite.so_far() for suite in running)), stage.started, seconds)


def _result(stage: Stage, running: Sequence[RunningSuite], folder: Path, reused: Sequence[SuiteResult]) -> SuitesResult:
    plain = [suite.result() for suite in running]
    deaths = _deaths(stage, plain)
    why = _death_that_stopped(stage, plain, deaths)
    results, notices = [], []
    for suite, found in zip(running, plain, strict=True):
        result, problems = suite.write(attribute(found, deaths, stopped=why))
        results.append(result)
        notices += problems
        stage.tell(result)
    results = [*reused, *results]
    files, unwritten = _write_junit(results, folder)
    stopped_by = stage.stopped.why if stage.stopped else ""
    mattered = why or any(case.outcome is Outcome.ENVIRONMENT for result in results for case in result.cases)
    return SuitesResult(
        suites=tuple(results),
        started=stage.started,
        seconds=stage.seconds,
        stopped_by=str(why) if why else stopped_by,
        stop_seconds=stage.stop_seconds,
        files=files,
        failures=(*notices, *unwritten, *([stage.unheard] if stage.unheard else [])),
        deaths=tuple(deaths) if mattered else (),
        halted=stage.stopped is not None and stage.stopped.cause is Cause.ELSEWHERE,
    )


def _deaths(stage: Stage, results: Sequence[SuiteResult]) -> Sequence[Death]:
    """What had died; where suites did not pass, with a last look a moment after, for a death not noticed yet."""
    if all(result.status is SuiteStatus.PASSED for result in results):
        return ()
    if stage.stopped and stage.stopped.cause in (Cause.INTERRUPT, Cause.ELSEWHERE):
        return stage.watch.deaths()
    if not stage.watch.deaths():
        time.sleep(UNNOTICED)
    return stage.watch.settle(LAST_LOOK)


def _death_that_stopped(stage: Stage, results: Sequence[SuiteResult], deaths: Sequence[Death]) -> Death | None:
    """The death that everything was stopped for: as it was noticed, or because it explains the failure that did it."""
    if not deaths or stage.stopped is None or stage.stopped.cause not in (Cause.ENVIRONMENT, Cause.FAILURE):
        return None
    if stage.stopped.cause is Cause.ENVIRONMENT:
        return deaths[0]
    after = time.time() - (time.monotonic() - stage.stopped.since)
    own = [case for found in results for case in attribute(found, deaths, stopped=None).cases if case.outcome in BAD]
    return None if own else blamed(deaths, after)


def _write_junit(results: Sequence[SuiteResult], folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the document of all suites: the files that there are then, and what failed."""
    try:
        write_file(folder / "junit.xml", render_junit(results))
    except OSError as error:
        return (), (f"junit.xml could not be written: {error}",)
    return ("junit.xml",), ()
