"""The removal of a platform: nothing while an environment stands on it, what keeps data only if told, a second look."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from understudy.console import printable
from understudy.engine.errors import StackLockedError, StackNotFoundError
from understudy.engine.interface import StackRef
from understudy.engine.settings import file_backend
from understudy.errors import InterruptedRunError, LeftoversError, NotFoundError, ToolError, UsageError
from understudy.interrupts import Interrupts
from understudy.locks import break_ended
from understudy.on_aws import aws_of
from understudy.options import Options
from understudy.platforms import NAME, opened, ref_of
from understudy.progress import Phase, Progress, State
from understudy.provision import engine_progress
from understudy.session import Session
from understudy.targets.aws.platform import delete_data, standing
from understudy.targets.interface import Owned
from understudy.targets.ownership import ENVIRONMENT

__all__ = ["Holding", "down", "holding_of"]

_LOOK = 1.0
"""Seconds between two attempts at a stack that is locked."""

SETTLES = 60.0
"""Seconds for which the second look is made again: some things are described for a while after they were deleted."""

_PROVIDER = "pulumi:providers:"

_KINDS: Mapping[str, tuple[str, str]] = {
    "aws:s3/bucket:Bucket": ("bucket", "id"),
    "aws:rds/instance:Instance": ("rds-instance", "identifier"),
    "aws:secretsmanager/secret:Secret": ("secret", "arn"),
}
"""What keeps data: the type of Pulumi -> our kind, and the output that is its id there."""


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a platform by its stack's state: Pulumi's type and id, and all by which AWS may name it."""

    type: str
    id: str
    names: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.type.partition(':')[2].replace('/', ' ').partition(':')[0]} {printable(self.id)}"


