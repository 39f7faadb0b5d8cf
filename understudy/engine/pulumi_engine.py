"""The real engine by the three-process path: stack init, up and destroy, with the program served in this process."""

from __future__ import annotations

from contextlib import ExitStack

from understudy.engine.event_log import EventLog
from understudy.engine.inline import serve
from understudy.engine.interface import Program
from understudy.engine.process import Finished
from understudy.engine.verbs import Operation, Verbs

__all__ = ["PulumiEngine"]

_FLAGS = {
    "up": ("up", "--yes", "--skip-preview"),
    "preview": ("preview",),
    "destroy": ("destroy", "--yes", "--skip-preview", "--continue-on-error"),
    "refresh": ("refresh", "--yes", "--skip-preview", "--clear-pending-creates"),
    "look": ("refresh", "--preview-only"),  # to clear pending creates would write the state
}


class PulumiEngine(Verbs):
    """The Pulumi engine, one CLI process an operation.

    It leans on the hidden flags --client, --exec-kind and --event-log: see understudy.engine.probe.
    """

    def operate(
        self, operation: Operation, log: EventLog, program: Program | None
    ) -> tuple[Finished, BaseException | None]:
        """See Verbs.operate."""
        args = [*_FLAGS[operation.kind], f"--parallel={operation.parallel}"]
        args += ["--stack", operation.ref.qualified, "--suppress-outputs", "--suppress-progress"]
        args += ["--event-log", str(operation.folder / "events")]
        args += ["--remove"] * operation.remove + ["--exclude-protected"] * operation.keep_protected
        with ExitStack() as until:
            served = until.enter_context(serve(program)) if program is not None else None
            if served is not None:
                args += [f"--client=127.0.0.1:{served.port}", "--exec-kind=auto.inline"]
            early = operation.kind == "up"
            done = self.call(
                operation.folder,
                *args,
                stop=operation.stop,
                watch=lambda: log.pump() and early,
                extra=operation.extra,
                limit=operation.limit,
            )
        return done, served.raised if served is not None else None
