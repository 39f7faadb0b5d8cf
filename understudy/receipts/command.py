"""`understudy receipt`: the proof that an environment is gone, long after its lease is closed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from understudy.console import printable
from understudy.engine.settings import EngineSettings
from understudy.errors import LeftoversError, NotFoundError, UnderstudyError, UsageError
from understudy.lease import Lease, LeaseStore
from understudy.options import Options
from understudy.receipts.kept import KEPT_DAYS, KeptReceipt, find, known
from understudy.report.visible import plural
from understudy.session import find_lease, lease_store
from understudy.targets.interface import Outcome

__all__ = ["ids", "show"]


def show(options: Options, name: str, *, form: str) -> int:
    """Print the last receipt of an environment; returns 0 if it is gone and proven CLEAN, else 4.

    `name` is an id or, of an environment that still has its lease, anything that it is called by. While there is a
    lease nothing is proven, whatever an earlier receipt says.

    Raises:
        UsageError: nothing is known of such an environment.
        LeftoversError: the lease or the receipt cannot be read.
    """
    store = lease_store(options, EngineSettings.from_environment(Path("pulumi")))  # for its backend: it needs no CLI
    try:
        lease = _living(store, name)
        kept = find(store, name if lease is None else lease.id)
    except UsageError:
        raise
    except UnderstudyError as error:
        raise LeftoversError(f"Nothing is proven of {name!r}: {error.args[0]}", hint=error.hint) from error
    if lease is None and kept is None:
        raise UsageError(
            f"Looked for a receipt of {name!r}, and there is neither one nor an environment of that name.",
            hint=f"Name it by its id, which `run`, `up` and `down` print. Receipts are kept for {KEPT_DAYS:.0f} days.",
        )
    if form == "json":
        data: dict[str, object] = kept.data() if kept else {"environment": lease.id if lease else name}
        click.echo(json.dumps({**data, "lease": str(lease.state) if lease else "closed"}, indent=1))
    else:
        for label, value in _lines(kept, lease):
            click.echo(f"{label:<12} {printable(value)}")
    clean = lease is None and kept is not None and kept.receipt.outcome is Outcome.CLEAN
    return 0 if clean else LeftoversError.exit_code


def ids(options: Options) -> tuple[str, ...]:
    """The environments that are there and those of which a receipt is kept.

    Raises:
        UnderstudyError: they cannot be listed.
    """
    store = lease_store(options, EngineSettings.from_environment(Path("pulumi")))
    return tuple(dict.fromkeys((*(lease.id for lease in store.list()[0]), *known(store))))


def _living(store: LeaseStore, name: str) -> Lease | None:
    """Looked for by its id first: a lease that is there and cannot be read must not pass for one that is closed."""
    try:
        return store.find(name) or find_lease(store, name)
    except NotFoundError:
        return None


def _lines(kept: KeptReceipt | None, lease: Lease | None) -> list[tuple[str, str]]:
    lines = []
    if lease is not None:
        last = f"; it failed {lease.attempts} times, last: {lease.last_failure}" if lease.attempts else ""
        lines += [("environment", lease.id), ("lease", f"{lease.state}: nothing is proven while it is open{last}")]
    if kept is None:
        return [*lines, ("receipt", "none yet")]
    receipt, by = kept.receipt, kept.by
    looked = ", ".join(plural(count, kind) for kind, count in receipt.looked.items())
    if lease is None:
        lines += [("environment", receipt.environment), ("lease", "closed")]
    lines += [
        ("receipt", str(receipt.outcome) + (f" - {receipt.reason}" if receipt.reason else "")),
        ("target", receipt.target),
        ("looked", f"at {receipt.taken_at}, at {looked or 'nothing'}"),
        ("leftovers", "; ".join(f"{each.kind} {each.name}" for each in receipt.leftovers) or "none"),
        ("commit", f"{kept.commit} {kept.branch}".strip() or "not known"),
        ("stack", kept.stack or "not known"),
        ("lived", f"from {kept.created}" if kept.created else "not known"),
        ("destroyed by", f"process {by.pid} of {by.user} on {by.host}{f', {by.ci_url}' if by.ci_url else ''}"),
        ("attempt", str(kept.attempts)),
    ]
    return lines
