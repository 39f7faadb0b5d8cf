"""One pass of the reaper: facts, verdicts, the cap, the sweep and the images; and what exit code that comes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from understudy.build.cache import ImageCache, Pruned
from understudy.errors import LeftoversError, NotFoundError, UnderstudyError
from understudy.giving_back import take_back
from understudy.lease import BusyError, Lease
from understudy.progress import Phase, Progress, State
from understudy.reap.branches import branches_gone
from understudy.reap.classify import classify
from understudy.reap.clock import jumped, reading
from understudy.reap.facts import Gone, gather
from understudy.reap.model import Facts, Judgement, Policy, Subject, Verdict
from understudy.reap.sweep import Reaped, Sweeper, sweep
from understudy.session import Session
from understudy.stacks.identity import parse_time
from understudy.targets.docker_client import client

__all__ = ["DOUBT", "Pass", "cap_of", "opportune", "reap"]

DOUBT = 5
"""The exit code of a pass that kept something it could not judge."""

SMALL_CAP = 20
"""Environments that one pass may always remove (faults, S9) ..."""

SHARE = 4
"""... and the part of all that there are, a quarter, where that is more."""

OPPORTUNE = 64
"""Environments that a command removes before its own work: more than a week of neglect leaves (faults, T21)."""

OPPORTUNE_SECONDS = 120.0
"""Seconds after which it begins with no other one."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass saw, said and did. `cap`: how many it might remove; `capped`: there were more, and none was."""

    facts: Facts
    verdicts: tuple[Verdict, ...]
    cap: int
    dry: bool
    reaped: tuple[Reaped, ...] = ()
    images: Pruned | None = None
    problems: tuple[str, ...] = ()

    @property
    def wanted(self) -> int:
        """How many environments and stacks are to be reaped."""
        return sum(verdict.kind is Judgement.REAP for verdict in self.verdicts)

    @property
    def capped(self) -> bool:
        """Whether that is more than one pass may remove."""
        return self.wanted > self.cap

    @property
    def exit_code(self) -> int:
        """0: nothing is left to do; 4: something is left, or nobody could look; 5: something could not be judged."""
        problems = (*self.facts.problems, *self.problems)
        short = not self.dry and not self.capped and len(self.reaped) < self.wanted
        if problems or short or any(reaped.failed for reaped in self.reaped):
            return LeftoversError.exit_code
        return DOUBT if self.capped or any(verdict.doubt for verdict in self.verdicts) else 0


