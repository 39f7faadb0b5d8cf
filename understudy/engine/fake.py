"""An engine in memory, for tests: programs run under Pulumi's mocks, and any verb can be told to fail or to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from understudy.engine.commands import interrupted
from understudy.engine.errors import (
    BackendError,
    StackLockedError,
    StackNotEmptyError,
    StackNotFoundError,
    program_failed,
)
from understudy.engine.event_log import ROOT
from understudy.engine.events import Diagnostic, Listener, Op, ResourceDone, ResourceStarted, Summary
from understudy.engine.fake_program import Declaration, Declared, declare
from understudy.engine.interface import (
    PreviewResult,
    PreviewStep,
    Program,
    Seen,
    StackRef,
    StackSummary,
    UpResult,
    ignore,
)
from understudy.engine.stale_locks import Lock

__all__ = ["Call", "FakeEngine"]

_LOCKING = frozenset({"up", "destroy", "refresh", "discard"})
"""The verbs that take the stack's lock."""

_READING = frozenset({"up", "destroy", "refresh"})
"""The verbs that need the stack's state."""

_LOOK = 0.01
"""Seconds between two looks at `stop` while a verb is held."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb, in the order of their beginnings."""

    verb: str
    ref: StackRef | None
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Stack:
    resources: dict[str, Declared] = field(default_factory=dict)
    updated: str | None = None


