"""Classification: a pure function from facts to one verdict, with its reason, on each environment, stack and object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from understudy.lease import HEARTBEAT_LOST, Lease, is_id, over
from understudy.reap.model import Facts, Judgement, LeaseFact, Policy, StackFact, Subject, Verdict
from understudy.stacks.identity import LABEL, OWNERSHIP, Whose, format_time, parse_time
from understudy.targets.interface import Owned
from understudy.targets.ownership import CLASH, ENVIRONMENT, NOT_AFTER, TARGET, is_owned, protected, whose_of
from understudy.teardown import OWN_PROJECT

__all__ = ["LABEL_GRACE", "MOST_SKEW", "SMALL_SKEW", "classify", "moment_of", "odd"]

MOST_SKEW = timedelta(days=1)
"""Clocks further apart than this are refused: a clock that is wrong would take everything at once (Yuzu issue 2361)."""

SMALL_SKEW = timedelta(minutes=5)
"""Clocks this far apart change nothing: a lease of another host counts as over only so much later."""

LABEL_GRACE = timedelta(hours=1)
"""How long past its not-after an object without a lease is left (design, decision 9)."""

_LONGEST = timedelta(days=3653)
"""The longest that an environment may live, as the options take it; a lease beyond it was not written by us."""

_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
"""Nothing of ours is older: a moment before it comes from a clock that was never set."""


def classify(facts: Facts, policy: Policy = Policy()) -> tuple[Verdict, ...]:  # noqa: B008 - frozen
    """Every verdict, sorted by subject; the same facts give the same verdicts, in whichever time zone."""
    found = list(_verdicts(facts, policy))
    if doubt := _refusal(facts):
        skewed = bool(_of_clocks(facts))
        found = [_unknown(verdict, doubt, doubted=skewed) for verdict in found]
        if skewed:
            found.append(Verdict(Judgement.UNKNOWN, Subject("clock", facts.target), doubt, doubt=True))
    return tuple(sorted(found, key=lambda verdict: verdict.subject))


def _refusal(facts: Facts) -> str:
    """Why nothing at all may be taken; `""` when it may."""
    if facts.problems or not facts.target:
        return "not everything could be listed: " + ("; ".join(facts.problems) or "the target does not say who it is")
    return _of_clocks(facts)


def _of_clocks(facts: Facts) -> str:
    """Why no clock can be believed; `""` when one can."""
    if facts.jump > MOST_SKEW:
        return (
            f"this machine's clock, {_text(facts.now)}, went {facts.jump.total_seconds():.0f} s ahead of its own "
            "uptime since an earlier command: until it has stayed so for an hour nothing is over for certain"
        )
    if facts.skew > MOST_SKEW:
        return (
            f"a skew of {facts.skew.total_seconds():.0f} s between this machine's clock, {_text(facts.now)}, and "
            f"the target's, {_text(facts.clock or facts.now)}: with one of them wrong, nothing is over for certain"
        )
    return ""


def _unknown(verdict: Verdict, reason: str, *, doubted: bool) -> Verdict:
    """Nothing is known for certain of it; what is on another target is so all the same."""
    if verdict.kind is Judgement.HOLD:
        return verdict
    return Verdict(
        Judgement.UNKNOWN,
        verdict.subject,
        reason,
        doubt=doubted or verdict.doubt,
        objects=verdict.objects,
        attempts=verdict.attempts,
    )


def _verdicts(facts: Facts, policy: Policy) -> Iterator[Verdict]:
    whole: dict[Whose, list[Owned]] = {}
    for item in facts.objects:
        if verdict := _kept_object(item, facts):
            yield verdict
        else:
            whole.setdefault(whose_of(item.labels), []).append(item)
    leased = {fact.lease.whose: fact for fact in facts.leases}
    for fact in facts.leases:
        yield _of_lease(fact, whole.get(fact.lease.whose, []), facts, policy)
    for whose, items in whole.items():
        if whose not in leased:
            yield _without_lease(whose, items, facts)
        elif leased[whose].lease.target != facts.target:
            reason = f"its lease names {leased[whose].lease.target}, its labels this target"
            yield _keep(_environment(whose.environment), reason, items, doubt=True)
    here = {whose.environment for whose in whole if whose.backend == facts.backend}
    yield from (
        _keep(Subject("lease", each), "it cannot be read, and nothing here says that its time is over", doubt=True)
        for each in facts.broken
        if each not in here
    )
    stacks = {(fact.lease.project, fact.lease.stack) for fact in facts.leases}
    for stack in facts.stacks or ():
        mine = stack.ref.project == OWN_PROJECT and stack.ref.name not in here and stack.ref.name not in facts.broken
        if mine and (stack.ref.project, stack.ref.name) not in stacks:
            yield _of_stack(stack, facts)


def _kept_object(item: Owned, facts: Facts) -> Verdict | None:
    """Why one object is kept whatever else is known; None: all its labels are whole and of this target."""
    subject = Subject(item.kind, item.name)
    if not is_owned(item.labels):
        partly = any(key.lower() in OWNERSHIP for key in item.labels)
        lacks = ", ".join(key.removeprefix(LABEL) for key in OWNERSHIP if not item.labels.get(key))
        return _keep(subject, f"it lacks the ownership labels {lacks}", doubt=partly)
    if item.labels[TARGET] != facts.target:
        return _keep(subject, f"foreign: its label names the target {item.labels[TARGET]}", doubt=True)
    if not is_id(item.labels[ENVIRONMENT]):
        return _keep(subject, "its label names no environment that could be", doubt=True)
    if moment_of(item.labels, facts) is None:
        return _keep(subject, f"its label not-after is no moment that could be: {item.labels[NOT_AFTER]}", doubt=True)
    return None


def moment_of(labels: Mapping[str, str], facts: Facts) -> datetime | None:
    """The label's moment; None when it is not written as we write it, or is of a clock that was never set."""
    try:
        moment = parse_time(labels.get(NOT_AFTER, ""))
    except ValueError:
        return None
    return moment if _FIRST <= moment <= facts.moment + _LONGEST else None


