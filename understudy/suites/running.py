"""One suite while it runs: its process, what its tests have said so far, and what stopped it."""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from understudy.files import write_file
from understudy.redact import Redactor
from understudy.suites.copying import Copies
from understudy.suites.interpreter import PreparedSuite
from understudy.suites.junit import JUnitError, read_junit, render_junit
from understudy.suites.launch import Launcher
from understudy.suites.leavings import gather
from understudy.suites.process import SuiteProcess
from understudy.suites.reading import Collector, Failure
from understudy.suites.results import BAD, Case, Outcome, SuiteResult, SuiteStatus
from understudy.suites.retries import Past, merge
from understudy.suites.tail import Tail
from understudy.suites.verdict import CUT_SHORT, SUITE_CASE, Cause, Ending, judge, stand_in

__all__ = ["RunningSuite", "Terms", "file_name"]

_TAIL = 4096
_MARGIN = 64 * 1024
_MESSAGE_LIMIT = 2 * 1024
_DETAIL_LIMIT = 64 * 1024
_OF_AN_ATTEMPT = ("output.log", "results.jsonl", "reported.xml")

_Judgement = tuple[SuiteStatus, str, tuple[Case, ...]]


def file_name(name: str) -> str:
    """A suite's name as a file name; one that had to be rewritten ends with a part of its hash.

    >>> file_name("integration")
    'integration'
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:60]
    if safe and safe == name:
        return safe
    return f"{safe or 'suite'}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a suite starts on: its processes, whether they are a limit, and how many failures stop everything."""

    launcher: Launcher
    workers: int
    capped: bool = False
    stop_after: int | None = 1