def cap_of(verdicts: tuple[Verdict, ...], most: int | None) -> int:
    """How many environments one pass may remove: as given, else 20 or a quarter of what there is, if that is more."""
    there = sum(verdict.subject.kind in {"environment", "stack"} for verdict in verdicts)
    return max(SMALL_CAP, there // SHARE) if most is None else most


def reap(session: Session, policy: Policy, *, dry: bool, most: int | None = None, gone: Gone = branches_gone) -> Pass:
    """One whole pass: a dry one changes nothing.

    Args:
        session: the command at work.
        policy: what else counts as over.
        dry: say what would be done.
        most: the cap; None: the usual one.
        gone: leases -> environment -> whether its branch is gone.
    """
    jump = jumped(session.settings.state, reading(), keep=not dry)
    facts = gather(session.target, session.store, session.engine, gone=gone, jump=jump)
    verdicts = classify(facts, policy)
    made = Pass(facts, verdicts, cap_of(verdicts, most), dry)
    if not dry:
        _ask(session, facts, verdicts)
        made = replace(made, problems=_given_back(session, facts, verdicts))
    if not dry and not made.capped:
        made = replace(made, reaped=_swept(session, facts, verdicts, policy))
    if session.on_aws:
        return made
    try:
        budget = int(session.options.image_budget * 1e9)
        cache = ImageCache(client(), session.settings.state)
        return replace(made, images=cache.prune(budget, pretend=dry or made.capped))
    except UnderstudyError as error:
        return replace(made, problems=(*made.problems, str(error.args[0])))


def opportune(session: Session, *, spare: str = "") -> None:
    """Before a command's own work: remove what is over on this target; what cannot be removed is told and no failure.

    Bounded in number and time; the rest is left to the next command. `spare` is the environment that the command is
    about: it stays as long as it may be extended.
    """
    policy = Policy()
    jump = jumped(session.settings.state, reading(), keep=True)
    facts = gather(session.target, session.store, gone=lambda _leases: {}, jump=jump)
    for problem in facts.problems:
        session.listener(
            Progress(Phase.DESTROY, State.WARNING, detail=f"could not look for stale environments: {problem}")
        )
    found = classify(facts, policy)
    for verdict in found:
        if verdict.subject.kind == "clock":
            session.listener(Progress(Phase.DESTROY, State.WARNING, "clock", f"nothing is reaped: {verdict.reason}"))
    _given_back(session, facts, found)
    verdicts = tuple(
        verdict
        for verdict in found
        if verdict.kind is Judgement.REAP
        and not (verdict.subject == Subject("environment", spare) and _extendable(facts, spare))
    )
    _swept(session, facts, verdicts[:OPPORTUNE], policy, seconds=OPPORTUNE_SECONDS)


def _extendable(facts: Facts, environment: str) -> bool:
    return any(fact.lease.id == environment and facts.now < parse_time(fact.lease.not_after) for fact in facts.leases)


def _ask(session: Session, facts: Facts, verdicts: tuple[Verdict, ...]) -> None:
    """Write into the lease of an owner that is past its hard limit why it is to stop; its heartbeat sees that."""
    leases = {fact.lease.id: fact.lease for fact in facts.leases}
    for verdict in verdicts:
        lease = leases.get(verdict.subject.name)
        if not verdict.ask or lease is None or lease.asked_to_stop:
            continue
        try:
            session.store.update(lease, check=partial(_hold_same, lease), asked_to_stop=verdict.ask)
        except UnderstudyError as error:
            session.listener(Progress(Phase.DESTROY, State.WARNING, f"environment {lease.id}", str(error)))


def _given_back(session: Session, facts: Facts, verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
    """Let those rest whose owner died; returns why one could not be, and does nothing twice."""
    leases = {fact.lease.id: fact.lease for fact in facts.leases}
    problems = []
    for verdict in verdicts:
        if not verdict.back or verdict.kind is not Judgement.KEEP:
            continue
        subject = f"environment {verdict.subject.name}"
        try:
            take_back(session, leases[verdict.subject.name])
        except (BusyError, NotFoundError) as error:
            session.listener(Progress(Phase.DESTROY, State.INFO, subject, f"left: {error.args[0]}"))
        except UnderstudyError as error:
            problems.append(str(error.args[0]))
            session.listener(Progress(Phase.DESTROY, State.WARNING, subject, problems[-1]))
        else:
            session.listener(Progress(Phase.DESTROY, State.INFO, subject, verdict.reason))
    return tuple(problems)


def _hold_same(before: Lease, now: Lease) -> None:
    if now.owner != before.owner:
        raise BusyError("Another process has taken it over meanwhile.")


def _swept(
    session: Session, facts: Facts, verdicts: tuple[Verdict, ...], policy: Policy, seconds: float = float("inf")
) -> tuple[Reaped, ...]:
    sweeper = Sweeper(session)

    def take(verdict: Verdict) -> Reaped:
        name = str(verdict.subject)
        session.listener(Progress(Phase.DESTROY, State.INFO, name, verdict.reason))
        done = sweeper.take(verdict, facts, policy)
        if done.detail:
            state = State.WARNING if done.failed else State.INFO
            session.listener(Progress(Phase.DESTROY, state, name, done.detail))
        return done

    return sweep(verdicts, take, session.stop, seconds=seconds)