def _of_lease(fact: LeaseFact, items: list[Owned], facts: Facts, policy: Policy) -> Verdict:
    lease = fact.lease
    subject = _environment(lease.id)
    if lease.target != facts.target:
        return Verdict(Judgement.HOLD, subject, f"on {lease.target}", objects=0)
    if why := odd(lease, facts.moment):
        return Verdict(Judgement.UNKNOWN, subject, why, doubt=True, objects=len(items))
    if _worked_on(fact, facts.moment):
        return _at_work(fact, items, facts)
    if fact.restored and items:
        return replace(_lost(lease.id, items, facts), attempts=lease.attempts)
    return _at_rest(fact, items, facts, policy)


def _at_work(fact: LeaseFact, items: list[Owned], facts: Facts) -> Verdict:
    """A live owner is never cut off; one that is past the hard limit is asked to stop."""
    lease = fact.lease
    reason = f"{lease.state} by process {lease.owner.pid} of {lease.owner.user} on {lease.owner.host}"
    ask = ""
    if facts.moment - SMALL_SKEW >= parse_time(lease.not_after):
        ask = f"the hard limit of its life, {lease.not_after}, is past"
        reason += f", which is asked to stop: {ask}"
    verdict = _keep(_environment(lease.id), reason, items, attempts=lease.attempts)
    return replace(verdict, ask=ask)


def _at_rest(fact: LeaseFact, items: list[Owned], facts: Facts, policy: Policy) -> Verdict:
    lease, subject = fact.lease, _environment(fact.lease.id)
    ended = _over(fact, facts.moment, policy)
    if not ended:
        dead = "" if lease.state.at_rest else f"{_died(lease)}: it is given back to its lease; "
        return replace(_keep(subject, f"{dead}it may live until {lease.expires}", items), back=bool(dead))
    if shielded := [item for item in items if protected(item.labels)]:
        reason = f"protected: {shielded[0].kind} {shielded[0].name} has the label {LABEL}protect; else {ended}"
        return _keep(subject, reason, items, doubt=True)
    return Verdict(Judgement.REAP, subject, ended, objects=len(items), attempts=lease.attempts)


def _worked_on(fact: LeaseFact, moment: datetime) -> bool:
    """Whether another process is at work; one that cannot be looked at is until its heartbeat is lost for certain."""
    lease = fact.lease
    if lease.state.at_rest or fact.mine:
        return False
    if fact.alive is not None:
        return fact.alive
    silent = moment - parse_time(lease.renewed or lease.created)
    return silent < timedelta(seconds=HEARTBEAT_LOST) + SMALL_SKEW


def _over(fact: LeaseFact, moment: datetime, policy: Policy) -> str:
    """Why an environment that nobody works on is over; `""`: it is not."""
    lease = fact.lease
    if not lease.stays:
        return _died(lease)
    here = moment if fact.alive is not None else moment - SMALL_SKEW
    if why := over(lease, here, branch_gone=fact.branch_gone):
        return why
    age = (here - parse_time(lease.created)).total_seconds()
    if policy.older_than and age > policy.older_than:
        return f"it was made at {lease.created}, more than {policy.older_than:.0f} s ago"
    return ""


def _died(lease: Lease) -> str:
    return f"its owner, process {lease.owner.pid} on {lease.owner.host}, ended while it was {lease.state}"


