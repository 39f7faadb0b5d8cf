"""Giving up what nobody can judge, with the receipt UNKNOWN: the leases of a lost host, a stack that says nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from understudy.console import Console, printable
from understudy.engine.interface import StackRef
from understudy.errors import LeftoversError, NotFoundError, UnderstudyError, UsageError
from understudy.lease import BusyError, Lease, LeaseState
from understudy.options import Options
from understudy.owner import this_process
from understudy.progress import Phase, Progress, State
from understudy.reap.classify import MOST_SKEW, classify
from understudy.reap.facts import gather
from understudy.reap.model import Judgement, Subject
from understudy.reap.sweep import lease_for
from understudy.receipts import keep
from understudy.session import Session, open_session
from understudy.stacks.identity import Whose, format_time
from understudy.stops import Stop
from understudy.targets.interface import Outcome, Receipt
from understudy.teardown import OWN_PROJECT

__all__ = ["forget", "forget_stack", "give_up"]


def forget(
    options: Options,
    folder: Path,
    console: Console,
    stop: Stop,
    target: str,
    *,
    dry: bool,
    form: str,
) -> int:
    """Close the leases of a target that is not this one; returns 0.

    Raises:
        UsageError: the target is this one, or no lease names it.
        ToolError: this target does not say who it is.
    """
    with open_session(options, folder, console, stop) as session:
        here = session.target.identity()
        if target == here:
            raise UsageError(
                f"{target} is the target that answers here: it is not lost.",
                hint="`understudy reap --yes` removes what is over on it, `understudy down` a single environment.",
            )
        leases = tuple(lease for lease in session.store.list()[0] if lease.target == target)
        if not leases:
            raise UsageError(
                f"Looked for leases of {target}, and there is none.", hint="`understudy list` shows the targets."
            )
        busy = [lease for lease in leases if lease.worked_on]
        idle = [lease for lease in leases if lease not in busy]
        receipts = []
        for lease in () if dry else tuple(idle):
            try:
                receipts.append(give_up(session, lease))
            except (BusyError, NotFoundError):  # somebody was faster
                idle.remove(lease)
                busy.append(lease)
    if form == "json":
        data = {
            "target": target,
            "dry_run": dry,
            "environments": [lease.id for lease in idle],
            "worked_on": [lease.id for lease in busy],
            "receipts": [
                {"environment": r.environment, "outcome": str(r.outcome), "reason": r.reason} for r in receipts
            ],
        }
        click.echo(json.dumps(data, indent=1))
        return 0
    for lease in idle:
        done = "would be closed; --yes does it" if dry else "closed with receipt UNKNOWN"
        console.say(printable(f"environment {lease.id} on {target}: its lease {'is ' if not dry else ''}{done}"))
    for lease in busy:
        console.say(printable(f"environment {lease.id} on {target}: kept, process {lease.owner.pid} works on it"))
    return 0


def give_up(session: Session, lease: Lease) -> Receipt:
    """Close one lease without a look at its target, and drop the state of its stack, if that was ours.

    Raises:
        BusyError: somebody works on it.
        NotFoundError: it was closed meanwhile.
    """
    lease = session.store.update(lease, check=Lease.hold_idle, state=LeaseState.DESTROYING, owner=this_process())
    receipt = Receipt(
        environment=lease.id,
        target=lease.target,
        outcome=Outcome.UNKNOWN,
        taken_at=format_time(datetime.now(UTC)),
        reason="its target was given up as lost (reap --forget-target): nobody looked",
    )
    keep(session.store, receipt, lease)
    if not lease.plain:
        try:
            session.engine.discard(StackRef(lease.project, lease.stack))
        except UnderstudyError as error:
            session.listener(Progress(Phase.DESTROY, State.WARNING, f"stack {lease.stack}", str(error)))
    session.store.close(lease)
    return receipt


def forget_stack(
    options: Options,
    folder: Path,
    console: Console,
    stop: Stop,
    name: str,
    *,
    dry: bool,
    form: str,
) -> int:
    """Remove the state of a stack of ours that has no lease and does not say whose its resources are; returns 0.

    Nothing of it is on this target, by label; on which target it was nobody knows, so a person has to say it.

    Raises:
        UsageError: there is no such stack, or it can be judged.
        LeftoversError: nobody could look.
        StackLockedError: another process holds it.
        LeaseExistsError: an environment of this id was made meanwhile.
        ToolError: this target does not answer.
    """
    ref = StackRef(OWN_PROJECT, name.removeprefix(f"{OWN_PROJECT}/"))
    with open_session(options, folder, console, stop) as session:
        facts = gather(session.target, session.store, session.engine, gone=lambda _leases: {})
        if facts.problems or facts.skew > MOST_SKEW:
            why = "; ".join(facts.problems) or "this clock and the target's are more than a day apart"
            raise LeftoversError(f"Looked for what there is of the stack {ref.name}, and nobody can tell: {why}.")
        subject = Subject("stack", f"{ref.project}/{ref.name}")
        verdict = next((each for each in classify(facts) if each.subject == subject), None)
        if verdict is None or verdict.kind is not Judgement.UNKNOWN:
            found = (
                "there is none without a lease and objects" if verdict is None else f"{verdict.kind}: {verdict.reason}"
            )
            raise UsageError(
                f"Looked for a stack {subject.name} that cannot be judged, and {found}.",
                hint="`understudy reap` says what there is; what it calls unknown can be given up.",
            )
        if not dry:
            held = lease_for(Whose(ref.name, session.store.backend_id()), (), facts, session.settings)
            session.store.restore(held)
            try:
                session.engine.discard(ref)
                keep(session.store, _given_up(ref.name, facts.target))
            finally:
                session.store.close(held)
    if form == "json":
        click.echo(json.dumps({"stack": subject.name, "dry_run": dry, "reason": verdict.reason}, indent=1))
    else:
        done = "would be removed; --yes does it" if dry else "is removed, with receipt UNKNOWN"
        console.say(printable(f"stack {subject.name}: {verdict.reason}; its state {done}"))
    return 0


def _given_up(environment: str, target: str) -> Receipt:
    return Receipt(
        environment=environment,
        target=target,
        outcome=Outcome.UNKNOWN,
        taken_at=format_time(datetime.now(UTC)),
        reason="its stack was given up (reap --forget-stack): nothing on this target has its labels, but its state did "
        "not say that this was its target",
    )
