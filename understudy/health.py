"""What is stale on this backend and target, for `doctor`: leaks, dead owners, stale locks, disk; nothing is changed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from understudy.doctor import Check, package
from understudy.engine.interface import StackRef
from understudy.engine.lock_place import lock_place
from understudy.engine.settings import EngineSettings
from understudy.engine.stale_locks import Processes, why_gone
from understudy.errors import UnderstudyError
from understudy.lease import LeaseStore
from understudy.locks import why_stale
from understudy.options import Options
from understudy.reap.classify import MOST_SKEW, SMALL_SKEW, classify
from understudy.reap.clock import jumped, reading
from understudy.reap.facts import gather
from understudy.reap.model import Facts, Judgement, Subject, Verdict
from understudy.session import lease_store
from understudy.stacks.identity import LABEL, Whose
from understudy.targets.choose import AWS, target_of
from understudy.targets.docker_capacity import capacity
from understudy.targets.docker_client import client
from understudy.targets.interface import Owned, Target
from understudy.targets.ownership import is_owned, whose_of

__all__ = ["NEEDED", "examine", "judged_checks"]

NEEDED = 2 * 1024**3
"""Bytes of disk below which it is said where no `min_free_disk` is set: about what images of one small clone take."""

_NAMED = 5
"""As many are named; the rest is counted."""

_REAP = "`understudy reap` says what is to become of each, and `understudy reap --yes` removes what is over."


def examine(options: Options, target: Target | None = None) -> list[Check]:
    """Look at leases, labelled objects, locks and disks; what cannot be looked at is a check that says so."""
    try:
        settings = EngineSettings.from_environment(Path("pulumi"))  # for its folders: nothing here needs a CLI
        store = lease_store(options, settings)
    except UnderstudyError as error:
        return [Check("backend", None, str(error.args[0]), error.hint)]
    where = target or target_of(options)
    return [
        *(_tried("aws", lambda: list(_aws(options))) if options.target == AWS else ()),
        *_tried("leases", lambda: _leases(store, where, settings)),
        *_tried("locks", lambda: [_locks(settings, store)]),
        *_tried("disk", lambda: list(_disks(settings, options))),
    ]


def _aws(options: Options) -> Iterator[Check]:
    """Whose credentials there are, and whether anything may be made or removed with them."""
    for name, distribution in (("boto3", "boto3"), ("pulumi_aws", "pulumi-aws")):
        yield package(name, distribution, "Install it with `pip install 'understudy[aws]'`.")
    target = target_of(options)
    try:
        here = target.identity()
        yield Check("aws", ok=True, detail=here)
        target.reach()
    except UnderstudyError as error:
        yield Check("aws", ok=False, detail=str(error.args[0]), hint=error.hint)


def _tried(name: str, look: Callable[[], list[Check]]) -> list[Check]:
    try:
        return look()
    except (UnderstudyError, OSError) as error:
        return [Check(name, None, f"could not look: {error.args[0] if error.args else error}")]


def _leases(store: LeaseStore, target: Target, settings: EngineSettings) -> list[Check]:
    facts = gather(target, store, gone=lambda _leases: {}, jump=jumped(settings.state, reading(), keep=False))
    if facts.problems:
        return [Check("leases", None, f"could not look: {'; '.join(facts.problems)}")]
    return judged_checks(facts, classify(facts))


def _is_here(subject: Subject) -> bool:
    """Whether it is an environment of this backend."""
    return subject.kind == "environment" and not subject.backend


def _is_leased(item: Owned, known: set[Whose]) -> bool:
    """Whether a lease names an object; by its environment alone where its labels are not whole."""
    if is_owned(item.labels):
        return whose_of(item.labels) in known
    return item.labels.get(LABEL + "environment") in {whose.environment for whose in known}


def judged_checks(facts: Facts, verdicts: Iterable[Verdict]) -> list[Check]:
    """Checks of environments, owners, leaks, other targets and clocks. Pure."""
    judged = {verdict.subject.name: verdict for verdict in verdicts if _is_here(verdict.subject)}
    leased = {fact.lease.id for fact in facts.leases}
    known = {fact.lease.whose for fact in facts.leases}
    over = [name for name in leased if name in judged and judged[name].kind is Judgement.REAP]
    dead = [name for name in over if "ended while it was" in judged[name].reason]
    ended = [name for name in over if name not in dead]
    held = Counter(fact.lease.target for fact in facts.leases if fact.lease.target != facts.target)
    leaks = Counter(
        item.labels.get(LABEL + "environment", "without a whole set of labels")
        for item in facts.objects
        if not _is_leased(item, known)
    )
    found = [
        _check("environments", ended, f"{len(leased)} have a lease", "whose time is over"),
        _check("owners", dead, "no owner died without handing over", "whose owner is dead"),
        _check(
            "leaks",
            leaks,
            "every labelled object has a lease",
            "on this target without a lease here (another backend may have it)",
        ),
    ]
    if facts.broken:
        found.append(Check("leases", None, f"cannot be read: {_named(facts.broken)}", _REAP))
    if held:
        hint = "Each is reaped from its own target; `understudy reap --forget-target ID` gives up those of a lost host."
        found.append(Check("elsewhere", None, ", ".join(f"{n} on {name}" for name, n in sorted(held.items())), hint))
    if facts.jump > MOST_SKEW:
        told = f"this machine's went {facts.jump.total_seconds():.0f} s ahead of its own uptime"
        found.append(Check("clocks", None, told, "Set it; if it is right, it is believed after an hour."))
    if facts.skew > SMALL_SKEW:
        hint = "Set the clocks; nothing is reaped while they are more than a day apart." * (facts.skew > MOST_SKEW)
        found.append(
            Check("clocks", None, f"the target's is {facts.skew.total_seconds():.0f} s apart", hint or "Set it.")
        )
    return found


def _check(name: str, stale: Iterable[str], well: str, what: str) -> Check:
    names = sorted(stale)
    return Check(name, None, f"{what}: {_named(names)}", _REAP) if names else Check(name, ok=True, detail=well)


def _named(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:_NAMED]) + (f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else "")


def _locks(settings: EngineSettings, store: LeaseStore) -> Check:
    place = lock_place(settings.backend)
    if place is None:
        return Check("locks", ok=True, detail="of this backend they show when a command meets one")
    leases = {StackRef(lease.project, lease.stack): lease for lease in store.list()[0]}
    here = Processes.here()
    found = list(place.every_lock())
    stale = [
        f"{ref.project}/{ref.name} by {lock}"
        for ref, lock in found
        if (why_stale(lock, leases[ref], here) if ref in leases else why_gone(lock, here))
    ]
    hint = "The next command on such an environment breaks it, and `understudy reap --yes`, if its time is over."
    if stale:
        return Check("locks", None, f"whose process is gone: {_named(stale)}", hint)
    return Check("locks", ok=True, detail=f"{len(found)} held, none of them stale")


def _disks(settings: EngineSettings, options: Options) -> Iterator[Check]:
    needed = options.min_free_disk or NEEDED
    there = settings.state
    while not there.exists():
        there = there.parent
    yield _disk("state", there, shutil.disk_usage(there).free, needed)
    found = None if options.target == AWS else capacity(client())
    if found is not None and found.disk is not None:
        yield _disk("Docker", Path(found.root), found.disk, needed)


def _disk(what: str, place: Path, free: int, needed: int) -> Check:
    detail = f"{what}: {free / 1e9:.1f} GB free at {place}, {needed / 1e9:.1f} GB wanted"
    hint = "`understudy reap --yes` prunes cached images; --image-budget says how many gigabytes may stay."
    return Check("disk", True if free >= needed else None, detail, "" if free >= needed else hint)
