"""The recorder: what a run did, as it does it, kept in its folder and summed up in its record."""

from __future__ import annotations

import os
import posixpath
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from understudy.awaited import Awaited
from understudy.blueprint import Blueprint
from understudy.ci.github import publish
from understudy.errors import (
    ExportError,
    HaltedError,
    InterruptedRunError,
    LeftoversError,
    TestsFailedError,
    UnderstudyError,
    UsageError,
)
from understudy.export import RunFolder
from understudy.export.checkpoints import Checkpoints
from understudy.export.mock_watch import MockWatch, complaints
from understudy.export.mocks import MockAddress
from understudy.export.unfinished import Unfinished
from understudy.history.access import remember
from understudy.history.arrange import with_before
from understudy.history.past import NOTHING, Past
from understudy.history.place import history_place
from understudy.last_lines import last_lines
from understudy.lease import Lease
from understudy.progress import Phase, Progress, ProgressListener, State, safely
from understudy.provision import Provisioned
from understudy.recording import compared, environment_failed, first_record, image_records, keep_clone, mock_records
from understudy.redact import Redactor, redact_error
from understudy.removal import with_target
from understudy.report import (
    CauseRecord,
    ContainerRecord,
    EndpointRecord,
    KeptRecord,
    PhaseRecord,
    ReceiptRecord,
    ResourceRecord,
    RunRecord,
    SinkRecord,
    UsageRecord,
    graph_of,
    utc,
)
from understudy.report.cleaning import cleaned
from understudy.report.timeline import timeline
from understudy.report_html import REPORT, write_report
from understudy.session import Session
from understudy.stacks.clone import targeted
from understudy.stacks.cost.estimate import Estimate, nothing
from understudy.stops import ended
from understudy.suites.arrangement import Arrangement
from understudy.suites.contract import EndpointAddress
from understudy.suites.results import SuitesResult, SuiteStatus
from understudy.suites.runner import run_nothing
from understudy.targets.interface import Outcome, Receipt
from understudy.timing import Timing

__all__ = ["Recorder"]