def odd(lease: Lease, moment: datetime) -> str:
    """Why a lease's times cannot be true; `""` when they can."""
    created, expires, not_after = (parse_time(text) for text in (lease.created, lease.expires, lease.not_after))
    if created < _FIRST or created > moment + MOST_SKEW:
        return f"its lease says that it was made at {lease.created}, which cannot be"
    if any(parse_time(text) > moment + MOST_SKEW for text in (lease.renewed, lease.active) if text):
        return f"its lease says that it was used at {max(lease.renewed, lease.active)}, which cannot be"
    if min(expires, not_after) < created:
        return f"its lease ends at {min(lease.expires, lease.not_after)}, before it was made at {lease.created}"
    if not_after - created > _LONGEST:
        return f"its lease says that it may live until {lease.not_after}, which is longer than any may"
    return ""


def _without_lease(whose: Whose, items: list[Owned], facts: Facts) -> Verdict:
    """Objects that no lease of this backend names: another backend's, or their lease is lost."""
    return (
        _lost(whose.environment, items, facts) if whose.backend == facts.backend else _of_another(whose, items, facts)
    )


def _lost(environment: str, items: list[Owned], facts: Facts) -> Verdict:
    """What this backend made and has no lease of any more."""
    subject = _environment(environment)
    latest = _latest(items, facts)
    lost = "its lease cannot be read" if environment in facts.broken else "it has no lease on this backend"
    if facts.moment <= latest + LABEL_GRACE:
        reason = f"{lost}; its labels let it live until {_text(latest)}, and {_hours(LABEL_GRACE)} more"
        return _keep(subject, reason, items, doubt=environment in facts.broken)
    if shielded := [item for item in items if protected(item.labels)]:
        reason = f"protected: {shielded[0].kind} {shielded[0].name} has the label {LABEL}protect; {lost}"
        return _keep(subject, reason, items, doubt=True)
    return Verdict(
        Judgement.REAP, subject, f"{lost}, and its labels' not-after was {_text(latest)}", objects=len(items)
    )


def _of_another(whose: Whose, items: list[Owned], facts: Facts) -> Verdict:
    """What another backend made: kept until the cap in its labels; in doubt where this one has the same id."""
    subject, latest = Subject("environment", whose.environment, whose.backend), _latest(items, facts)
    if facts.moment <= latest + LABEL_GRACE:
        clash = whose.environment in {fact.lease.id for fact in facts.leases} | set(facts.broken)
        same = f"foreign: this backend has an environment of the same id. {CLASH} " if clash else ""
        reason = f"{same}its labels let it live until {_text(latest)}, and {_hours(LABEL_GRACE)} more"
        return _keep(subject, reason, items, doubt=clash)
    if shielded := [item for item in items if protected(item.labels)]:
        reason = f"protected: {shielded[0].kind} {shielded[0].name} has the label {LABEL}protect"
        return _keep(subject, reason, items, doubt=True)
    reason = f"it has no lease on this backend, and its labels' not-after was {_text(latest)}"
    return Verdict(Judgement.REAP, subject, reason, objects=len(items))


def _latest(items: list[Owned], facts: Facts) -> datetime:
    return max(moment for item in items if (moment := moment_of(item.labels, facts)) is not None)


def _of_stack(stack: StackFact, facts: Facts) -> Verdict:
    """A stack of our own project that neither a lease nor an object of this target names."""
    subject = Subject("stack", f"{stack.ref.project}/{stack.ref.name}")
    if stack.locked:
        return Verdict(Judgement.HOLD, subject, f"it has no lease, and is locked by {stack.locked}")
    if stack.resources == 0:
        return Verdict(Judgement.REAP, subject, "it has no lease, no resource and no lock")
    if stack.target and stack.target != facts.target:
        return Verdict(Judgement.HOLD, subject, f"it has no lease; its state names {stack.target}")
    latest = moment_of({NOT_AFTER: stack.not_after}, facts)
    if not stack.target or latest is None:
        reason = (
            "it has no lease, and its state does not say whose its resources are; where nobody misses it, "
            f"`understudy reap --forget-stack {stack.ref.name}` gives it up"
        )
        return Verdict(Judgement.UNKNOWN, subject, reason, doubt=True)
    if facts.moment <= latest + LABEL_GRACE:
        return _keep(subject, f"it has no lease; its state lets it live until {_text(latest)}")
    return Verdict(Judgement.REAP, subject, f"it has no lease, and its state's not-after was {_text(latest)}")


def _environment(name: str) -> Subject:
    return Subject("environment", name)


def _keep(
    subject: Subject, reason: str, items: list[Owned] | None = None, *, doubt: bool = False, attempts: int = 0
) -> Verdict:
    return Verdict(Judgement.KEEP, subject, reason, doubt=doubt, objects=len(items or ()), attempts=attempts)


def _text(moment: datetime) -> str:
    return format_time(moment)


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.0f} h"
