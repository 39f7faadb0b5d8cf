"""The main job: run one commit from clone to receipt; or its parts, one at a time: up, test, down."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from understudy.aftermath import destroy, ended_afterwards, send, tell_kept
from understudy.arranging import hold_durations, hold_options, shard_of
from understudy.blueprint import Blueprint, draw, redraw
from understudy.build.git import Repository
from understudy.console import Console, make_console
from understudy.errors import (
    LeftoversError,
    NotFoundError,
    UnderstudyError,
    UsageError,
)
from understudy.export.folder import hold_no_link
from understudy.export.sinks import Outbox, Stage, open_outbox
from understudy.files import is_git_data, write_file
from understudy.giving_back import let_rest, resting_afterwards
from understudy.halts import Halt
from understudy.holding import making, provisioning, taking
from understudy.interrupts import Interrupts
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.options import Options
from understudy.owner import this_process
from understudy.preparation import kept_changes, renew
from understudy.progress import Phase, Progress, State
from understudy.provision import Provisioned, clone, hold_suites, own_lease, prepared, provision, prune_images
from understudy.reap.passing import opportune
from understudy.recorder import Recorder
from understudy.redact import Redactor, redact_error
from understudy.report import EndpointRecord, ReceiptRecord
from understudy.report.codec import encode
from understudy.session import Session, find_lease, open_session
from understudy.stacks import identity
from understudy.stages import authority_of, known_of, mocks_of, run_stages, run_tests
from understudy.stops import ended
from understudy.targets.choose import elsewhere
from understudy.targets.interface import Outcome, Receipt
from understudy.teardown import settle
from understudy.tidying import tidied
from understudy.waiting import wait_idle

__all__ = ["command_of", "down", "hold_runs", "run", "test", "up"]


def run(options: Options, folder: Path, *, form: str) -> int:
    """Clone, provision, test, export, destroy; returns the exit code.

    Whatever happens after the lease is written, the evidence that exists is exported and the environment destroyed or,
    where the run failed and `keep_on_failure` says so, kept under its lease.

    Raises:
        UsageError: the input is not usable; nothing was created.
        ToolError: Docker, git or Pulumi is missing; nothing was created.
    """
    with command_of(options, form) as (console, interrupts):
        hold_options(options)
        blueprint = draw(options, folder)
        hold_durations(options, blueprint)
        _hold_suites(blueprint)
        hold_runs(folder / options.runs)
        outbox = _checked_outbox(options, folder, console)
        halt = Halt.of(os.environ, interrupts.stop.set)
        with open_session(options, folder, console, interrupts.stop) as session:
            session.halt = halt
            settle(session.engine, session.target, session.store, console)
            opportune(session)
            blueprint = prepared(session, blueprint)
            lease = replace(own_lease(session, blueprint, _run_key(options, blueprint)), run=True)
            recorder: Recorder | None = None
            try:
                with (
                    making(session, blueprint, lease, interrupts) as held,
                    ended_afterwards(session, held.lease) as ending,
                ):
                    lease = held.lease
                    recorder = Recorder.open(session, blueprint, lease, known_of(session, blueprint, lease))
                    ending.recorder = recorder
                    held.evidence = recorder.handed_over
                    evidence = partial(send, session, recorder, outbox, Stage.EVIDENCE)
                    with _exported_afterwards(session, blueprint, lease, recorder, evidence), recorder.watch():
                        run_stages(session, blueprint, lease, recorder)
                prune_images(session)
            finally:
                if recorder is not None:
                    recorder.close(console.say, partial(send, session, recorder, outbox, Stage.FINAL))
                    tell_kept(recorder.record, console.say)
        _print(form, recorder.shown)
        return recorder.exit_code


def up(options: Options, folder: Path, *, form: str) -> int:
    """Make or update the environment of this branch (or `--name`) and leave it running; returns 0.

    A first `up` that fails is destroyed again; an update that fails leaves what was there before it, changed as far
    as it came.

    Raises:
        ProvisionError: it could not be made.
        BusyError: another process is at work on it.
    """
    with command_of(options, form) as (console, interrupts):
        blueprint = draw(options, folder)
        with open_session(options, folder, console, interrupts.stop) as session:
            settle(session.engine, session.target, session.store, console)
            blueprint = prepared(session, blueprint)
            branch = blueprint.commit.branch or blueprint.commit.sha
            lease = own_lease(session, blueprint, identity.environment_key("up", name=options.name, branch=branch))
            opportune(session, spare=lease.id)
            renewed = partial(renew, session.store, new=lease, state=LeaseState.PROVISIONING)
            with provisioning(session, blueprint, lease, renewed, interrupts) as held:
                lease = held.lease
                redactor = Redactor(known_of(session, blueprint, lease))
                try:
                    lease, tree = clone(session, blueprint, lease)
                    made = provision(session, blueprint, lease, tree, Path(lease.tree).parent / "builds")
                    session.store.update(lease, state=LeaseState.KEPT)
                except BaseException as error:
                    if held.lease.stays:
                        let_rest(session, held.lease, first=error)
                    else:
                        destroy(session, lease)
                    if isinstance(error, UnderstudyError):
                        redact_error(error, redactor)
                    raise
            prune_images(session)
            console.say(f"environment {lease.id} is up; it expires at {lease.expires}")
            if made.untestable:
                console.note(f"warning: nothing of it answers: {made.untestable}")
            for address in made.endpoints:
                console.say(f"  {address.service}:{address.port}  {address.url}")
            if authority := authority_of(session, blueprint, lease):
                place = Path(lease.tree).parent / "ca.pem"
                write_file(place, authority.encode())
                console.say(f"mocks that speak HTTPS are verified with {place}")
            console.say(f"test it: understudy test {lease.id}    remove it: understudy down {lease.id}")
    _print(form, lambda: _environment(lease, made))
    return 0


def test(options: Options, folder: Path, name: str | None, *, form: str) -> int:
    """Run the suites against an environment that is up, and export the evidence; returns the exit code.

    The tests are those of the commit that the environment was made from.

    Raises:
        NotFoundError: there is no such environment, or it is on another target.
        BusyError: another process is at work on it.
        UsageError: it has no suites, or one cannot start.
    """
    with (
        command_of(options, form) as (console, interrupts),
        open_session(options, folder, console, interrupts.stop, of=partial(_find, folder, name)) as session,
    ):
        hold_options(options)
        settle(session.engine, session.target, session.store, console)
        lease = _find(folder, name, session.store)
        here = session.target.identity()
        if here != lease.target:
            raise NotFoundError(
                f"Environment {lease.id} is on {lease.target}, and this is {here}.", hint=elsewhere(lease.target)
            )
        _hold_trusted(lease)
        blueprint = redraw(lease, kept_changes(lease))
        _hold_suites(blueprint)
        hold_runs(folder / options.runs)
        hold_suites(session, blueprint, Path(lease.tree))
        outbox = _checked_outbox(options, folder, console)
        take = partial(session.store.update, check=Lease.hold_idle, state=LeaseState.TESTING, owner=this_process())
        recorder: Recorder | None = None
        try:
            with taking(session, lease, take, interrupts) as held, resting_afterwards(session, held.lease):
                lease = held.lease
                recorder = Recorder.open(session, blueprint, lease, known_of(session, blueprint, lease))
                held.evidence = recorder.handed_over
                with _exported_afterwards(session, blueprint, lease, recorder), recorder.watch():
                    run_tests(session, blueprint, lease, recorder)
        finally:
            if recorder is not None:
                recorder.close(console.say, partial(send, session, recorder, outbox, Stage.FINAL))
    _print(form, recorder.shown)
    return recorder.exit_code


def down(options: Options, folder: Path, name: str | None, *, form: str) -> int:
    """Destroy an environment; returns 0 for a CLEAN receipt and 4 for any other.

    A command that works on it is asked to stop, and waited for; what that one leaves is destroyed.

    Raises:
        NotFoundError: there is no such environment.
        BusyError: it is worked on still after --lock-timeout.
    """
    with (
        command_of(options, form) as (console, interrupts),
        open_session(options, folder, console, interrupts.stop, of=partial(_find, folder, name)) as session,
    ):
        lease = _find(folder, name, session.store)
        receipt = _removed(session, lease, interrupts)
        console.say(f"receipt: {receipt.outcome} {lease.id}" + (f" - {receipt.reason}" if receipt.reason else ""))
        opportune(session, spare=lease.id)
    _print(form, lambda: encode(ReceiptRecord.of(receipt)))
    return 0 if receipt.outcome is Outcome.CLEAN else LeftoversError.exit_code


def _removed(session: Session, lease: Lease, interrupts: Interrupts) -> Receipt:
    """Destroy an environment of this target, once its owner has stopped; one of another target is only looked at.

    Raises:
        BusyError: it is worked on still after --lock-timeout.
    """
    if session.target.identity() == lease.target:
        reason = f"understudy down, by {this_process().user}"
        left = wait_idle(session, lease, session.options.lock_timeout, ask=reason)
        if left is not None:
            condemned = partial(
                session.store.update, check=Lease.hold_idle, state=LeaseState.DESTROYING, owner=this_process()
            )
            with suppress(NotFoundError), taking(session, left, condemned, interrupts):
                return destroy(session, left)  # or another `down` was faster, and has removed it
        detail = "whoever worked on it has removed it; a second look says what is there"
        session.listener(Progress(Phase.DESTROY, State.INFO, f"environment {lease.id}", detail))
    return session.target.receipt(lease.whose, lease.target)


@contextmanager
def command_of(options: Options, form: str) -> Iterator[tuple[Console, Interrupts]]:
    """The console, the signals and the temporary folders of one command; what fails after a signal was interrupted.

    Where the result is JSON, standard output is for it alone, and progress goes to standard error.
    """
    out = sys.stderr if form == "json" else sys.stdout
    with make_console(options.progress, out) as console, Interrupts(console.note) as interrupts, tidied():
        try:
            yield console, interrupts
        except UnderstudyError as error:
            told = ended(interrupts.stop, error)
            if told is not error:
                raise told from error
            raise


def _print(form: str, data: Callable[[], Mapping[str, object]]) -> None:
    """What came of a command, as one JSON document, where that was asked for."""
    if form == "json":
        click.echo(json.dumps(data(), indent=1))


def _environment(lease: Lease, made: Provisioned) -> dict[str, object]:
    """An environment that is up, and where it answers."""
    return {
        "environment": lease.id,
        "commit": lease.commit,
        "branch": lease.branch,
        "expires": lease.expires,
        "not_after": lease.not_after,
        "endpoints": [encode(EndpointRecord.of(address)) for address in made.endpoints],
    }


@contextmanager
def _exported_afterwards(
    session: Session,
    blueprint: Blueprint,
    lease: Lease,
    recorder: Recorder,
    evidence: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Whatever happens in here, the evidence is exported afterwards, and then `evidence` called."""
    try:
        yield
    finally:
        with recorder.watch():
            lease = session.store.update(lease, state=LeaseState.EXPORTING)
        recorder.export(lease, mocks_of(session, blueprint, lease), evidence)


