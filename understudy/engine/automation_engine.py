"""The real engine by Pulumi's public Automation API: slower, and there where the hidden flags do not answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from understudy.engine.event_log import EventLog
from understudy.engine.inline import Served
from understudy.engine.interface import Program
from understudy.engine.process import GRACE, Finished
from understudy.engine.settings import EngineSettings
from understudy.engine.verbs import Operation, Verbs

if TYPE_CHECKING:
    from pulumi.automation import PulumiCommand, Stack

__all__ = ["AutomationEngine"]


class AutomationEngine(Verbs):
    """The Pulumi engine over `pulumi.automation`, whose CLI processes run as ours do: output in files, one SIGTERM.

    Args:
        settings: Where the CLI, the backend and the rest are.
        attach: Provider name -> port on 127.0.0.1 where it is served.
        version: The CLI's version, such as `3.200.0`; the API chooses its protocol by it.
        grace: Seconds between the one SIGTERM and the SIGKILL of a CLI process.
    """

    def __init__(
        self,
        settings: EngineSettings,
        attach: Mapping[str, int] | None = None,
        *,
        version: str,
        grace: float = GRACE,
    ) -> None:
        super().__init__(settings, attach, grace=grace)
        self.version = version

    def operate(
        self, operation: Operation, log: EventLog, program: Program | None
    ) -> tuple[Finished, BaseException | None]:
        """See Verbs.operate."""
        from pulumi import automation

        events: SimpleQueue[object] = SimpleQueue()  # the API calls back in a thread of its own

        def pump() -> bool:
            while True:
                try:
                    log.take_event(_raw(events.get_nowait()))
                except Empty:
                    return operation.kind == "up" and log.record.failed is not None

        served = Served(program) if program is not None else None
        runner = self._runner(operation, pump)
        try:
            stack = automation.select_stack(
                operation.ref.qualified,
                project_name=operation.ref.project,
                program=served or _nothing,
                opts=automation.LocalWorkspaceOptions(
                    work_dir=str(operation.folder),
                    pulumi_home=str(self.settings.home),
                    env_vars=dict(operation.extra or {}),
                    pulumi_command=runner,
                ),
            )
            _perform(stack, operation, events.put)
        except _CommandFailedError as failed:
            return failed.done, served.raised if served is not None else None
        finally:
            pump()
        return Finished(0, "", "", 0), None

    def _runner(self, operation: Operation, watch: Callable[[], bool]) -> PulumiCommand:
        from pulumi.automation import CommandResult, PulumiCommand
        from semver import VersionInfo

        engine = self

        class Runner(PulumiCommand):
            """Runs the API's commands our way. The constructor of its base would run the CLI for its version."""

            def __init__(self) -> None:
                self.command = str(engine.settings.cli)
                self.version = VersionInfo.parse(engine.version)

            def run(
                self,
                args: list[str],
                cwd: str,
                additional_env: Mapping[str, str],
                on_output: object = None,  # noqa: ARG002 - nobody of ours listens
                on_error: object = None,  # noqa: ARG002 - as above
            ) -> CommandResult:
                done = engine.call(
                    Path(cwd), *args, stop=operation.stop, watch=watch, extra=additional_env, limit=operation.limit
                )
                if done.code != 0:
                    raise _CommandFailedError(done)
                return CommandResult(done.stdout, done.stderr, done.code)

        return Runner()


class _CommandFailedError(Exception):
    """A command of the API ended with another code than 0; passes through the API unchanged."""

    def __init__(self, done: Finished) -> None:
        super().__init__(done.stderr)
        self.done = done


def _nothing() -> None:
    """The program of operations that need none."""


def _perform(stack: Stack, operation: Operation, on_event: Callable[[object], None]) -> None:
    match operation.kind:
        case "up":
            stack.up(parallel=operation.parallel, on_event=on_event, show_secrets=False, suppress_progress=True)
        case "preview":
            stack.preview(parallel=operation.parallel, on_event=on_event, suppress_progress=True)
        case "refresh":
            stack.refresh(
                parallel=operation.parallel, on_event=on_event, show_secrets=False, clear_pending_creates=True
            )
        case "look":
            stack.preview_refresh(
                parallel=operation.parallel, on_event=on_event, show_secrets=False, suppress_progress=True
            )
        case _:
            stack.destroy(
                parallel=operation.parallel,
                on_event=on_event,
                show_secrets=False,
                continue_on_error=True,
                remove=operation.remove,
                exclude_protected=operation.keep_protected,
            )


def _raw(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """An event object of the API as the JSON that it was made from."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {_raw(key): _raw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_raw(item) for item in value]
    if hasattr(value, "__dict__"):
        return {_camel(key): _raw(item) for key, item in vars(value).items() if item is not None}
    return value


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