@dataclass(slots=True)
class RunningSuite:
    """A suite from its start to its result. `base` is the run folder, `outside` the private one for what it writes."""

    prepared: PreparedSuite
    base: Path
    outside: Path
    redactor: Redactor
    collector: Collector = field(init=False)
    cause: Cause = Cause.NONE
    why: str = ""
    judged: _Judgement | None = None
    started: float | None = None
    clock: float | None = None
    ended: float = 0.0
    told: int = 0
    notices: list[str] = field(default_factory=list)
    _terms: Terms | None = None
    _process: SuiteProcess | None = None
    _tail: Tail = field(init=False)
    _begun_at: float = 0.0
    _seconds: float = 0.0
    _idle: float = 0.0
    _command: tuple[str, ...] = ()
    _past: list[Past] = field(default_factory=list)
    _copies: list[Copies] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the collector."""
        self.collector = Collector(self.redactor)
        self.notices += self.prepared.notices

    @property
    def name(self) -> str:
        """The suite's name."""
        return self.prepared.suite.name

    @property
    def folder(self) -> Path:
        """Where the suite's files go, without secrets."""
        return self.base / "suites" / file_name(self.name)

    @property
    def raw(self) -> Path:
        """Where the suite itself writes them."""
        return self.outside / file_name(self.name)

    @property
    def begun(self) -> bool:
        """Whether there is a process, or was one."""
        return self._process is not None

    @property
    def over(self) -> bool:
        """Whether the verdict is there and no process is left."""
        return self.judged is not None

    @property
    def workers(self) -> int:
        """The test processes that it has; 0: it did not start."""
        return self._terms.workers if self._terms else 0

    def start(self, terms: Terms) -> None:
        """Start the command; one that cannot be started is over at once, with the reason."""
        self._terms = terms
        self._command = self.prepared.command(terms.workers, stop_after=terms.stop_after, capped=terms.capped)
        self.started, self.clock = time.time(), time.monotonic()
        try:
            for folder in (self.folder, self.raw):
                folder.mkdir(parents=True, mode=0o700)
            self._launch(terms)
        except OSError as error:
            self._time()
            self.judged = self._not_started(str(error))

    def _launch(self, terms: Terms) -> None:
        given = {"UNDERSTUDY_WORKERS": str(terms.workers), "UNDERSTUDY_RETRIES": str(self.prepared.suite.retries)}
        prepared = replace(self.prepared, environment={**(self.prepared.environment or {}), **given})
        self._begun_at = time.time()
        self._process = terms.launcher.start(prepared, self._command, self.raw)
        copies = Copies(self.raw, self.folder, self.redactor)
        self._copies.append(copies)
        self._tail = Tail(self.raw / "results.jsonl", copies.results.take)

    def _not_started(self, why: str) -> _Judgement:
        return SuiteStatus.ERROR, f"{self._command[0]} could not be started: {why}", ()

    def _time(self) -> None:
        self.ended, self._seconds = time.time(), self._since()

    def _since(self) -> float:
        """Seconds since the start; 0: there was none."""
        return 0.0 if self.clock is None else time.monotonic() - self.clock

    def stop(self, cause: Cause, why: str) -> None:
        """Tell it to end, once; failures reported from now on are the stop's doing. One that waits never starts."""
        if self.over or self.cause is not Cause.NONE:
            return
        if self._process is None:
            self.cause, self.why = cause, why
            self.judged = CUT_SHORT[cause], why, (Case(SUITE_CASE, Outcome.NOT_RUN, message=f"not run: {why}"),)
            return
        if self._process.exit_code is None:
            self.cause, self.why = cause, why
            self.collector.stopped_at = time.monotonic()
        self._process.stop()

    def step(self) -> None:
        """Read and copy what is new; notice the end, the time limit, and that nothing of it is left."""
        for copies in self._copies:
            copies.step()
        if self.over or self._process is None:
            return
        code = self._process.exit_code
        for line in self._tail.lines():
            self.collector.feed(line)
        if code is None and self._since() - self._idle - self._process.idle >= self.prepared.suite.timeout:
            self.stop(Cause.TIMEOUT, f"its time limit of {self.prepared.suite.timeout:g} s was over")
        if code is not None and not self._process.stopping:
            self._process.stop()
        if self._process.gone():
            self.notices += self._process.notices
            self._end(self._process.problem)
        elif left := self._process.survivors():
            self.notices.append(f"processes {', '.join(map(str, left))} did not end on SIGKILL")
            self._end()

    def _end(self, problem: str = "") -> None:
        for line in self._tail.all():
            self.collector.feed(line)
        if self._tail.cut:
            self.notices.append("its results are longer than is read; the rest is not known")
        if self.collector.unreadable:
            self.notices.append(f"{self.collector.unreadable} lines of results could not be read")
        judged = self._judge(problem)
        if not (self._tries_again(judged[0]) and self._again(judged)):
            self._time()
            self.judged = judged

    def _tries_again(self, status: SuiteStatus) -> bool:
        """Whether the command runs again; pytest's own tests are tried again one by one, by the plugin."""
        left = len(self._past) < self.prepared.suite.retries and self.prepared.interpreter is None
        return left and self.cause is Cause.NONE and status is SuiteStatus.FAILED

    def _again(self, judged: _Judgement) -> bool:
        """Keep what the attempt left in a folder of its own, and start the command again; False: that failed."""
        _, reason, cases = judged
        seconds = time.time() - self._begun_at
        number, idle = len(self._past) + 1, self._process.idle if self._process else 0.0
        past = Past(self.redactor.text(reason), cases, self._begun_at, max(seconds, 0.0), self._log_tail())
        try:
            shelf = self.raw / f"attempt-{number}"
            shelf.mkdir(mode=0o700)
            for name in _OF_AN_ATTEMPT:
                if os.path.lexists(self.raw / name):
                    (self.raw / name).rename(shelf / name)
            self._copies[-1].move(shelf.name)
            if self._terms:
                self._launch(self._terms)
        except OSError as error:
            self.notices.append(f"it could not be run again: {error}")
            return False
        self._idle += idle
        self._past.append(past)
        self.collector = Collector(self.redactor)
        self.notices.append(f"attempt {number} failed, and it was run again: {past.reason}")
        return True

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What failed by now and is no stop's doing, each test once; a suite that failed without one is one."""
        clock = (self.clock or 0.0) + self._seconds if self.over else time.monotonic()
        found = list(self.collector.failures)
        status, reason, cases = self.judged or (None, self.why, ())
        if self.cause is Cause.TIMEOUT:
            found.append(Failure("", clock, self.why))
        elif not found and self.cause is Cause.NONE and status not in (None, SuiteStatus.PASSED):
            bad = [Failure(case.id, clock, case.message) for case in cases if case.outcome in BAD]
            found = bad or [Failure("", clock, reason)]
        return tuple(found)

    @property
    def exit_code(self) -> int | None:
        """The command's exit code; None: it did not start, or runs."""
        return self._process.exit_code if self._process else None

    def _judge(self, problem: str) -> _Judgement:
        if problem and self.cause is Cause.NONE and not self.collector.seen:
            return self._not_started(problem)
        ending = Ending(self.exit_code, self.cause, self.why)
        is_pytest = self.prepared.interpreter is not None
        status, reason, cases = judge(ending, self.collector, pytest=is_pytest)
        reported = cases if is_pytest else self._reported()
        bad = sum(case.outcome in BAD for case in reported)
        unknown = self._process.unknown if self._process else ""
        if unknown and not bad and ending.cause is Cause.NONE:
            return SuiteStatus.ERROR, unknown, reported
        if is_pytest:
            return status, reason, cases
        if bad and ending.cause is Cause.NONE:
            return SuiteStatus.FAILED, f"{bad} of {len(reported)} tests failed", reported
        return status, reason, reported

    def _reported(self) -> tuple[Case, ...]:
        """What another command than pytest wrote as JUnit XML, if it did; its exit code counts all the same."""
        path = self.raw / "reported.xml"
        if not os.path.lexists(path):
            return ()
        try:
            return tuple(self._redact(case) for case in read_junit(path))
        except JUnitError as error:
            self.notices.append(f"the suite's JUnit file is not used: {error}")
            return ()

    def _redact(self, case: Case) -> Case:
        say = self.redactor.text
        message, detail = say(case.message)[:_MESSAGE_LIMIT], say(case.detail)[:_DETAIL_LIMIT]
        return replace(case, id=say(case.id), message=message, detail=detail, file=say(case.file))

    def so_far(self) -> SuiteResult:
        """What the suite has come to by now; of one that is not over, as if the run ended here."""
        if self.over:
            return self.result()
        ending = Ending(None, Cause.INTERRUPT, "the run ended while the suite was at work")
        judged = judge(ending, self.collector, pytest=self.prepared.interpreter is not None)
        return self._result(judged, time.monotonic() - (self.clock or time.monotonic()), "")

    def result(self) -> SuiteResult:
        """What the suite came to; it has to be over."""
        judged = self.judged or (SuiteStatus.ERROR, "it did not start", ())
        tail = "" if judged[0] is SuiteStatus.PASSED or not self.begun else self._log_tail()
        return self._result(judged, self._seconds, tail)

    def _result(self, judged: _Judgement, seconds: float, tail: str) -> SuiteResult:
        (status, reason, cases), say = judged, self.redactor.text
        return SuiteResult(
            name=self.name,
            status=status,
            reason=say(reason),
            command=tuple(map(say, self._command)),
            exit_code=self.exit_code,
            started=self.started,
            clock=self.clock,
            seconds=seconds,
            workers=self.workers,
            cases=merge(self._past, stand_in(status, say(reason), cases, seconds, tail)),
            notices=tuple(map(say, self.notices)),
            attempts=len(self._past) + self.begun,
            elsewhere=tuple(sorted(self.collector.elsewhere)),
        )

    def write(self, result: SuiteResult) -> tuple[SuiteResult, list[str]]:
        """Take over the rest of the suite's files without secrets, write its JUnit XML, and name them all.

        The second value is what could not be done; it takes nothing of the verdict away. A file from which the
        secrets could not be taken is not named among the suite's.
        """
        with suppress(OSError):  # a suite that did not start has no folder; one that cannot be made is told below
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        failed = [problem for copies in self._copies for problem in copies.finish()]
        taken = {name for copies in self._copies for name in copies.names()}
        left = gather(self.raw, self.folder, self.redactor, taken)
        said = map(self.redactor.text, (*failed, *left.problems))
        problems = [f"evidence of suite {self.name} could not be written: {why}" for why in said]
        names = [path.relative_to(self.base).as_posix() for path in left.files]
        junit = self.folder / "junit.xml"
        try:
            write_file(junit, render_junit([result]))
            names.append(junit.relative_to(self.base).as_posix())
        except OSError as error:
            problems.append(f"evidence of suite {self.name} could not be written: {error}")
        cut = [copies.log.notice for copies in self._copies if copies.log.notice]
        notices = (*result.notices, *map(self.redactor.text, (*cut, *left.notices)))
        return replace(result, files=tuple(sorted(set(names))), notices=notices), problems

    def _log_tail(self) -> str:
        """The end of the log. More is read than kept, so that no secret is cut in two before it is known."""
        data = self._copies[-1].log.last(_TAIL + _MARGIN) if self._copies else b""
        return self.redactor.text(data.decode("utf-8", "replace"))[-_TAIL:]