class Recorder:
    """Writes the run folder and the run record of one command. It listens to the session, and passes on."""

    def __init__(
        self, session: Session, blueprint: Blueprint, lease: Lease, folder: RunFolder, record: RunRecord, *, at: float
    ) -> None:
        self.session = session
        self.blueprint = blueprint
        self.folder = folder
        self.record = record
        self.phase = Phase.CLONE
        self._began = began = at
        self._timing = Timing(began)
        self._lock = threading.RLock()
        self._checkpoints = Checkpoints(self._checkpoint)
        self._reported = 0
        self._unfinished = Unfinished(folder, began)
        self._mocks: MockWatch | None = None
        self._follower = folder.follow(session.target, lease.whose, began)
        self._past = NOTHING
        self._estimate = nothing()
        self._pass_on: ProgressListener = safely(session.listener)
        session.listener = self._hear

    @classmethod
    def open(cls, session: Session, blueprint: Blueprint, lease: Lease, secrets: Collection[str]) -> Recorder:
        """Make the run folder and write what is known at the beginning.

        Raises:
            ExportError: the folder cannot be made or written.
        """
        now, began = datetime.now(UTC), time.monotonic()
        base = session.folder / session.options.runs
        folder = RunFolder.create(base, lease.id, now, Redactor(secrets))
        record = compared(first_record(blueprint, lease, session.options, folder.name, now), blueprint, folder)
        folder.write_run(record)
        folder.write_summary(record)
        return cls(session, blueprint, lease, folder, record, at=began)

    @property
    def exit_code(self) -> int:
        """The exit code that follows from all that went wrong."""
        return self.record.exit_code

    def shown(self) -> dict[str, object]:
        """The record as it stands in run.json."""
        data = cleaned(RunRecord, self.record.to_data(), self.folder.redactor.data)
        return data if isinstance(data, dict) else {}

    def _hear(self, event: Progress) -> None:
        clean = self.folder.redactor.text
        event = replace(event, subject=clean(event.subject), detail=clean(event.detail))
        self.phase = event.phase
        self._time(event)
        self.folder.event(event, self._timing.offset(event))
        self._pass_on(event)

    def _time(self, event: Progress) -> None:
        """Keep when phases and things that are made began, and when they ended."""
        with self._lock:
            done, running = self._timing.hear(event), self._timing.running
            if isinstance(done, PhaseRecord):
                self._change(phases=(*self.record.phases, done), running=running)
            elif done is not None:
                self._change(resources=(*self.record.resources, done))
            elif running != self.record.running:
                self._change(running=running)

    def _change(self, **fields: Any) -> None:  # noqa: ANN401 - the fields of a record, each of its own type
        """Take something into the record, from any thread; a while later it stands in the folder too."""
        with self._lock:
            self.record = replace(self.record, **fields)
            self._checkpoints.take(self.record)

    def checkpoint(self) -> None:
        """Write the record and its timeline as they are now, for whoever reads the folder next."""
        self._checkpoint(self.record)
        self.folder.write_json("timeline.json", timeline(self.record), required=False)

    def _checkpoint(self, record: RunRecord) -> None:
        """Write the record as far as it is known; the last writing, at the end, is the one that has to succeed."""
        record = self._unfinished.written(record)
        with self.folder.part("run.json while the run lasted", required=False):
            self.folder.write_run(replace(record, seconds=time.monotonic() - self._began), checked=False)

    @contextmanager
    def watch(self, *, exporting: bool = False) -> Iterator[None]:
        """An error becomes a cause, a defect's traceback `defect.txt`; `exporting`: that is a failed export anyhow."""
        try:
            yield
        except UnderstudyError as error:
            self.failed(error)
        except Exception as error:  # noqa: BLE001 - export and clean-up have to follow whatever it is
            self.folder.write_text("defect.txt", "".join(traceback.format_exception(error)))
            kind = ExportError if exporting or self.phase is Phase.EXPORT else UnderstudyError
            self.failed(kind(f"A defect of Understudy itself: {type(error).__name__}, see defect.txt."))

    def failed(self, error: UnderstudyError, phase: Phase | None = None) -> None:
        """Take an error into the record; when a signal came first, or another command's wish, that is the cause."""
        phase = phase or Phase(error.phase or self.phase)
        error = ended(self.session.stop, with_target(self.session.target, error))
        redact_error(error, self.folder.redactor)
        now, offset = utc(time.time()), time.monotonic() - self._began
        with self._lock:
            self.record = self.record.with_cause(CauseRecord.of(error, phase, now, offset))
        self._hear(Progress(phase, State.FAILED, detail=str(error)))

    def estimated(self, found: Estimate) -> None:
        """Take in what all of the environment costs: until it is there, and where it never is, that is the most."""
        self._estimate = replace(found, at_most=True)

    def provisioned(self, made: Provisioned) -> None:
        """Take in what was provisioned."""
        ready = next((phase for phase in self.record.phases if phase.name == Phase.READY), None)
        waits = ready and tuple(
            ResourceRecord(service, "wait", ready.started, ready.offset, seconds)
            for service, seconds in made.waited.items()
        )
        self._estimate = made.estimate
        if made.changes:
            self.blueprint = replace(self.blueprint, clone=targeted(self.blueprint.clone, made.changes))
            with self._lock:
                self.record = compared(self.record, self.blueprint, self.folder)
        self._change(
            ready_at=None if made.untestable else utc(made.ready_at),
            ready_offset=ready and ready.offset + ready.seconds,
            images=image_records(self.blueprint.clone, made),
            resources=(*self.record.resources, *(waits or ())),
        )

    def found_ready(self) -> None:
        """Take in that everything is ready, in an environment that was there."""
        self._change(ready_at=utc(time.time()), ready_offset=time.monotonic() - self._began)

    def arranged(self, arrangement: Arrangement, past: Past) -> None:
        """Take in which part of the tests this is, and the earlier runs that each test's record tells of."""
        self._past = past
        self._change(
            past=past.note,
            plan=arrangement.split.plan if arrangement.split else "",
            elsewhere=arrangement.elsewhere,
            warnings=(*self.record.warnings, *filter(None, [past.problem])),
        )
        if arrangement.notice:
            self._hear(Progress(Phase.TEST, State.INFO, detail=arrangement.notice))

    def testing(self, result: SuitesResult) -> None:
        """Take in what the suites have come to by now, for the case that this is all there will be."""
        self._unfinished.take(result)
        self._change()

    def reached(self, endpoints: tuple[EndpointAddress, ...], mocks: Mapping[str, MockAddress]) -> None:
        """Take in where it answers, though not all of it be ready; watch the mocks' journals from now on."""
        self._mocks = MockWatch(mocks)
        self._change(endpoints=tuple(EndpointRecord.of(address) for address in endpoints))

    def tested(self, result: SuitesResult, awaited: Awaited) -> None:
        """Take in what the suites came to, and what they had waited for."""
        self._unfinished.over(result)
        declared = {suite.name: suite for suite in self.blueprint.clone.topology.suites}
        folders = {
            name: posixpath.normpath(Path(self.blueprint.folder, each.folder).as_posix())
            for name, each in declared.items()
        }
        with self._lock:
            record = with_before(self.record.with_suites(result, self._began, folders), self._past)
            suites = (
                s.with_needs(declared[s.name], awaited.waits(declared[s.name]), self._began) for s in record.suites
            )
            self.record = replace(record, suites=tuple(suites))
        self._change()
        for failure in result.failures:
            self.failed(ExportError(f"Wrote the results of the tests, and it failed: {failure}."), Phase.TEST)
        if result.interrupted:
            self.failed(InterruptedRunError("Interrupted while testing."), Phase.TEST)
        elif result.failed:
            names = [f"{suite}: {case.id}" for suite, case in result.bad]
            shown = "".join(f"\n  {name}" for name in names[:20]) + ("\n  ..." if len(names) > 20 else "")  # noqa: PLR2004 - a screen
            self.failed(TestsFailedError(f"Tests failed: {result.summary()}.{shown}"), Phase.TEST)
        elif result.halted:
            self.failed(HaltedError(f"Stopped: {result.stopped_by}. Here: {result.summary()}."), Phase.TEST)
        # What kept the environment from being made is a cause by itself.
        unexplained = not (result.passed or result.failed or result.halted or awaited.broken())
        if not result.interrupted and (unexplained or result.deaths):
            self.failed(environment_failed(result), Phase.TEST)

    def _untested(self) -> None:
        """Name every suite of a run that did not come to its tests, with the cause."""
        suites = self.blueprint.clone.topology.suites
        if self.record.suites or not suites:
            return
        causes = self.record.causes
        why = causes[0].message.partition("\n")[0] if causes else "the run ended before its tests"
        status = SuiteStatus.INTERRUPTED if self.session.stop.is_set() else SuiteStatus.STOPPED
        with self._lock:
            self.record = self.record.with_suites(run_nothing(suites, self.folder.path, why, status))

    def export(self, lease: Lease, mocks: Mapping[str, MockAddress], send: Callable[[], object] = lambda: None) -> None:
        """Collect what the target knows of the environment; a part that fails is noted, and the others go on.

        `send` is called when all that there is lies in the folder, whatever failed before.
        """
        with self.watch():
            self._untested()
        with self.watch(), self.session.phase(Phase.EXPORT), ExitStack() as afterwards:
            afterwards.callback(send)
            afterwards.callback(self.checkpoint)
            keep_clone(self.folder, lease)
            followed = self.folder.collect_containers(self._follower)
            counts = self.folder.collect_mocks(mocks, self._mocks.close() if self._mocks else {})
            for name, complaint in complaints(counts):
                self._hear(Progress(Phase.EXPORT, State.WARNING, f"mock {name}", complaint))
            containers = tuple(ContainerRecord.of(each) for each in followed.containers)
            self._change(
                containers=containers,
                usage=tuple(UsageRecord.of(each) for each in followed.usage),
                graph=graph_of(
                    self.blueprint.clone, self.record.verdicts, containers, ready=self.record.ready_at is not None
                ),
                mocks=mock_records(self.blueprint.clone, counts),
            )
            self._hold_parts()

    def sent(self, sinks: tuple[SinkRecord, ...]) -> None:
        """Take in what came of the sinks so far."""
        self._change(sinks=sinks)

    def kept(self, kept: KeptRecord) -> None:
        """Take in that the environment was not destroyed."""
        self._change(kept=kept)

    def _hold_parts(self) -> None:
        """Hold that no required part has failed since this was last asked."""
        since, self._reported = self._reported, len(self.folder.failures)
        self.folder.finish(since)

    def removed(self, receipt: Receipt) -> None:
        """Take in the receipt, and the lines that were printed until then; any outcome but CLEAN is a cause."""
        self.folder.end_logs(self._follower, destroyed=receipt.outcome is Outcome.CLEAN)
        self._change(receipt=ReceiptRecord.of(receipt, time.monotonic() - self._began))
        self.folder.write_receipt(receipt)
        if receipt.outcome is not Outcome.CLEAN:
            told = "; ".join(filter(None, (receipt.reason, ", ".join(f"{e.kind} {e.name}" for e in receipt.leftovers))))
            what = f"Destroyed environment {receipt.environment}, looked again, and the receipt is {receipt.outcome}"
            hint = f"`understudy down {receipt.environment}` tries again."
            self.failed(LeftoversError(f"{what}: {told}.", hint=hint))

    def close(self, say: Callable[[str], None], send: Callable[[], bool] = lambda: True) -> None:
        """Write the record and say what the run came to and where all of it lies.

        `send` is called when the folder is complete; where it returns False the record has changed by it.
        """
        self.folder.end_logs(self._follower, destroyed=False)
        self.session.listener = self._pass_on
        self._checkpoints.close()
        self.folder.write_json("timeline.json", timeline(self.record))
        with self.watch():
            self._hold_parts()
        self._end()
        self.record = remember(history_place(self.session.options.history), self.record)
        clean = self._write()
        if not send():
            clean = self._write()
        if clean is not None:
            with self.watch(exporting=True):
                publish(clean, self.folder.path, os.environ, sys.stderr)
        for line in last_lines(self.record, self.folder.path.resolve()):
            say(self.folder.redactor.text(line))

    def handed_over(self, to: str) -> None:
        """Write what there is, for a process that ends now and whose environment another one removes.

        Any thread may call it, whatever the others do: files are replaced whole, and what counts comes first.
        """
        self._checkpoints.close()
        with self._lock:
            error = InterruptedRunError(f"Interrupted before the environment was removed: {to}.")
            cause = CauseRecord.of(error, Phase(self.phase), utc(time.time()), time.monotonic() - self._began)
            self.record = self._unfinished.written(self.record).with_cause(cause)
            self._end()
        self._write()

    def _end(self) -> None:
        """Take in that the run is over, what it cost, and which files there are."""
        with self._lock:
            self.record = replace(
                self.record.with_cost(self._estimate),
                ended=utc(time.time()),
                seconds=time.monotonic() - self._began,
                running=(),
                files=tuple(sorted({*self.folder.files(), "run.json", REPORT})),
            )

    def _write(self) -> RunRecord | None:
        """Write the record, the summary and the page; returns it without the secrets, None where that failed."""
        with self.watch():
            self.folder.write_run(self.record)
        causes = self.record.causes
        clean = None
        with self.watch():
            clean = self.folder.write_summary(self.record)
        with self.watch():
            self._write_report()
        if self.record.causes != causes:  # what has just failed belongs into the record too
            with self.watch():
                self.folder.write_run(self.record)
        return clean

    def _write_report(self) -> None:
        """Draw the page from what is in the folder, where the secrets are out of it already.

        Raises:
            ExportError: the record cannot be read back, or the page not be written.
        """
        try:
            write_report(self.folder.path)
        except UsageError as error:
            raise ExportError(f"Drew {REPORT}, and it failed: {error}") from error
