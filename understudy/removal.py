"""The removal of one environment: by the engine, by label what its state did not know, then what is left of that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from understudy.engine.errors import StackLockedError
from understudy.engine.interface import Engine, StackRef
from understudy.errors import EnvironmentFailedError, LeftoversError, ProvisionError, ToolError, UnderstudyError
from understudy.lease import Lease
from understudy.locks import break_stale
from understudy.progress import Phase, Progress, ProgressListener, State
from understudy.targets.choose import DOCKER, kind_of
from understudy.targets.interface import Outcome, Owned, Receipt, Spare, Target

__all__ = ["COMEBACK", "LOCK_WAIT", "Removal", "answers", "with_target"]

LOCK_WAIT = 20.0
"""Seconds to wait for a stack's lock: a CLI that lost its owner took 1.1 to 2.0 s to end when that was tried."""

COMEBACK = 30.0
"""Seconds to wait for a target that does not answer: a Docker daemon that restarts."""

_LOOK = 0.25


def answers(target: Target, listener: ProgressListener) -> bool:
    """Whether the target can be reached anew, within COMEBACK: one that is stopping still serves who came before."""
    limit, told = time.monotonic() + COMEBACK, False
    while True:
        try:
            target.reach()
        except UnderstudyError as error:
            if time.monotonic() > limit:
                return False
            if not told:
                told = True
                detail = f"{error.args[0]} It is waited for up to {COMEBACK:g} s."
                listener(Progress(Phase.DESTROY, State.WARNING, "target", detail))
            time.sleep(_LOOK)
        else:
            return True


def with_target(target: Target, error: UnderstudyError) -> UnderstudyError:
    """What failed in an environment, with the reason where its target does not answer: all of it died with that."""
    if error.exit_code != ProvisionError.exit_code and not isinstance(error, ToolError):
        return error
    try:
        target.reach()
    except UnderstudyError as silent:
        phase = error.phase
        error = EnvironmentFailedError(f"The target went away while the run used it. {silent.args[0]} {error}")
        error.phase = phase
    return error


