"""Admission itself: the lease is written as one that waits, and begins when neither its branch nor a limit holds it."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from understudy.admission.limits import Limits, doubts, no_memory, no_place, no_subnets
from understudy.admission.order import Course, course, rivals
from understudy.admission.places import before, taken
from understudy.blueprint import Blueprint
from understudy.components.plan import make_plan
from understudy.engine.interface import StackRef
from understudy.errors import LimitError, NotFoundError, SupersededError, UnderstudyError
from understudy.heartbeat import Heartbeat
from understudy.lease import BusyError, Lease, LeaseState
from understudy.progress import Phase, Progress, State
from understudy.provider.settings import ProviderSettings
from understudy.provider.subnets import homeless, prefix_for
from understudy.provider.taken import taken_subnets
from understudy.session import Session
from understudy.stacks.identity import format_time, parse_time
from understudy.stops import SUPERSEDED, ended
from understudy.strangers import hold_no_stranger
from understudy.targets.docker_capacity import capacity
from understudy.targets.docker_client import client
from understudy.targets.ownership import ENVIRONMENT
from understudy.waiting import create

__all__ = ["admit"]

LOOK = 0.5
"""Seconds between two looks at the leases of others."""

SETTLE = 1.5
"""Seconds for which there has to be no room before a run is refused: of two that took the last place at once both give
it back, and one of them takes it again within one look."""


def admit(session: Session, blueprint: Blueprint, lease: Lease) -> Lease:
    """Write the lease of a new environment and return, as it is then, when the environment may be made.

    First come the other runs of the branch (`--on-newer`), then the limits of the target. Where it ends otherwise the
    lease is closed, and nothing was created.

    Raises:
        BusyError: the target has an environment of this id that another backend made.
        SupersededError: a newer commit of the branch is at work.
        LimitError: there is no room, or there was none in time.
        InterruptedRunError: a signal came.
        LeaseExistsError: the environment is there.
    """
    lease = replace(lease, state=LeaseState.WAITING)
    create(session, lease)
    admission = _Admission(session, blueprint, lease)
    try:
        _hold_ours(session, lease)
        with Heartbeat(session.store, lease, session.stop.ask):
            if lease.run:
                admission.settle_branch()
            return admission.take_place()
    except BaseException:
        session.store.close(lease)
        raise


def _hold_ours(session: Session, lease: Lease) -> None:
    """Hold that what the target shows of a new environment's id, if anything, is a stack's of this backend.

    Raises:
        BusyError: another backend made it, or this one has lost its record.
    """
    there = hold_no_stranger(session.target, lease)
    ref = StackRef(lease.project, lease.stack)
    if there and not any(stack.ref == ref and stack.resources != 0 for stack in session.engine.list()):
        raise BusyError(
            f"Environment {lease.id} is there already ({len(there)} objects, such as {there[0].kind} {there[0].name}), "
            f"and the backend {lease.backend} made it and knows nothing of it any more: its record is lost.",
            hint="Choose another --name. What is lost goes with `understudy reap --yes` once "
            f"the last moment in its labels is past: they say {ENVIRONMENT}={lease.id}",
        )


@dataclass
class _Admission:
    """One run on its way in."""

    session: Session
    blueprint: Blueprint
    lease: Lease
    said: str = ""

    def settle_branch(self) -> None:
        """Return when no run of another commit of this branch keeps it from beginning."""
        options, began = self.session.options, time.monotonic()
        superseding = options.on_newer == "supersede"
        limit = options.lock_timeout if superseding else options.queue_timeout
        while (now := self._course()).wait:
            others = ", ".join(f"{lease.id} (commit {lease.commit[:12]})" for lease in now.wait)
            if time.monotonic() - began > limit:
                told = f"Waited {limit:g} s for other runs of branch {self.lease.branch!r} to end: {others}"
                if not superseding:
                    raise LimitError(f"{told}.", hint="Raise --queue-timeout, or choose another --on-newer.")
                self._warn(f"{told}; they are still at work, so this one goes on beside them")
                return
            self._wait(f"waiting for {others} of the same branch to end")

    def _course(self) -> Course:
        """What has to be done about the branch now; whoever has to stop is asked to.

        Raises:
            SupersededError: this run has to give way.
        """
        leases, _ = self.session.store.list()
        now = course(self.lease, rivals(self.lease, leases), self.session.options.on_newer, self._is_ancestor)
        if now.give_way is not None:
            raise SupersededError(
                f"Not run: {SUPERSEDED}{now.give_way.commit[:12]}, a newer one of branch "
                f"{self.lease.branch!r}, which environment {now.give_way.id} is for.",
                hint="`--on-newer queue` or `parallel` lets it run all the same.",
            )
        for other in now.stop:
            self._ask(other)
        return now

    def _is_ancestor(self, older: str, newer: str) -> bool:
        repository = self.blueprint.repository
        return repository is not None and repository.is_ancestor(older, newer)

    def _ask(self, other: Lease) -> None:
        """Ask the owner of an older run to stop; whoever asked first is the one whose reason counts."""
        why = SUPERSEDED + self.lease.commit[:12]

        def hold_same(now: Lease) -> None:
            if now.owner != other.owner:
                raise BusyError(f"Environment {other.id} is another process's by now.")

        try:
            self.session.store.update(other, check=hold_same, asked_to_stop=other.asked_to_stop or why)
        except (NotFoundError, BusyError):
            return
        self._tell(f"environment {other.id} of commit {other.commit[:12]} is asked to stop: {why}")

    def take_place(self) -> Lease:
        """Return the lease as it is when it has a place within the limits.

        Raises:
            LimitError: there is no room.
        """
        options, began = self.session.options, time.monotonic()
        limits = Limits(options.max_environments, options.min_free_memory, options.min_free_disk)
        queued = options.on_limit == "queue"
        limit = options.queue_timeout if queued else SETTLE
        self._doubt(limits)
        while True:
            lacking = tuple(self._lacking(limits, waiting=True))
            if not lacking:
                lease = self._begin()
                lacking = tuple(self._lacking(limits, waiting=False))
                if not lacking:
                    return lease
                self.session.store.update(self.lease, state=LeaseState.WAITING)
            if time.monotonic() - began > limit:
                waited = f", also after {limit:g} s" if queued else ""
                raise LimitError(
                    f"Looked for room on {self.lease.target}, and there is none{waited}: {'; '.join(lacking)}.",
                    hint="`understudy list` shows what could go; `--on-limit queue` waits until there is room.",
                )
            self._wait(f"waiting for room: {'; '.join(lacking)}", quiet=not queued)

    def _lacking(self, limits: Limits, *, waiting: bool) -> Iterator[str]:
        """What there is no room for; `waiting`: those that came before and wait are counted too."""
        if limits.environments:
            leases, _ = self.session.store.list()
            seen = {item.labels[ENVIRONMENT] for item in self.session.target.inventory()}
            others = taken(self.lease, leases, seen) | (before(self.lease, leases) if waiting else frozenset())
            yield from no_place(limits, others)
        if self.session.on_aws:
            return
        if limits.memory or limits.disk:
            yield from no_memory(limits, capacity(client()))
        if waiting and self.session.options.docker_provider == "embedded":
            yield from self._no_subnets()

    def _no_subnets(self) -> Iterator[str]:
        clone = self.blueprint.clone
        plan = make_plan(clone, self.lease.id)
        prefixes = [prefix_for(each) for each in plan.capacities(outward=bool(clone.allowed))]
        pool = ProviderSettings.from_environment().subnet_pool
        missing = homeless(ipaddress.IPv4Network(pool), prefixes, taken_subnets(client()))
        yield from no_subnets(pool, len(prefixes), missing)

    def _begin(self) -> Lease:
        """Take a place; the time that the environment may live begins now."""
        now = datetime.now(UTC)
        past = now - parse_time(self.lease.created)
        return self.session.store.update(
            self.lease,
            state=LeaseState.PROVISIONING,
            expires=format_time(parse_time(self.lease.expires) + past),
            not_after=format_time(parse_time(self.lease.not_after) + past),
        )

    def _doubt(self, limits: Limits) -> None:
        if (limits.memory or limits.disk) and self.session.on_aws:
            self._warn("min_free_memory and min_free_disk are of a Docker host: on AWS nothing is asked for them")
        elif limits.memory or limits.disk:
            for doubt in doubts(limits, capacity(client())):
                self._warn(doubt)

    def _wait(self, why: str, *, quiet: bool = False) -> None:
        """Let a moment pass.

        Raises:
            SupersededError: another command asks this run to stop.
            InterruptedRunError: a signal came.
        """
        if why != self.said and not quiet:
            self._tell(why)
            self.said = why
        stop = self.session.stop
        if stop.wait(LOOK):
            raise ended(stop, UnderstudyError(f"it was {why}; nothing was created."))

    def _tell(self, text: str, state: State = State.INFO) -> None:
        self.session.listener(Progress(Phase.CLONE, state, f"environment {self.lease.id}", text))

    def _warn(self, text: str) -> None:
        self._tell(text, State.WARNING)
