"""Giving up a lost host: the leases of its target are closed, and the receipt says that nobody could look."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from understudy.console import Console, printable
from understudy.engine.interface import StackRef
from understudy.errors import UnderstudyError, UsageError
from understudy.lease import Lease
from understudy.options import Options
from understudy.progress import Phase, Progress, State
from understudy.receipts import keep
from understudy.session import Session, open_session
from understudy.stacks.identity import format_time
from understudy.stops import Stop
from understudy.targets.interface import Outcome, Receipt

__all__ = ["forget", "give_up"]


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
        receipts = [] if dry else [give_up(session, lease) for lease in idle]
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
    """Close one lease without a look at its target, and drop the state of its stack, if that was ours."""
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