@dataclass(frozen=True, slots=True)
class Removal:
    """One environment to be removed; `former` is its lease as it was before this process took it over."""

    lease: Lease
    former: Lease
    engine: Engine
    target: Target
    listener: ProgressListener
    spare: Spare

    @property
    def ref(self) -> StackRef:
        """Its stack."""
        return StackRef(self.lease.project, self.lease.stack)

    def attempt(self) -> Receipt:
        """Remove all of it, once, and look; nothing is raised.

        A stack that a living process holds is left alone, also on the target: what is removed there it would make anew.
        """
        if harm := self.engine.damage(self.ref):
            self._warn(f"stack {self.ref.name}", f"its state {harm}: what there is is found by label")
        if self.former.died and kind_of(self.lease.target) == DOCKER:
            self._end_at_once()
        failure = self._destroyed()
        receipt = self._look()
        if isinstance(failure, StackLockedError):
            return self._left(receipt, f"its stack is locked by {next(iter(failure.locks), 'another process')}")
        if isinstance(failure, LeftoversError):
            return self._left(receipt, str(failure.args[0]))
        if receipt.outcome is Outcome.LEFTOVERS:
            self._sweep(receipt.leftovers)
            receipt = self._look()
        if receipt.outcome is Outcome.CLEAN and (failure is not None or self._damaged()):
            receipt = self._without_state(receipt)
        return receipt

    def _look(self) -> Receipt:
        return self.target.receipt(self.lease.whose, self.lease.target)

    def _destroyed(self) -> Exception | None:
        """Let the engine destroy the stack; returns why it did not."""
        try:
            self._destroy_unlocked()
        except Exception as error:  # noqa: BLE001 - whatever it is, the sweep and the second look come next
            self._warn("", f"{type(error).__name__}: {error}")
            return error
        return None

    def _destroy_unlocked(self) -> None:
        """A CLI whose owner was killed ends by itself within seconds: its lock is waited for, a stale one is broken."""
        limit = time.monotonic() + LOCK_WAIT
        while True:
            break_stale(self.engine, self.former, (), self.listener)
            try:
                self._give_back()
                self.target.foresee_look()
                self.engine.destroy(self.ref, remove=not self.lease.plain)
                self._hold_unlocked("Destroyed")  # a stack that is not there is destroyed without a look at them
            except StackLockedError as error:
                if break_stale(self.engine, self.former, error.locks, self.listener):
                    continue
                if time.monotonic() > limit:
                    raise
                time.sleep(_LOOK)
            else:
                return

    def _give_back(self) -> None:
        """Take away what lies outside of the environment's own objects, while it is known and can be reached."""
        owed = self.target.owed(self.lease.whose)
        if not owed:
            return
        self._hold_unlocked("Looked what is to be given back of")
        self.listener(Progress(Phase.DESTROY, State.STARTED, "shared instances", "; ".join(owed)))
        self.target.give_back(self.lease.whose)
        self.listener(Progress(Phase.DESTROY, State.DONE, "shared instances", "; ".join(owed)))

    def _hold_unlocked(self, doing: str) -> None:
        """Hold that nobody holds the stack.

        Raises:
            StackLockedError: somebody does.
        """
        if locks := self.engine.locks(self.ref):
            error = StackLockedError(f"{doing} {self.ref.qualified}, and it is locked by {locks[0]}.")
            error.locks = locks
            raise error

    def _without_state(self, receipt: Receipt) -> Receipt:
        """The target is empty but the stack's state is not: bring that up to date, or remove it unread."""
        if not self._damaged():
            try:
                self.engine.refresh(self.ref)
            except Exception as error:  # noqa: BLE001 - the attempt to destroy says whether it mattered
                self._warn("", f"{type(error).__name__}: {error}")
            if self._destroyed() is None and not self._damaged():
                return receipt
        if self.lease.plain:
            return self._left(
                receipt, "nothing is left on the target, but the state of the stack, which is your own, is"
            )
        try:
            self.engine.discard(self.ref)
        except Exception as error:  # noqa: BLE001 - it is left over then, and the receipt says so
            return self._left(
                receipt, f"nothing is left on the target, but the stack's state could not be removed: {error}"
            )
        reason = "the stack's state was of no use: all was found by label, and then the state removed"
        self._warn(f"stack {self.ref.name}", reason)
        return replace(receipt, reason=reason)

    def _damaged(self) -> bool:
        return bool(self.engine.damage(self.ref))

    def _left(self, receipt: Receipt, reason: str) -> Receipt:
        """The receipt of an environment whose stack is there still."""
        if receipt.outcome is not Outcome.CLEAN:
            return replace(receipt, reason="; ".join(filter(None, [receipt.reason, reason])))
        stack = Owned("stack", f"{self.ref.project}/{self.ref.name}", self.ref.name)
        return replace(receipt, outcome=Outcome.LEFTOVERS, leftovers=(stack,), reason=reason)

    def _end_at_once(self) -> None:
        """End what a dead owner has left running: nobody reads its last words, for which the engine gives it time.

        A stack that somebody may be at work on is left: a living process holds its lock, or it is a user's own.
        On AWS nothing is gained by it: ECS gives its tasks their time either way, and where the engine comes second it
        fails at what is gone already, such as a task definition, and its state has to be brought up to date.
        """
        if self.lease.plain:
            return
        try:
            break_stale(self.engine, self.former, (), self.listener)
            locked = bool(self.engine.locks(self.ref))
        except Exception as error:  # noqa: BLE001 - the engine's own attempt comes next, and says what it is
            self._warn("", f"{type(error).__name__}: {error}")
            return
        if not locked:
            self._sweep(known=True)

    def _sweep(self, seen: Sequence[Owned] | None = None, *, known: bool = False) -> None:
        """Remove by label what was just `seen`, or all there is.

        What the engine's state may know (`known`) is no warning, and comes again if it fails. Nor is what is
        deregistered, as the engine's own deletion leaves it.
        """
        try:
            swept = self.target.sweep(self.lease.whose, self.spare, seen)
        except Exception as error:  # noqa: BLE001 - the second look says what remains
            self._warn("", f"{type(error).__name__}: {error}")
            return
        if known:
            return
        for owned in (each for each in swept.removed if not each.deregistered):
            self._warn(f"{owned.kind} {owned.name}", "removed by label: the engine's state did not know it")
        for owned, reason in swept.failed:
            self.listener(Progress(Phase.DESTROY, State.FAILED, f"{owned.kind} {owned.name}", reason))

    def _warn(self, subject: str, detail: str) -> None:
        self.listener(Progress(Phase.DESTROY, State.WARNING, subject, detail))
