"""The sweep: each environment is taken by its lease, looked at again, torn down, and believed gone by its receipt."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from understudy.engine.interface import StackRef
from understudy.engine.settings import EngineSettings
from understudy.errors import NotFoundError, UnderstudyError
from understudy.heartbeat import Heartbeat
from understudy.lease import BusyError, Lease, LeaseExistsError, LeaseState
from understudy.owner import this_process
from understudy.preparation import trees
from understudy.reap.classify import LABEL_GRACE, classify, moment_of
from understudy.reap.facts import fact_of, locked_by
from understudy.reap.model import Facts, Judgement, Policy, Subject, Verdict
from understudy.session import Session
from understudy.stacks.identity import Whose, format_time
from understudy.targets.interface import Outcome, Owned, Receipt, Spare, spare_none
from understudy.teardown import OWN_PROJECT, tear_down
from understudy.waiting import wait_idle

__all__ = ["PARALLEL", "Reaped", "Sweeper", "lease_for", "sweep"]

PARALLEL = 4
"""Environments torn down at once: each has a Pulumi CLI, and the target is the limit."""

STOPPING = 8.0
"""Seconds that removals in hand may take once a stop is asked for; their leases say what the next pass goes on with."""


@dataclass(frozen=True, slots=True)
class Reaped:
    """What became of one subject. Without a receipt it was left: extended, taken by another process, or failed."""

    subject: Subject
    receipt: Receipt | None = None
    detail: str = ""
    failed: bool = False

    @property
    def clean(self) -> bool:
        """Whether a second look showed nothing of it."""
        return self.receipt is not None and self.receipt.outcome is Outcome.CLEAN


class _LeftError(UnderstudyError):
    """Looked at again, it is not to be taken any more."""


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Takes what a verdict gives up, and tears it down; `session` is the command at work."""

    session: Session

    def take(self, verdict: Verdict, facts: Facts, policy: Policy) -> Reaped:
        """Tear down what a verdict gives up, unless it changed meanwhile; nothing is raised."""
        if verdict.subject.backend:
            return self._take_another_s(verdict.subject, facts, policy)
        try:
            former, lease, spare = self._taken(verdict.subject, facts, policy)
        except (_LeftError, BusyError, NotFoundError, LeaseExistsError) as error:
            return Reaped(verdict.subject, detail=f"left: {error.args[0]}")
        except UnderstudyError as error:
            return Reaped(verdict.subject, detail=str(error), failed=True)
        at = self.session
        with Heartbeat(at.store, lease, lambda _reason: None):  # other hosts see by it that somebody is at work
            receipt = tear_down(
                lease,
                engine=at.engine,
                target=at.target,
                store=at.store,
                listener=at.listener,
                spare=spare,
                former=former,
            )
        return Reaped(verdict.subject, receipt, receipt.reason, failed=receipt.outcome is not Outcome.CLEAN)

    def _take_another_s(self, subject: Subject, facts: Facts, policy: Policy) -> Reaped:
        """Remove by label what another backend made and its labels give up; lease and stack of its id here are ours."""
        target, whose = self.session.target, Whose(subject.name, subject.backend)
        try:
            self._hold_target(facts)
            self._hold(subject, replace(facts, objects=target.inventory(whose), stacks=None), policy)
            swept = target.sweep(whose, _spared(facts))
        except _LeftError as error:
            return Reaped(subject, detail=f"left: {error.args[0]}")
        except UnderstudyError as error:
            return Reaped(subject, detail=str(error), failed=True)
        receipt = target.receipt(whose, facts.target)
        detail = "; ".join(f"{item.kind} {item.name}: {reason}" for item, reason in swept.failed) or receipt.reason
        return Reaped(subject, receipt, detail, failed=receipt.outcome is not Outcome.CLEAN)

    def _hold_target(self, facts: Facts) -> None:
        if (here := self.session.target.identity()) != facts.target:
            raise _LeftError(f"The target was {facts.target}, and now this is {here}.")

    def _taken(self, subject: Subject, facts: Facts, policy: Policy) -> tuple[Lease, Lease, Spare]:
        """The subject's lease as it was and as it is now, in this process's name, and what is to stay all the same.

        Whose lease is lost gets a new one, which other processes respect; its labels go on to count.

        Raises:
            _LeftError: it is not to be taken any more.
            LeaseExistsError: another process was first.
            UnderstudyError: it cannot be looked at, or the lease not be written.
        """
        engine, target, store = self.session.engine, self.session.target, self.session.store
        self._hold_target(facts)
        environment = subject.name.rpartition("/")[2]
        known = None if environment in facts.broken else store.find(environment)
        whose = Whose(environment, store.backend_id()) if known is None else known.whose
        items = target.inventory(whose)
        if known is None:
            self._hold(subject, replace(facts, leases=(), objects=items), policy)
            if by := locked_by(engine, StackRef(OWN_PROJECT, environment)):
                raise _LeftError(f"Its stack is locked by {by}.")
            lost = lease_for(whose, items, facts, self.session.settings)
            store.restore(lost)
            return lost, lost, _spared(facts)
        gone = {fact.lease.id: fact.branch_gone for fact in facts.leases}.get(environment)

        def still(now: Lease) -> None:
            self._hold(subject, replace(facts, leases=(fact_of(now, gone),), objects=items, stacks=None), policy)

        def write(now: Lease) -> Lease:
            return store.update(now, check=still, state=LeaseState.DESTROYING, owner=this_process())

        taken = wait_idle(self.session, known, 0.0, take=write)
        if taken is None:
            raise _LeftError("Another command has removed it meanwhile.")
        return known, taken, _spared(facts) if fact_of(taken).restored else spare_none

    def _hold(self, subject: Subject, facts: Facts, policy: Policy) -> None:
        for verdict in classify(facts, policy):
            if verdict.subject == subject:
                if verdict.kind is not Judgement.REAP:
                    raise _LeftError(f"{verdict.kind}: {verdict.reason}.")
                return
        raise _LeftError("Nothing is left of it.")


