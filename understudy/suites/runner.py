"""The test stage: all suites side by side, each stopped when one fails, none leaving a process behind."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from understudy.files import write_file
from understudy.progress import Phase, Progress, ProgressListener, State
from understudy.redact import Redactor
from understudy.stacks.topology import Suite
from understudy.suites.contract import Contract
from understudy.suites.interpreter import PreparedSuite, check_suites
from understudy.suites.junit import render_junit
from understudy.suites.launch import HostLauncher, Launcher, Private
from understudy.suites.results import SuitesResult, SuiteStatus
from understudy.suites.running import RunningSuite
from understudy.suites.verdict import Cause

__all__ = ["POLL", "run_suites", "share_workers"]

POLL = 0.02
"""Seconds between two looks at results and processes."""

_SAY_EVERY = 1.0


def run_suites(
    suites: Sequence[Suite],
    *,
    project: Path,
    contract: Contract,
    folder: Path,
    workers: int | None,
    fail_fast: bool,
    stop: threading.Event,
    listener: ProgressListener,
    redactor: Redactor | None = None,
    origin: Path | None = None,
    tree: Path | None = None,
) -> SuitesResult:
    """Run suites and return what they came to; a failed test is a result, never an exception.

    Args:
        suites: what to run, all of it side by side.
        project: the project's folder in the commit's tree.
        contract: what the suites are told of the environment.
        folder: the run folder, where `junit.xml` and `suites/<name>/` are written.
        workers: processes for all suites together; None: each suite's own number, or the processors shared out.
        fail_fast: the first failure anywhere stops everything.
        stop: when set, everything is stopped and the suites' status is `interrupted`.
        listener: told of starts, failures, counts and ends; an error that it raises is named in `failures`.
        redactor: takes secrets out of all that is written; default: the contract's secrets.
        origin: the user's own project folder, for interpreters; default `project`.
        tree: the commit's tree, which no suite may leave; default `project`.

    Raises:
        UsageError: a suite could not start, as `check_suites` says, or names of the contract clash.
    """
    prepared = check_suites(suites, project, origin, tree)
    cleaner = redactor or Redactor(contract.secrets.values())
    counts = share_workers(prepared, workers)
    with tempfile.TemporaryDirectory(prefix="understudy-", ignore_cleanup_errors=True) as private:
        host = HostLauncher(Private.create(Path(private), contract))
        running = [RunningSuite(each, folder, counts[each.suite.name], cleaner) for each in prepared]
        stage = _Stage(running, stop=stop, listener=listener, fail_fast=fail_fast)
        try:
            stage.run(host)
        finally:
            result = stage.result(folder)  # the evidence is written also when the stage is given up
    return result


def share_workers(prepared: Sequence[PreparedSuite], workers: int | None) -> dict[str, int]:
    """Workers by suite: the option shared out evenly; else the suite's own number, else the processors shared out."""
    parallel = [each for each in prepared if each.xdist]
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    fair = max(1, (workers or processors) // max(1, len(parallel)))
    counts = {}
    for each in prepared:
        own = each.suite.workers if workers is None else None
        counts[each.suite.name] = (own or fair) if each.xdist else 1
    return counts


@dataclass(slots=True)
class _Stage:
    """The loop over all suites: one thread, no pipes, nothing that can block."""

    suites: list[RunningSuite]
    stop: threading.Event
    listener: ProgressListener
    fail_fast: bool
    started: float = field(default_factory=time.time)
    ended: float = 0.0
    stopped_by: str = ""
    stopped_since: float = 0.0
    _said: float = 0.0
    _unheard: str = ""

    def say(self, state: State, subject: str, detail: str = "", seconds: float | None = None) -> None:
        """Tell the listener; one that raises is no reason to lose a result, and is named among the failures."""
        try:
            self.listener(Progress(Phase.TEST, state, subject, detail, seconds))
        except Exception as error:  # noqa: BLE001 - whatever a listener does, the stage goes on
            self._unheard = self._unheard or f"progress could not be shown: {type(error).__name__}: {error}"

    def run(self, launcher: Launcher) -> None:
        try:
            for suite in self.suites:
                for notice in suite.notices:
                    self.say(State.WARNING, suite.name, notice)
                suite.start(launcher, fail_fast=self.fail_fast)
                self.say(State.STARTED, suite.name, f"workers: {suite.workers}")
            while not all(suite.over for suite in self.suites):
                self.look()
                self.pause()
        finally:
            self.end_all()
            self.ended = time.time()

    def look(self) -> None:
        for suite in self.suites:
            suite.step()
        for suite in self.suites:
            self.look_at(suite)
        if self.stop.is_set():
            self.stop_all(Cause.INTERRUPT, "the run was interrupted", time.time())
        if time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            for suite in self.suites:
                if not suite.over and suite.collector.total:
                    self.say(State.INFO, suite.name, f"{suite.collector.done} of {suite.collector.total} tests")

    def look_at(self, suite: RunningSuite) -> None:
        first = suite.collector.first
        if first and suite.told is None:
            suite.told = first
            self.say(State.FAILED, f"{suite.name}: {first.id}", first.message)
        if self.fail_fast and not self.stopped_by and (why := suite.failed):
            self.stop_all(Cause.FAILURE, why, first.at if first else time.time())

    def stop_all(self, cause: Cause, why: str, since: float) -> None:
        if all(suite.over for suite in self.suites):
            return
        if not self.stopped_by:
            self.stopped_by, self.stopped_since = why, since
        for suite in self.suites:
            suite.stop(cause, why)

    def pause(self) -> None:
        """Wait a moment; a stop that was already obeyed cannot wake us."""
        if self.stop.is_set():
            time.sleep(POLL)
        else:
            self.stop.wait(POLL)

    def end_all(self) -> None:
        """Whatever happened here, no process stays; after a regular end there is nothing to do."""
        for suite in self.suites:
            suite.stop(Cause.INTERRUPT, "the test stage was given up")
        while not all(suite.over or not suite.begun for suite in self.suites):
            for suite in self.suites:
                suite.step()
            time.sleep(POLL)

    def result(self, folder: Path) -> SuitesResult:
        results, notices = [], []
        for suite in self.suites:
            result, problems = suite.write(suite.result())
            results.append(result)
            notices += problems
            done = result.status is SuiteStatus.PASSED
            counts = ", ".join(f"{number} {name}" for name, number in result.counts().items() if number)
            detail = counts if done else f"{result.reason} ({counts})"
            self.say(State.DONE if done else State.FAILED, suite.name, detail, result.seconds)
        try:
            write_file(folder / "junit.xml", render_junit(results))
        except OSError as error:
            notices.append(f"junit.xml could not be written: {error}")
        notices += [self._unheard] if self._unheard else []
        return SuitesResult(
            suites=tuple(results),
            started=self.started,
            seconds=self.ended - self.started,
            stopped_by=self.stopped_by,
            stop_seconds=self.ended - self.stopped_since if self.stopped_by else None,
            files=("junit.xml",) if (folder / "junit.xml").is_file() else (),
            failures=tuple(notices),
        )