@dataclass(frozen=True, slots=True)
class Holding:
    """What a platform's stack has: what goes, what keeps data with what that stands on, and the data by our kinds."""

    goes: tuple[Part, ...] = ()
    stays: tuple[Part, ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    roles: frozenset[str] = field(default_factory=frozenset)


def down(options: Options, folder: Path, *, yes: bool, data: bool, form: str) -> int:
    """Remove the platform of an account and region, or without `yes` say what would be removed; returns 0.

    Args:
        options: say which.
        folder: where it was called.
        yes: remove.
        data: what keeps data goes too: the bucket with all that is in it, and the shared database.
        form: text or json.

    Raises:
        NotFoundError: there is no such platform.
        UsageError: the state of its stack lies in the bucket that is to be deleted.
        LeftoversError: environments stand on it, and nothing was removed; or something is left, or nobody could look.
        StackLockedError: another command is at work on it.
        EngineError: something could not be removed; the same command goes on then.
        ToolError: AWS does not answer.
    """
    with opened(options, folder, form) as (session, interrupts):
        ref = ref_of(session)
        try:
            held = holding_of(session.engine.export_state(ref))
        except StackNotFoundError as error:
            raise _absent(session, ref) from error
        _hold_empty(session)
        if data:
            _hold_elsewhere(session.settings.backend, held)
        stays = () if data else held.stays
        goes = (*held.goes, *held.stays) if data else held.goes
        if yes:
            with session.phase(Phase.DESTROY):
                _remove(session, ref, held, interrupts, data=data)
                _look_again(session, stays, held.roles)
    _print(form, ref, goes, stays, done=yes)
    return 0


def holding_of(state: Mapping[str, object]) -> Holding:
    """What a stack has, by its exported state.

    What is protected stays, with its parents, its provider and what it depends on, as `pulumi destroy
    --exclude-protected` has it.
    """
    deployment = state.get("deployment")
    found = deployment.get("resources") if isinstance(deployment, dict) else None
    rows: dict[str, Any] = {row["urn"]: row for row in found or ()}
    kept: set[str] = set()
    ahead = [urn for urn, row in rows.items() if row.get("protect")]
    while ahead:
        urn = ahead.pop()
        if urn in rows and urn not in kept:
            kept.add(urn)
            ahead += _stands_on(rows[urn])
    custom = {urn: row for urn, row in rows.items() if row.get("custom") and not row["type"].startswith(_PROVIDER)}
    return Holding(
        tuple(_part(row) for urn, row in custom.items() if urn not in kept),
        tuple(_part(row) for urn, row in custom.items() if urn in kept),
        tuple(
            (_KINDS[row["type"]][0], str(_outputs(row)[_KINDS[row["type"]][1]]))
            for urn, row in custom.items()
            if urn in kept and row.get("protect") and row["type"] in _KINDS
        ),
        frozenset(str(row.get("id", "")) for row in custom.values() if row["type"] == "aws:iam/role:Role"),
    )


def _stands_on(row: Mapping[str, Any]) -> Iterable[str]:
    yield from row.get("dependencies") or ()
    yield from filter(None, (row.get("parent"), str(row.get("provider", "")).rpartition("::")[0]))


def _outputs(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"id": row.get("id", ""), **(row.get("outputs") or {}), "type": row["type"]}


def _part(row: Mapping[str, Any]) -> Part:
    outputs = _outputs(row)
    names = {str(outputs[name]) for name in ("id", "arn", "name", "identifier") if outputs.get(name)}
    return Part(row["type"], str(row.get("id", "")), frozenset(names))


def _absent(session: Session, ref: StackRef) -> NotFoundError:
    """There is no such stack; what carries a platform's tags nevertheless is said, since no state knows it here."""
    aws, there = aws_of(session), session.target.identity()
    found = standing(aws, there)
    what = f"Looked for the platform {ref.project}/{ref.name}, and there is none in {session.settings.backend}"
    if not found:
        return NotFoundError(f"{what}, and nothing of one on {there}.")
    return NotFoundError(
        f"{what}, but of another backend's on {there} there are {_named(found)}.",
        hint="Set PULUMI_BACKEND_URL to the backend that made it. Where that is lost, delete by hand what the tag "
        "editor shows of dev.understudy.platform.",
    )


def _hold_empty(session: Session) -> None:
    """Hold that no environment is on the target: none that this backend leases, and nothing with the tag of one."""
    here = session.target.identity()
    leased = {lease.id for lease in session.store.list()[0] if lease.target == here}
    tagged = {item.labels[ENVIRONMENT] for item in session.target.claimed() if item.labels.get(ENVIRONMENT)}
    if there := sorted(leased | tagged):
        raise LeftoversError(
            f"Looked for environments on {here} before its platform is removed, and there are "
            f"{printable(', '.join(there))}: nothing was removed.",
            hint="`understudy down` removes one of this backend, `understudy reap --target aws --yes` those whose time "
            "is over. One that is not listed is another backend's, or has lost some of its tags.",
        )


def _hold_elsewhere(backend: str, held: Holding) -> None:
    """Hold that the state of what is removed does not lie in it."""
    for kind, ident in held.data:
        if kind == "bucket" and backend.removeprefix("s3://").partition("?")[0].partition("/")[0] == ident:
            raise UsageError(
                f"The bucket {ident} is to be deleted, and the state of the platform itself lies there: nothing was "
                "removed.",
                hint="Leave out --delete-data, and delete the bucket by hand afterwards; or move the stack to another "
                "backend with `pulumi stack export` and `pulumi stack import`.",
            )


def _remove(session: Session, ref: StackRef, held: Holding, interrupts: Interrupts, *, data: bool) -> None:
    engine, listener = session.engine, engine_progress(session.listener, NAME)
    work = partial(engine.destroy, ref, listener=listener, stop=interrupts.stop)
    if not held.stays:
        _unlocked(session, ref, partial(work, remove=True))
        return
    if held.goes:
        _unlocked(session, ref, partial(work, remove=False, keep_protected=True))
    if data:
        delete_data(aws_of(session), held.data, interrupts.stop, partial(_tell, session))
        _unlocked(session, ref, partial(engine.refresh, ref))
        _unlocked(session, ref, partial(work, remove=True))


def _tell(session: Session, what: str) -> None:
    session.listener(Progress(Phase.DESTROY, State.INFO, "deletes", what))


def _unlocked(session: Session, ref: StackRef, work: Callable[[], object]) -> None:
    """Work on the stack; the lock of a command that was killed is broken, and that of one at work waited for.

    Broken only in a folder: another machine of this name may share a bucket, and there no lease tells the two apart.

    Raises:
        StackLockedError: it is locked still after --lock-timeout.
        InterruptedRunError: a signal came while it was waited for.
    """
    limit = time.monotonic() + session.options.lock_timeout
    ours = file_backend(session.settings.backend) is not None
    while True:
        try:
            work()
        except StackLockedError as error:
            if ours and break_ended(session.engine, ref, error.locks, session.listener):
                continue
            if time.monotonic() >= limit:
                raise
            if session.stop.wait(_LOOK):
                raise InterruptedRunError(f"Interrupted while {ref.project}/{ref.name} was waited for.") from error
        else:
            return


def _look_again(session: Session, stays: Sequence[Part], roles: frozenset[str]) -> None:
    """Look by tag for what the engine's state did not know, or says to be gone.

    Raises:
        LeftoversError: something is left, or nobody could look.
    """
    aws, there = aws_of(session), session.target.identity()
    known = {name for part in stays for name in part.names}
    limit = time.monotonic() + SETTLES
    while True:
        try:
            found = standing(aws, there, roles)
        except ToolError as error:
            raise LeftoversError(f"Removed the platform, and could not look for what is left: {error}") from error
        left = [item for item in found if not known & {item.id, item.name, item.id.rpartition("/")[2]}]
        if not left:
            return
        if time.monotonic() >= limit:
            raise LeftoversError(
                f"Removed the platform, and by its tag there are still {_named(left)}.",
                hint="The same command looks again; what stays then is not of its stack, and is deleted by hand.",
            )
        if session.stop.wait(_LOOK):
            raise InterruptedRunError("Interrupted while it was looked for what is left of the platform.")


def _named(items: Iterable[Owned]) -> str:
    return printable(", ".join(f"{item.kind} {item.name}" for item in items))


def _print(form: str, ref: StackRef, goes: Sequence[Part], stays: Sequence[Part], *, done: bool) -> None:
    name = f"{ref.project}/{ref.name}"
    if form == "json":
        told = {"removed" if done else "would_remove": goes, "stays": stays}
        parts = {key: [{"type": part.type, "id": part.id} for part in some] for key, some in told.items()}
        click.echo(json.dumps({"stack": name, **parts}, indent=1))
        return
    if done:
        click.echo(f"Removed {len(goes)} objects of {name}; a second look by its tag found no other.")
    else:
        click.echo(f"Would remove {len(goes)} objects of {name}; --yes does it.")
        _echo(goes)
    if stays:
        click.echo("What keeps data stays, and what that stands on:")
        _echo(stays)
        click.echo("`understudy platform down --delete-data --yes` deletes it and all that is in it, without a copy;")
        click.echo("`understudy platform up` makes the rest anew around it.")


def _echo(parts: Iterable[Part]) -> None:
    for part in parts:
        click.echo(f"  {part}")
