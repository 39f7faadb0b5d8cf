"""The engine's interface: twelve verbs over stacks, the same for the real engine and the fake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from understudy.engine.events import EngineEvent, Listener
from understudy.engine.stale_locks import Lock

__all__ = [
    "Engine",
    "PreviewResult",
    "PreviewStep",
    "Program",
    "Seen",
    "StackRef",
    "StackSummary",
    "UpResult",
    "ignore",
]

Program = Callable[[], None]
"""A Pulumi program: declares resources when called. It runs in a thread of the engine's choice."""


def ignore(_event: EngineEvent) -> None:
    """The listener that listens to nothing."""


@dataclass(frozen=True, slots=True, order=True)
class StackRef:
    """A stack: its Pulumi project and its name. On a DIY backend the organisation is the word `organization`."""

    project: str
    name: str

    @property
    def qualified(self) -> str:
        """`organization/<project>/<name>`."""
        return f"organization/{self.project}/{self.name}"


@dataclass(frozen=True, slots=True)
class StackSummary:
    """One stack of the backend: resource count (None: unknown) and its last update as the backend says it."""

    ref: StackRef
    resources: int | None
    last_update: str | None


@dataclass(frozen=True, slots=True)
class UpResult:
    """What `up` came to: stack outputs (secrets as `[secret]`), steps by op, and seconds it took."""

    outputs: Mapping[str, object]
    changes: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One step that `up` would take; `diff` maps property paths to kinds (add, update, update-replace...)."""

    op: str
    urn: str
    diff: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """What `up` would do."""

    steps: tuple[PreviewStep, ...]
    changes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource as the state has it and as its provider sees it now, each as inputs and outputs; None: it is gone.

    Secrets are the text `[secret]` in both.
    """

    urn: str
    type: str
    id: str
    inputs: Mapping[str, object]
    outputs: Mapping[str, object]
    now: tuple[Mapping[str, object], Mapping[str, object]] | None


@runtime_checkable
class Engine(Protocol):
    """Twelve verbs over stacks. All block, and raise only errors of understudy.engine.errors.

    `stop` is looked at all the time: once set, the running operation is told to end (one SIGTERM for the real
    engine), what is in flight is finished and recorded, and InterruptedOperationError is raised.
    """

    def up(
        self,
        ref: StackRef,
        program: Program,
        *,
        config: Mapping[str, str] | None = None,
        listener: Listener = ignore,
        parallel: int = 64,
        stop: threading.Event | None = None,
    ) -> UpResult:
        """Create the stack if need be and make it what the program declares; end early once a resource failed."""

    def preview(
        self,
        ref: StackRef,
        program: Program,
        *,
        config: Mapping[str, str] | None = None,
        listener: Listener = ignore,
    ) -> PreviewResult:
        """Say what `up` would do; nothing is created, not even the stack."""

    def destroy(
        self,
        ref: StackRef,
        *,
        remove: bool = True,
        keep_protected: bool = False,
        listener: Listener = ignore,
        stop: threading.Event | None = None,
    ) -> None:
        """Delete all resources of the stack, needing nothing but its state; then remove the stack if asked.

        `keep_protected`: what is protected stays, with all that it stands on, and is no error; the state is written
        after each step, since the stack is gone on with. A stack that is not there is no error.
        """

    def refresh(self, ref: StackRef, *, listener: Listener = ignore) -> Mapping[str, int]:
        """Bring the state up to what really exists; pending creates are cleared. Returns steps by op."""

    def look(self, ref: StackRef, *, listener: Listener = ignore) -> tuple[Seen, ...]:
        """Every resource of a provider as it is now beside what the state has; the state stays, and so do locks.

        Raises:
            StackNotFoundError: there is no such stack.
        """

    def export_state(self, ref: StackRef) -> dict[str, object]:
        """The deployment as `pulumi stack export` gives it, secrets as ciphertext."""

    def list(self) -> tuple[StackSummary, ...]:
        """Every stack of the backend, sorted."""

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        """The stack's locks, where they can be read without the CLI: in a `file://` or `s3://` backend; else none.

        Elsewhere they show in the StackLockedError of a verb.

        Raises:
            BackendError: they cannot be read.
        """

    def cancel(self, ref: StackRef, lock: Lock | None = None) -> None:
        """Delete the stack's locks, or only the one given; one that is gone is no error.

        Where the locks are not listed all go, whichever is given. It stops no live process: the caller has to know
        that there is none.
        """

    def damage(self, ref: StackRef) -> str:
        """What is wrong with the stack's state, in words that follow 'the state'.

        `""`: nothing, or there is no such stack, or it takes the CLI to see it, whose verbs fail then.
        """

    def discard(self, ref: StackRef) -> None:
        """Remove all that the backend has of a stack, whatever its state is like or says; nothing is deleted elsewhere.

        The caller has to know that nothing of it is left anywhere else. A stack that is not there is no error.

        Raises:
            StackLockedError: another process holds it.
            EngineError: it could not be removed.
        """

    def remove(self, ref: StackRef) -> None:
        """Remove a stack that has no resources left, with its history and backups.

        Raises:
            StackNotEmptyError: it still has resources.
        """