class FakeEngine:
    """See Engine. Safe to be used by many threads at once.

    Args:
        fail: Verb -> the error that each call of it raises. A failed `up` leaves the stack behind without resources,
            a failed `destroy` leaves all of it.
        hold: Verb -> an event that each call of it waits for before it does anything; `stop` ends the wait.
        run_programs: False: programs are not run and declare nothing but the stack itself; nothing imports pulumi.
    """

    def __init__(
        self,
        *,
        fail: Mapping[str, Exception] | None = None,
        hold: Mapping[str, threading.Event] | None = None,
        run_programs: bool = True,
    ) -> None:
        self.fail = dict(fail or {})
        self.hold = dict(hold or {})
        self.calls: list[Call] = []
        self.locked: dict[StackRef, list[Lock]] = {}
        self.damaged: dict[StackRef, str] = {}
        self._run_programs = run_programs
        self._stacks: dict[StackRef, _Stack] = {}
        self._lock = threading.RLock()

    def up(
        self,
        ref: StackRef,
        program: Program,
        *,
        config: Mapping[str, str] | None = None,
        listener: Listener = ignore,
        parallel: int = 64,  # noqa: ARG002 - one thing at a time here
        stop: threading.Event | None = None,
    ) -> UpResult:
        """See Engine.up."""
        begun = time.monotonic()
        self._begin("up", ref, config, stop, creates=True)
        wanted = self._declare("up", ref, program, config)
        with self._lock:
            stack = self._stacks[ref]
            steps = list(_steps(stack.resources, wanted.resources))
            stack.resources, stack.updated = dict(wanted.resources), _now()
        changes = _announce(steps, wanted, listener)
        return UpResult(wanted.outputs, changes, time.monotonic() - begun)

    def preview(
        self,
        ref: StackRef,
        program: Program,
        *,
        config: Mapping[str, str] | None = None,
        listener: Listener = ignore,
    ) -> PreviewResult:
        """See Engine.preview."""
        self._begin("preview", ref, config)
        wanted = self._declare("preview", ref, program, config, preview=True)
        with self._lock:
            present = self._stacks[ref].resources if ref in self._stacks else {}
            steps = list(_steps(present, wanted.resources))
        changes = _count(steps)
        listener(Summary(time.time(), changes, 0.0))
        return PreviewResult(tuple(PreviewStep(op.value, urn) for op, urn, _ in steps), changes)

    def destroy(
        self,
        ref: StackRef,
        *,
        remove: bool = True,
        keep_protected: bool = False,  # noqa: ARG002 - nothing is protected here
        listener: Listener = ignore,
        stop: threading.Event | None = None,
    ) -> None:
        """See Engine.destroy."""
        self._begin("destroy", ref, stop=stop)
        with self._lock:
            if ref not in self._stacks:
                return
            stack = self._stacks[ref]
            steps = [(Op.DELETE, urn, kind) for urn, (kind, _) in reversed(stack.resources.items())]
            stack.resources, stack.updated = {}, _now()
            if remove:
                del self._stacks[ref]
        _announce(steps, Declaration(), listener)

    def refresh(self, ref: StackRef, *, listener: Listener = ignore) -> Mapping[str, int]:
        """See Engine.refresh."""
        self._begin("refresh", ref)
        changes = {"same": len(self._stack("refresh", ref).resources)}
        listener(Summary(time.time(), changes, 0.0))
        return changes

    def look(self, ref: StackRef, *, listener: Listener = ignore) -> tuple[Seen, ...]:
        """See Engine.look. In memory there is no provider, and so nothing to see."""
        self._begin("look", ref)
        listener(Summary(time.time(), {"same": len(self._stack("look", ref).resources)}, 0.0))
        return ()

    def export_state(self, ref: StackRef) -> dict[str, object]:
        """See Engine.export_state."""
        self._begin("export_state", ref)
        resources = [
            {"urn": urn, "type": kind, "custom": False, "inputs": inputs}
            for urn, (kind, inputs) in self._stack("export_state", ref).resources.items()
        ]
        return {"version": 3, "deployment": {"manifest": {}, "resources": resources}}

    def list(self) -> tuple[StackSummary, ...]:
        """See Engine.list."""
        self._begin("list", None)
        with self._lock:
            found = [StackSummary(ref, len(stack.resources), stack.updated) for ref, stack in self._stacks.items()]
        return tuple(sorted(found, key=lambda summary: summary.ref))

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        """See Engine.locks: those in `locked`; each refuses `up`, `destroy` and `refresh`."""
        with self._lock:
            return tuple(self.locked.get(ref, ()))

    def cancel(self, ref: StackRef, lock: Lock | None = None) -> None:
        """See Engine.cancel."""
        self._begin("cancel", ref)
        if not self.locked.get(ref):
            self._stack("cancel", ref)
        with self._lock:
            kept = [each for each in self.locked.get(ref, ()) if lock is not None and each != lock]
            self.locked[ref] = kept

    def damage(self, ref: StackRef) -> str:
        """See Engine.damage: what a test has put into `damaged`, which `destroy` and `refresh` stumble over."""
        with self._lock:
            return self.damaged.get(ref, "")

    def discard(self, ref: StackRef) -> None:
        """See Engine.discard."""
        self._begin("discard", ref)
        with self._lock:
            self._stacks.pop(ref, None)
            self.damaged.pop(ref, None)

    def remove(self, ref: StackRef) -> None:
        """See Engine.remove."""
        self._begin("remove", ref)
        stack = self._stack("remove", ref)
        if any(kind != ROOT for kind, _ in stack.resources.values()):
            raise StackNotEmptyError(f"Removed {ref.qualified}, and it still has resources.", stack=ref.qualified)
        with self._lock:
            self._stacks.pop(ref, None)

    def _begin(
        self,
        verb: str,
        ref: StackRef | None,
        config: Mapping[str, str] | None = None,
        stop: threading.Event | None = None,
        *,
        creates: bool = False,
    ) -> None:
        name = ref.qualified if ref is not None else ""
        held = self.hold.get(verb)
        with self._lock:
            self.calls.append(Call(verb, ref, dict(config or {})))
        while True:
            if stop is not None and stop.is_set():
                raise interrupted(verb, name)
            if held is None or held.wait(_LOOK):
                break
        if creates and ref is not None:
            with self._lock:
                self._stacks.setdefault(ref, _Stack())
        if verb in self.fail:
            raise self.fail[verb]
        if verb in _LOCKING and ref is not None and (locks := self.locks(ref)):
            locked = StackLockedError(f"Ran `{verb}` on {name}; the stack is locked.", verb=verb, stack=name)
            locked.locks = locks
            raise locked
        if verb in _READING and ref is not None and (harm := self.damage(ref)):
            raise BackendError(f"Ran `{verb}` on {name}; the state {harm}.", verb=verb, stack=name)

    def _declare(
        self, verb: str, ref: StackRef, program: Program, config: Mapping[str, str] | None, *, preview: bool = False
    ) -> Declaration:
        if not self._run_programs:
            root = f"urn:pulumi:{ref.name}::{ref.project}::{ROOT}::{ref.project}-{ref.name}"
            return Declaration({root: (ROOT, {})})
        try:
            return declare(program, ref, config or {}, preview=preview)
        except Exception as error:
            raise program_failed(error, verb=verb, stack=ref.qualified) from error

    def _stack(self, verb: str, ref: StackRef) -> _Stack:
        with self._lock:
            if ref not in self._stacks:
                what = f"Ran `{verb}` on {ref.qualified}, and there is no such stack."
                raise StackNotFoundError(what, verb=verb, stack=ref.qualified)
            return self._stacks[ref]


_Step = tuple[Op, str, str]


def _steps(present: Mapping[str, Declared], wanted: Mapping[str, Declared]) -> Iterator[_Step]:
    for urn, (kind, inputs) in wanted.items():
        if urn not in present:
            yield Op.CREATE, urn, kind
        else:
            yield Op.SAME if present[urn] == (kind, inputs) else Op.UPDATE, urn, kind
    for urn, (kind, _) in present.items():
        if urn not in wanted:
            yield Op.DELETE, urn, kind


def _count(steps: list[_Step]) -> dict[str, int]:
    ops = [op.value for op, _, _ in steps]
    return {op: ops.count(op) for op in dict.fromkeys(ops)}


def _announce(steps: list[_Step], wanted: Declaration, listener: Listener) -> dict[str, int]:
    for severity, message, urn in wanted.messages:
        listener(Diagnostic(time.time(), severity, message, urn))
    for op, urn, kind in steps:
        listener(ResourceStarted(time.time(), urn, kind, op))
        outputs = dict(wanted.outputs) if kind == ROOT else {}
        listener(ResourceDone(time.time(), urn, kind, op, outputs=outputs))
    changes = _count(steps)
    listener(Summary(time.time(), changes, 0.0))
    return changes


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
