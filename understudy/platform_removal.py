"""The removal of a platform: nothing while an environment stands on it, what keeps data only if told, a second look."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import click

from understudy.console import printable
from understudy.engine.errors import StackLockedError
from understudy.engine.interface import StackRef
from understudy.engine.settings import file_backend
from understudy.errors import InterruptedRunError, LeftoversError, NotFoundError, ToolError, UsageError
from understudy.interrupts import Interrupts
from understudy.locks import break_ended
from understudy.on_aws import aws_of
from understudy.options import Options
from understudy.platform_holds import hold_own, hold_place, hold_table, named, of_whom, others_names, owner
from understudy.platform_state import Holding, Part, holding_of, is_named, is_own, sort_out, state_of
from understudy.platforms import NAME, opened, ref_of
from understudy.progress import Phase, Progress, State
from understudy.provision import engine_progress
from understudy.session import Session
from understudy.stacks.aws.platform import TAG, execution_role
from understudy.targets.aws.platform import delete_data, standing
from understudy.targets.ownership import ENVIRONMENT

__all__ = ["down"]

_LOOK = 1.0
"""Seconds between two attempts at a stack that is locked."""

SETTLES = 60.0
"""Seconds for which the second look is made again: some things are described for a while after they were deleted."""


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
        UsageError: it is another account's, or not what the configuration names; the state of its stack lies in the
            bucket that is to be deleted.
        LeftoversError: environments stand on it, or its state has what is another's, and nothing was removed; or
            something is left, or nobody could look.
        StackLockedError: another command is at work on it.
        EngineError: something could not be removed; the same command goes on then.
        ToolError: AWS does not answer.
    """
    with opened(options, folder, form) as (session, interrupts):
        ref = ref_of(session)
        state = state_of(session.engine, ref)
        hold_table(options, ref, state, "removed")
        if not state:
            raise _absent(session, ref)
        hold_place(ref, state, session.target.identity(), "removed")
        held, own = holding_of(state), owner(session, ref, state, write=False)
        _hold_empty(session)
        hold_own(session, ref, held, own)
        if data:
            _hold_elsewhere(session.settings.backend, held)
        stays = () if data else held.stays
        goes = (*held.goes, *held.stays) if data else held.goes
        if yes:
            with session.phase(Phase.DESTROY):
                _remove(session, ref, held, interrupts, own=own if data else None)
                _look_again(session, ref, stays, held, own)
    _print(form, ref, goes, stays, done=yes)
    return 0


def _absent(session: Session, ref: StackRef) -> NotFoundError:
    """There is no such stack; what carries a platform's tags nevertheless is said, since no state knows it here."""
    there = session.target.identity()
    found = standing(aws_of(session), there, [execution_role(there.rpartition(":")[2])])
    what = f"Looked for the platform {ref.project}/{ref.name}, and there is none in {session.settings.backend}"
    if not found:
        return NotFoundError(f"{what}, and nothing of one on {there}.")
    if lost := [item for item in found if item.labels[TAG] == owner(session, ref, {}, write=False)]:
        return NotFoundError(
            f"{what}, but {there} has what it made: {named(lost)}.",
            hint="Restore its state from a copy. Without one, delete by hand what the tag editor shows with the value "
            f"{lost[0].labels[TAG]} of {TAG}.",
        )
    return NotFoundError(
        f"{what}, but {there} has another's: {of_whom(session, found)}.",
        hint="Name the stack that made it by --aws-platform, and its backend by PULUMI_BACKEND_URL.",
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


def _remove(session: Session, ref: StackRef, held: Holding, interrupts: Interrupts, *, own: str | None) -> None:
    """Remove what the state has; `own`: the data too, where it carries this value of the tag."""
    engine, listener = session.engine, engine_progress(session.listener, NAME)
    work = partial(engine.destroy, ref, listener=listener, stop=interrupts.stop)
    if not held.stays:
        _unlocked(session, ref, partial(work, remove=True))
        return
    if held.goes:
        _unlocked(session, ref, partial(work, remove=False, keep_protected=True))
    if own is not None:
        ours = partial(is_own, owner=own, names=held.names)
        delete_data(aws_of(session), held.data, interrupts.stop, partial(_tell, session), own=ours)
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


def _look_again(session: Session, ref: StackRef, stays: Sequence[Part], held: Holding, own: str) -> None:
    """Look by tag for what is the stack's, and its state did not know or says to be gone; another's is left alone.

    Raises:
        LeftoversError: something is left, or nobody could look or tell whose it is.
    """
    aws, there = aws_of(session), session.target.identity()
    known = {name for part in stays for name in part.names}
    limit = time.monotonic() + SETTLES
    while True:
        try:
            found = sort_out(standing(aws, there, held.roles), own, held.names)
        except ToolError as error:
            raise LeftoversError(f"Removed the platform, and could not look for what is left: {error}") from error
        left = [item for item in found.own if not is_named(item, known)]
        if not left:
            break
        if time.monotonic() >= limit:
            raise LeftoversError(
                f"Removed the platform, and by its tag there are still {named(left)}.",
                hint="The same command looks again; what its stack does not know then is deleted by hand.",
            )
        if session.stop.wait(_LOOK):
            raise InterruptedRunError("Interrupted while it was looked for what is left of the platform.")
    others = others_names(session, ref) if found.unknown else ()
    if unknown := [item for item in found.unknown if not is_named(item, others)]:
        raise LeftoversError(
            f"Removed the platform, and whose these are cannot be told: {named(unknown)}. They were left alone.",
            hint=f"Their tag {TAG} says no stack. Whichever stack has them says so in `understudy platform show`, with "
            "its backend; what none has is left of a command that was killed.",
        )


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
