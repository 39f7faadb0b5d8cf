"""Extending: an environment's lease is made longer, up to the moment that stands in every object's labels."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from understudy.engine.settings import EngineSettings
from understudy.errors import UsageError
from understudy.lease import BusyError, Lease, LeaseState, ends
from understudy.option_values import seconds
from understudy.options import Options
from understudy.session import find_lease, lease_store
from understudy.stacks.identity import format_time, parse_time

__all__ = ["extend"]


def extend(options: Options, name: str, duration: str | None, *, form: str) -> int:
    """Let an environment live longer by a duration (default: `ttl`); returns 0.

    It counts from the expiry or, where that is over, from now. A process that is at work on it is no hindrance. Whoever
    extends an environment uses it: its idle time begins anew.

    Raises:
        NotFoundError: there is no such environment.
        UsageError: the duration is none, or leads past the lease's `not_after`.
        BusyError: it is being destroyed.
    """
    try:
        longer = timedelta(seconds=options.ttl if duration is None else seconds(duration))
    except ValueError as error:
        raise UsageError(f"Read the duration {duration!r}, and it is not {error}.") from error
    settings = EngineSettings.from_environment(Path("pulumi"))  # for its backend: a lease needs no CLI
    store = lease_store(options, settings)
    now = datetime.now(UTC)

    def later(lease: Lease) -> dict[str, object]:
        if lease.state is LeaseState.DESTROYING and lease.worked_on:
            raise BusyError(f"Environment {lease.id} is being destroyed by process {lease.owner.pid}.")
        latest = parse_time(lease.not_after)
        begin = max(now, parse_time(lease.expires))
        if begin + longer > latest:
            rest = max(0, int((latest - begin).total_seconds()))
            raise UsageError(
                f"Environment {lease.id} expires at {lease.expires} and may live until {lease.not_after} at the "
                f"latest; {longer.total_seconds():.0f} s more lead past that.",
                hint=f"`understudy extend {lease.id} {rest}s` is the most. --max-ttl says more when one is made."
                if rest
                else "That cannot be changed any more: --max-ttl says it when an environment is made.",
            )
        return {"expires": format_time(begin + longer), "active": format_time(now)}

    lease = store.update(find_lease(store, name), check=later)
    moment = format_time(ends(lease)[0])
    if form == "json":
        data = {"environment": lease.id, "expires": lease.expires, "not_after": lease.not_after, "ends": moment}
        click.echo(json.dumps(data))
    else:
        unused = f", if nobody uses it already at {moment}" if moment < lease.expires else ""
        click.echo(f"environment {lease.id} expires at {lease.expires}, at the latest at {lease.not_after}{unused}")
    return 0
