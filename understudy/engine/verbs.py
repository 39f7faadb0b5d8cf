"""The verbs that change or preview a stack, whichever way the CLI is run: see PulumiEngine and AutomationEngine."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.engine.commands import Commands, interrupted
from understudy.engine.errors import (
    EngineError,
    InterruptedOperationError,
    PluginMissingError,
    ResourceFailedError,
    StackNotFoundError,
    program_failed,
)
from understudy.engine.event_log import EventLog, Record
from understudy.engine.events import Listener
from understudy.engine.interface import PreviewResult, Program, Seen, StackRef, UpResult, ignore
from understudy.engine.process import Finished
from understudy.engine.workdir import work_folder

__all__ = ["PARALLEL", "Operation", "Verbs", "outcome"]

LIMIT = 900.0
"""Seconds for a preview or a refresh, which cannot be stopped otherwise; both only look, but at every resource."""

PARALLEL = 64
"""Steps at once; the provider bounds what its platform can bear."""


_STATE_ONCE = {"PULUMI_SKIP_CHECKPOINTS": "true"}
"""For destroy: the whole state is not written twice for each resource but once at the end (30 containers: 2.4 s of
processor time became 0.5 s). One that is killed leaves the state as it was; deleting what is gone is no error."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One run of the Pulumi engine.

    Attributes:
        kind: up, preview, destroy, refresh or look.
        ref: The stack.
        folder: The work folder.
        parallel: Steps at once.
        stop: Once set, it is told to end.
        remove: After a destroy, the stack goes too.
        keep_protected: A destroy leaves what is protected, with all that it stands on.
        extra: Environment variables that go before those of the settings.
        limit: Seconds after which it is told to end.
    """

    kind: str
    ref: StackRef
    folder: Path
    parallel: int = PARALLEL
    stop: threading.Event | None = None
    remove: bool = False
    keep_protected: bool = False
    extra: Mapping[str, str] | None = None
    limit: float = math.inf

    @property
    def verb(self) -> str:
        """What is run, for a person."""
        return "pulumi refresh --preview-only" if self.kind == "look" else f"pulumi {self.kind}"


class Verbs(Commands, ABC):
    """Up, preview, destroy, refresh and look over `operate`, which a subclass gives."""

    @abstractmethod
    def operate(
        self, operation: Operation, log: EventLog, program: Program | None
    ) -> tuple[Finished, BaseException | None]:
        """Run the engine, feed the log; say how the CLI ended and what the program raised.

        An `up` is told to end once the log's record has a failed resource.
        """

    def up(
        self,
        ref: StackRef,
        program: Program,
        *,
        config: Mapping[str, str] | None = None,
        listener: Listener = ignore,
        parallel: int = PARALLEL,
        stop: threading.Event | None = None,
    ) -> UpResult:
        """See Engine.up.

        Raises:
            ResourceFailedError: a resource failed; the first one is named.
            ProgramError: the program raised.
            InterruptedOperationError: `stop` was set.
            EngineError: anything else.
        """
        begun = time.monotonic()
        with work_folder(ref, config) as folder:
            operation = Operation("up", ref, folder, parallel=parallel, stop=stop)
            _refuse_if_stopped(operation)
            if self.files is None or not self.files.has(ref):
                self.init(ref, folder, stop=stop)
            record = self._run(operation, listener, program)
        return UpResult(record.outputs, record.changes, time.monotonic() - begun)

    def preview(
        self,
        ref: StackRef,
        program: Program,
        *,
        config: Mapping[str, str] | None = None,
        listener: Listener = ignore,
    ) -> PreviewResult:
        """See Engine.preview. For a stack that is not there, a backend is used that lives as long as the call.

        Raises:
            ProgramError: the program raised.
            EngineError: anything else.
        """
        if not self.absent(ref):
            try:
                with work_folder(ref, config) as folder:
                    record = self._run(Operation("preview", ref, folder, limit=LIMIT), listener, program)
                return PreviewResult(tuple(record.steps), record.changes)
            except StackNotFoundError:
                pass
        with work_folder(ref, config) as folder:
            backend = folder / "backend"
            backend.mkdir()
            extra = {"PULUMI_BACKEND_URL": backend.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "preview"}
            self.init(ref, folder, extra=extra)
            record = self._run(Operation("preview", ref, folder, extra=extra, limit=LIMIT), listener, program)
        return PreviewResult(tuple(record.steps), record.changes)

    def destroy(
        self,
        ref: StackRef,
        *,
        remove: bool = True,
        keep_protected: bool = False,
        listener: Listener = ignore,
        stop: threading.Event | None = None,
    ) -> None:
        """See Engine.destroy. All branches go on when one fails.

        Raises:
            ResourceFailedError: a resource could not be deleted; the first one is named.
            InterruptedOperationError: `stop` was set.
            EngineError: anything else.
        """
        if not self.absent(ref):
            with work_folder(ref) as folder:
                gone = remove and self.files is not None
                operation = Operation(
                    "destroy",
                    ref,
                    folder,
                    stop=stop,
                    remove=gone,
                    keep_protected=keep_protected,
                    extra=None if keep_protected else _STATE_ONCE,
                )
                _refuse_if_stopped(operation)
                try:
                    self._run(operation, listener, None)
                except StackNotFoundError:
                    return
            if remove and self.files is None:
                self.remove(ref)  # --remove alone would leave the copies of the state
        if remove and self.files is not None:
            self.files.forget(ref)

    def refresh(self, ref: StackRef, *, listener: Listener = ignore) -> Mapping[str, int]:
        """See Engine.refresh.

        Raises:
            StackNotFoundError: there is no such stack.
            EngineError: anything else.
        """
        with work_folder(ref) as folder:
            return self._run(Operation("refresh", ref, folder, limit=LIMIT), listener, None).changes

    def look(self, ref: StackRef, *, listener: Listener = ignore) -> tuple[Seen, ...]:
        """See Engine.look.

        Raises:
            StackNotFoundError: there is no such stack.
            EngineError: anything else.
        """
        if self.absent(ref):
            raise self.not_found("pulumi refresh --preview-only", ref)
        with work_folder(ref) as folder:
            return tuple(self._run(Operation("look", ref, folder, limit=LIMIT), listener, None).seen)

    def _run(self, operation: Operation, listener: Listener, program: Program | None) -> Record:
        log = EventLog(operation.folder / "events", listener, operation.stop, looking=operation.kind == "look")
        done, raised = self.operate(operation, log, program)
        log.finish()
        if done.code != 0:
            failure = self.failure(done, operation.verb, operation.ref, log.record.text)
            raise outcome(failure, log.record, raised) from raised
        return log.record


def outcome(failure: EngineError, record: Record, raised: BaseException | None) -> EngineError:
    """The error that names the first cause: our stop, a failed resource, the program's exception, the CLI's text.

    A resource that failed makes the program's next call raise, and ends the CLI with 'canceled'; so it goes first.
    """
    stopped = isinstance(failure, InterruptedOperationError) and record.failed is None
    if stopped or isinstance(failure, PluginMissingError):
        return failure
    verb, stack, urn = failure.verb, failure.stack, record.blamed
    if urn:
        return ResourceFailedError(urn, record.reason(urn), verb=verb, stack=stack)
    return failure if raised is None else program_failed(raised, verb=verb, stack=stack)


def _refuse_if_stopped(operation: Operation) -> None:
    if operation.stop is not None and operation.stop.is_set():
        raise interrupted(operation.verb, operation.ref.qualified)
