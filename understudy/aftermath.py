"""After the verdict: the evidence goes to the sinks, then the environment is destroyed, or kept under its lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from understudy.errors import ProvisionError, TestsFailedError, UnderstudyError
from understudy.export.sinks import Outbox, Stage
from understudy.lease import Lease, LeaseState
from understudy.progress import Phase, Progress, State
from understudy.recorder import Recorder
from understudy.report import KeptRecord, Moment, RunRecord
from understudy.session import Session
from understudy.stacks.identity import format_time
from understudy.targets.interface import Receipt
from understudy.teardown import tear_down

__all__ = ["Ending", "destroy", "ended_afterwards", "send", "tell_kept"]

_FAILED = frozenset({TestsFailedError.exit_code, ProvisionError.exit_code})
"""The verdicts after which an environment may be kept. One that was interrupted never is: whoever ended the run is
not there to look, and a job that CI cancelled has no next command."""


@dataclass
class Ending:
    """Who has to be told how an environment ended, once there is somebody, and the lease it was kept under."""

    recorder: Recorder | None = None
    kept: Lease | None = None


@contextmanager
def ended_afterwards(session: Session, lease: Lease) -> Iterator[Ending]:
    """Whatever happens in here, the environment is destroyed or kept afterwards, and the recorder hears of it."""
    ending = Ending()
    try:
        yield ending
        ending.kept = _kept(session, lease, ending.recorder)
    finally:
        if ending.kept is None:
            receipt = destroy(session, lease)
            if ending.recorder is not None:
                ending.recorder.removed(receipt)


def destroy(session: Session, lease: Lease) -> Receipt:
    """Destroy an environment and look again."""
    return tear_down(
        lease, engine=session.engine, target=session.target, store=session.store, listener=session.listener
    )


def _kept(session: Session, lease: Lease, recorder: Recorder | None) -> Lease | None:
    """Hand a failed run's environment over to its lease, where that is wished and there is something; else None."""
    options = session.options
    if recorder is None or not options.keep_on_failure or session.stop.is_set() or recorder.exit_code not in _FAILED:
        return None
    if session.halt.said:  # what there is to look at is in the part that failed
        return None
    try:
        if not session.target.inventory(lease.whose):
            return None
        until = format_time(datetime.now(UTC) + timedelta(seconds=options.ttl))
        kept = session.store.update(
            lease,
            check=lambda now: {"expires": min(max(until, now.expires), now.not_after)},
            state=LeaseState.KEPT,
        )
    except UnderstudyError as error:
        detail = f"the environment could not be kept: {error}"
        session.listener(Progress(Phase.DESTROY, State.WARNING, detail=detail))
        return None
    tests = (f"understudy test {lease.id}",) if recorder.exit_code == TestsFailedError.exit_code else ()
    commands = (
        f"understudy logs {lease.id}",
        *tests,
        f"understudy extend {lease.id} 1h",
        f"understudy down {lease.id}",
    )
    recorder.kept(KeptRecord(Moment(kept.expires), Moment(kept.not_after), commands))
    return kept


def tell_kept(record: RunRecord, say: Callable[[str], None]) -> None:
    """Say where a kept environment answers, until when, and what can be done with it."""
    kept = record.kept
    if kept is None:
        return
    say(f"environment {record.environment} is kept until {kept.expires}")
    for endpoint in record.endpoints:
        say(f"  {endpoint.service}:{endpoint.port}  {endpoint.url}")
    for command in kept.commands:
        say(f"  {command}")


def send(session: Session, recorder: Recorder, outbox: Outbox, stage: Stage) -> bool:
    """Send the run folder, and return when every sink has said yes or no; False: one failed, and that is a cause."""
    with recorder.watch(exporting=True):
        errors = outbox.send(
            recorder.folder.path,
            stage,
            stop=session.stop,
            listener=session.listener,
            redactor=recorder.folder.redactor,
        )
        recorder.sent(outbox.records)
        for error in errors:
            recorder.failed(error)
        return not errors
    return False