def _spared(facts: Facts) -> Spare:
    """Keeps what came to an environment without a lease since it was judged, and may live on."""

    def spare(labels: Mapping[str, str]) -> str:
        latest = moment_of(labels, facts)
        past = latest is not None and facts.moment > latest + LABEL_GRACE
        return "" if past else "its label not-after is not past for certain; kept"

    return spare


def lease_for(whose: Whose, items: Iterable[Owned], facts: Facts, settings: EngineSettings) -> Lease:
    """A lease for what has lost its own: it ended when the labels say, and its owner is the process that removes it.

    The trees that this machine has of it are found by its id.
    """
    moments = [moment for item in items if (moment := moment_of(item.labels, facts)) is not None]
    ended = format_time(max(moments, default=facts.moment - LABEL_GRACE))
    return Lease(
        id=whose.environment,
        target=facts.target,
        project=OWN_PROJECT,
        stack=whose.environment,
        backend=settings.backend,
        backend_id=whose.backend,
        repository="",
        topology="",
        commit="",
        branch="",
        owner=this_process(),
        created=ended,
        expires=ended,
        not_after=ended,
        state=LeaseState.DESTROYING,
        tree=str(trees(settings.state, whose.environment) / "files"),
    )


def sweep(
    verdicts: Iterable[Verdict],
    take: Callable[[Verdict], Reaped],
    stop: threading.Event,
    *,
    seconds: float = float("inf"),
) -> tuple[Reaped, ...]:
    """Take all that is to be reaped, some at once; none is begun after a stop, or later than `seconds` from now.

    Those that were not begun, or not ended when the wait for them was over, are not in the result.
    """
    pending = deque(verdict for verdict in verdicts if verdict.kind is Judgement.REAP)
    done: list[Reaped] = []
    limit = time.monotonic() + seconds

    def work() -> None:
        while pending and not stop.is_set() and time.monotonic() < limit:
            try:
                verdict = pending.popleft()
            except IndexError:
                return
            try:
                done.append(take(verdict))
            except Exception as error:  # noqa: BLE001 - one that fails must not keep the others from being removed
                done.append(Reaped(verdict.subject, detail=f"{type(error).__name__}: {error}", failed=True))

    threads = [threading.Thread(target=work, name="reap", daemon=True) for _ in range(min(PARALLEL, len(pending)))]
    for thread in threads:
        thread.start()
    stopped = float("inf")
    while any(thread.is_alive() for thread in threads) and time.monotonic() < stopped:
        for thread in threads:
            thread.join(0.1)
        if stop.is_set():
            stopped = min(stopped, time.monotonic() + STOPPING)
    return tuple(sorted(done, key=lambda reaped: reaped.subject))