def _checked_outbox(options: Options, folder: Path, console: Console) -> Outbox:
    """The sinks, looked at before anything is made.

    Raises:
        UsageError: one cannot be used.
    """
    outbox = open_outbox(options, folder)
    for doubt in outbox.check():
        console.note(f"warning: {doubt}")
    return outbox


def _run_key(options: Options, blueprint: Blueprint) -> str:
    return identity.environment_key(
        "run",
        name=options.name,
        variables=os.environ,
        commit=blueprint.commit.sha,
        random=secrets.token_hex(8),
        shard=str(shard_of(options) or ""),
    )


def _find(folder: Path, name: str | None, store: LeaseStore) -> Lease:
    """The environment named, or that of the branch that is checked out here."""
    if name is not None:
        return find_lease(store, name)
    try:
        repository = Repository.find(folder)
    except UsageError:
        return find_lease(store, None)
    return find_lease(store, None, repository.checked_out(), repository.origin())


def _hold_trusted(lease: Lease) -> None:
    """Its suites are production's, which stand nowhere beside the environment; the commit's own are a stranger's."""
    if lease.untrusted:
        raise UsageError(
            f"Environment {lease.id} was made of an untrusted commit, and `test` knows the commit's own suites only.",
            hint="`understudy run --untrusted` tests such a commit, by production's suites and in containers.",
        )


def _hold_suites(blueprint: Blueprint) -> None:
    if not blueprint.clone.topology.suites:
        raise UsageError(
            f"Looked for suites in {blueprint.file}, and there are none.",
            hint="Name them under x-understudy: `tests: {integration: {command: [pytest], folder: tests}}`.",
        )


def hold_runs(folder: Path) -> None:
    """Run folders go into a user's folder, never into the data of a repository, as a bare one is all over."""
    hold_no_link(folder)
    whole = folder.resolve()
    for each in (whole, *whole.parents):
        if is_git_data(each):
            raise UsageError(
                f"Looked at {whole} for run folders, and it is in a repository's own data, which is not written to.",
                hint="Name another folder: --runs FOLDER.",
            )
