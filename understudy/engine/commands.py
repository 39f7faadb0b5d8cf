"""The verbs that need no program and no hidden flag: export_state, list, cancel, remove, over plain CLI commands."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from understudy.engine.backend import FileBackend
from understudy.engine.errors import (
    BackendError,
    EngineError,
    InterruptedOperationError,
    StackLockedError,
    StackNotFoundError,
    classify,
)
from understudy.engine.interface import StackRef, StackSummary
from understudy.engine.lock_place import LockPlace, lock_place, lock_trouble
from understudy.engine.process import GRACE, Finished, run
from understudy.engine.settings import EngineSettings, file_backend
from understudy.engine.stale_locks import Lock
from understudy.engine.workdir import work_folder
from understudy.errors import UsageError

__all__ = ["Commands", "interrupted"]

LIMIT = 120.0
"""Seconds for a command that neither runs a program nor touches a resource; it takes one, and backends may be far."""

_STACK_COUNTED = 3
"""Parts of a qualified stack name."""


class Commands:
    """Plain CLI commands over one backend. Safe to be used by many threads at once: it has no state of its own.

    Args:
        settings: Where the CLI, the backend and the rest are.
        attach: Provider name -> port on 127.0.0.1 where it is served.
        grace: Seconds between the one SIGTERM and the SIGKILL of a CLI process.
    """

    def __init__(
        self, settings: EngineSettings, attach: Mapping[str, int] | None = None, *, grace: float = GRACE
    ) -> None:
        self.settings = settings
        self.attach = dict(attach or {})
        self.grace = grace
        folder = file_backend(settings.backend)
        self.files = FileBackend(folder) if folder is not None else None

    @cached_property
    def locking(self) -> LockPlace | None:
        """Where the locks lie; None where only the CLI can say it, as in S3 without boto3."""
        try:
            return self.files or lock_place(self.settings.backend)
        except UsageError:
            return None

    def call(
        self,
        folder: Path,
        *args: str,
        stop: threading.Event | None = None,
        watch: Callable[[], bool] = lambda: False,
        extra: Mapping[str, str] | None = None,
        limit: float = math.inf,
    ) -> Finished:
        """Run one CLI command in a work folder and say how it ended; it never raises for its exit code."""
        return run(
            [str(self.settings.cli), "--non-interactive", "--color=never", *args],
            env={**self.settings.environment(self.attach), "TMPDIR": str(folder / "tmp"), **(extra or {})},
            cwd=folder,
            folder=folder,
            stop=stop,
            watch=watch,
            grace=self.grace,
            limit=limit,
        )

    def init(
        self,
        ref: StackRef,
        folder: Path,
        *,
        stop: threading.Event | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Create the stack; one that is there already is no error.

        Raises:
            EngineError: it could not be created.
        """
        provider = self.settings.secrets_provider if extra is None else ""
        more = [f"--secrets-provider={provider}"] if provider else []
        verb = ("stack", "init", ref.qualified, "--no-select", *more)
        done = self.call(folder, *verb, stop=stop, extra=extra, limit=LIMIT)
        if done.code != 0 and "already exists" not in done.stderr:
            raise self.failure(done, "pulumi stack init", ref)

    def failure(self, done: Finished, verb: str, ref: StackRef | None, said: str = "") -> EngineError:
        """The error for a command that failed; `said` comes before what is on its streams."""
        stack = ref.qualified if ref is not None else ""
        if done.killed and ref is not None and self.files is not None:
            self.files.unlock(ref, Lock("", socket.gethostname(), done.pid, ""))
        if done.stopped:
            return interrupted(verb, stack, killed=done.killed)
        if done.overran:
            where = f" on {stack}" if stack else ""
            return EngineError(
                f"Ran `{verb}`{where}, and it did not end within {done.overran:g} s.",
                hint="Check that PULUMI_BACKEND_URL can be reached, then try again.",
                verb=verb,
                stack=stack,
            )
        text = said or done.stderr or done.stdout
        return classify(text, verb=verb, stack=stack, code=done.code)

    def export_state(self, ref: StackRef) -> dict[str, object]:
        """What `pulumi stack export` gives: `version` and `deployment`, secrets as ciphertext.

        Raises:
            StackNotFoundError: there is no such stack.
            EngineError: it could not be read.
        """
        text = self._checked("pulumi stack export", ref, "stack", "export", "--stack", ref.qualified)
        exported: dict[str, object] = json.loads(text)
        return exported

    def list(self) -> tuple[StackSummary, ...]:
        """Every stack of the backend, sorted; by its files where a damaged state makes the CLI list none.

        Raises:
            EngineError: the backend could not be listed.
        """
        try:
            text = self._checked("pulumi stack ls", None, "stack", "ls", "--all", "--json", "-Q")
        except EngineError:
            if self.files is None or not any(self.files.damage(stack.ref) for stack in self.files.stacks()):
                raise
            return self.files.stacks()
        try:
            found = [_summary(entry) for entry in json.loads(text)]
        except (ValueError, KeyError, TypeError) as error:
            raise BackendError(
                f"Ran `pulumi stack ls`, and its answer was no list of stacks: {error}", verb="pulumi stack ls"
            ) from error
        return tuple(sorted(found, key=lambda summary: summary.ref))

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        """See Engine.locks.

        Raises:
            BackendError: they cannot be read.
        """
        if self.locking is None:
            return ()
        with lock_trouble("Read", ref):
            return self.locking.locks(ref)

    def cancel(self, ref: StackRef, lock: Lock | None = None) -> None:
        """See Engine.cancel.

        Raises:
            StackNotFoundError: there is neither such a stack nor a lock of it.
            EngineError: the locks could not be deleted.
        """
        of_ours = lock is not None or (self.files is not None and self.files.there)
        if self.locking is None or not of_ours:
            self._checked("pulumi cancel", ref, "cancel", "--yes", "--stack", ref.qualified)
            return
        with lock_trouble("Deleted", ref):
            if lock is None and self.absent(ref) and not self.locking.locks(ref):
                raise self.not_found("pulumi cancel", ref)
            self.locking.unlock(ref, lock)

    def remove(self, ref: StackRef) -> None:
        """Remove a stack that has no resources left, with its history and backups.

        Raises:
            StackNotFoundError: there is no such stack.
            StackNotEmptyError: it still has resources.
            EngineError: it could not be removed.
        """
        verb = ("stack", "rm", "--yes", "--remove-backups", "--stack", ref.qualified)
        self._checked("pulumi stack rm", ref, *verb)
        if self.files is not None:
            self.files.forget(ref)

    def damage(self, ref: StackRef) -> str:
        """See Engine.damage."""
        return "" if self.files is None else self.files.damage(ref)

    def discard(self, ref: StackRef) -> None:
        """See Engine.discard.

        Raises:
            StackLockedError: another process holds it.
            EngineError: it could not be removed.
        """
        verb = "pulumi stack rm --force"
        if self.files is None or not self.files.there:
            with suppress(StackNotFoundError):
                self._checked(
                    verb, ref, "stack", "rm", "--force", "--yes", "--remove-backups", "--stack", ref.qualified
                )
            return
        try:
            others = self.files.discard(ref)
        except OSError as error:
            what = f"Removed the files of {ref.qualified} from {self.settings.backend}, and it failed: {error}."
            raise BackendError(what, verb=verb, stack=ref.qualified) from error
        if others:
            locked = StackLockedError(
                f"Removed {ref.qualified}, and it is locked by {others[0]}.", verb=verb, stack=ref.qualified
            )
            locked.locks = others
            raise locked

    def absent(self, ref: StackRef) -> bool:
        """Whether the stack is known not to be there, without asking the CLI; False: nobody looked."""
        return self.files is not None and self.files.there and not self.files.has(ref)

    def not_found(self, verb: str, ref: StackRef) -> StackNotFoundError:
        """The error for a stack that is known not to be there."""
        return StackNotFoundError(
            f"Ran `{verb}` on {ref.qualified}, and there is no such stack on {self.settings.backend}.",
            hint="`pulumi stack ls --all` lists the stacks.",
            verb=verb,
            stack=ref.qualified,
        )

    def _checked(self, verb: str, ref: StackRef | None, *args: str) -> str:
        with work_folder(ref) as folder:
            done = self.call(folder, *args, limit=LIMIT)
        if done.code != 0:
            raise self.failure(done, verb, ref)
        return done.stdout


def interrupted(verb: str, stack: str, *, killed: bool = False) -> InterruptedOperationError:
    """The error for an operation that was told to end."""
    how = "was killed, because it did not end in time" if killed else "ended"
    hint = "What was in flight is not in the state; objects are found by their labels." if killed else ""
    error = InterruptedOperationError(
        f"Ran `{verb}` on {stack}; it was told to end, and {how}.", hint=hint, verb=verb, stack=stack
    )
    error.killed = killed
    return error


def _summary(entry: Mapping[str, object]) -> StackSummary:
    parts: Sequence[str] = str(entry["name"]).split("/")
    project, name = parts[-2:] if len(parts) == _STACK_COUNTED else ("", parts[-1])
    count, update = entry.get("resourceCount"), entry.get("lastUpdate")
    return StackSummary(
        StackRef(project, name),
        count if isinstance(count, int) else None,
        str(update) if update else None,
    )
