"""The program of a user's own Pulumi project: the environment that its configuration describes, under a lease."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pulumi

from understudy.blueprint import draw
from understudy.build.tree import remove_trees
from understudy.engine.login import current_backend
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings
from understudy.errors import UnderstudyError, UsageError
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.options import Options, find_config, resolve
from understudy.preparation import hold_here, renew, trees
from understudy.progress import Progress, State
from understudy.provision import clone, declared, own_lease, prepared
from understudy.rehearsal import rehearsed
from understudy.scratch import Scratch
from understudy.session import Session
from understudy.stacks import identity
from understudy.stops import Stop
from understudy.strangers import hold_no_stranger
from understudy.targets.choose import AWS, target_of
from understudy.targets.interface import Outcome, Owned
from understudy.teardown import close_gone

__all__ = ["main"]

_CONFIGURED = (
    "topology",
    "commit",
    "profile",
    "ttl",
    "idle_ttl",
    "production_ref",
    "bind",
    "docker_provider",
    "target",
    "aws_region",
    "aws_accounts",
    "aws_platform",
    "aws_spot",
    "max_hourly_cost",
)


def main() -> None:
    """What a project's `__main__.py` calls: the environment that `pulumi config` describes.

    Configuration, all optional: `understudy:topology`, `understudy:commit`, `understudy:profile`, `understudy:ttl`,
    `understudy:idle_ttl`, `understudy:production_ref`, `understudy:bind`, `understudy:target`, `understudy:aws_region`,
    `understudy:aws_accounts`, `understudy:aws_platform`, `understudy:max_hourly_cost`. A preview creates nothing, not
    even a lease; an update writes the lease first. `pulumi destroy` runs no program, so the lease is closed by the next
    `understudy` command that finds the stack empty and nothing of it on the target, or by the next update.

    Raises:
        pulumi.RunError: the environment could not be declared; the message says why.
    """
    try:
        _main(Path.cwd())
    except UnderstudyError as error:
        raise pulumi.RunError(str(error)) from error  # which the language host shows without a traceback


def _main(folder: Path) -> None:
    options = _options(folder)
    if options.untrusted:
        raise UsageError(
            "Plain `pulumi up` runs the program of the checkout itself, which an untrusted commit must not.",
            hint="Use `understudy up --untrusted` from a checkout that you trust.",
        )
    blueprint = draw(options, folder)
    session = _session(options, folder)
    rehearsal, project, stack = pulumi.runtime.is_dry_run(), pulumi.get_project(), pulumi.get_stack()
    key = identity.environment_key("pulumi", project=project, stack=stack)
    lease = own_lease(session, blueprint, key, plain=(project, stack), write=not rehearsal)
    known = session.store.find(lease.id)
    if known is not None:
        hold_here(known, lease.target)
    if rehearsal:
        with rehearsed(session, blueprint, known or lease) as program:
            program()
        return
    blueprint = prepared(session, blueprint)
    with _leased(session, lease, known) as taken, Scratch("build") as logs:
        held, tree = clone(session, blueprint, taken)
        made = declared(session, blueprint, held, tree, logs, session.stop)
    made.program()


def _session(options: Options, folder: Path) -> Session:
    """What a command of ours works with; its engine is another beside the one that runs this program."""
    backend = current_backend(os.environ, folder)
    settings = EngineSettings.from_environment(Path("pulumi"), {**os.environ, "PULUMI_BACKEND_URL": backend})
    settings.prepare()
    store = LeaseStore.beside(settings.backend, options.lease_dir)
    target, on_aws = target_of(options), options.target == AWS
    if on_aws:
        _hold_providers()
        target.reach()
    return Session(options, folder, _warn, Stop(), settings, PulumiEngine(settings), target, store, on_aws=on_aws)


def _hold_providers() -> None:
    """Hold that a resource of AWS whose provider was forgotten is refused, and not made outside the environment.

    Raises:
        UsageError: the stack's configuration lets the engine make a provider for it.
    """
    disabled = pulumi.Config("pulumi").get_object("disable-default-providers") or ()
    if not {AWS, "*"}.intersection(disabled):
        raise UsageError(
            "Looked for `pulumi:disable-default-providers` in the stack's configuration, and `aws` is not in it: a "
            "resource of AWS without a provider of its own would carry no tags by which it is removed.",
            hint="pulumi config set --path 'pulumi:disable-default-providers[0]' aws",
        )


@contextmanager
def _leased(session: Session, lease: Lease, known: Lease | None) -> Iterator[Lease]:
    """The lease of the environment: a new one, or that which is there, renewed.

    A new one is closed again where this fails, as nothing was declared under it, unless it has found something of ours.

    Raises:
        BusyError: another backend has an environment of this id.
        NotFoundError, UsageError: as `renew`.
    """
    if known and not _destroyed(session, known):
        yield renew(session.store, known, lease, LeaseState.HANDED_OVER)
        return
    session.store.create(lease)
    ours: tuple[Owned, ...] = ()
    try:
        ours = hold_no_stranger(session.target, lease)
        yield lease
    except BaseException:
        if not ours:
            with suppress(UnderstudyError):  # the next `understudy list` closes what is left
                remove_trees(trees(session.settings.state, lease.id))
                session.store.close(lease)
        raise


def _destroyed(session: Session, known: Lease) -> bool:
    """Whether `pulumi destroy`, which could not say so, has removed it; then its lease is closed, by a receipt.

    Pulumi holds the lock of the stack while this runs, so that no other machine is at work on it unseen. The target
    says what is there, and not the state: that may have what a program declares before `main`.
    """
    if known.worked_on:
        return False
    receipt = close_gone(known, session.target, session.store, _warn)
    return receipt is not None and receipt.outcome is Outcome.CLEAN


def _warn(progress: Progress) -> None:
    if progress.state is State.WARNING:
        pulumi.log.warn(": ".join(filter(None, (progress.subject, progress.detail))))


def _options(folder: Path) -> Options:
    """`pulumi config` counts as flags do: it is what was said for this stack."""
    from pulumi.runtime.config import CONFIG

    given: dict[str, object] = {}
    for key, value in CONFIG.get().items():
        namespace, _, name = str(key).partition(":")
        if namespace != "understudy":
            continue
        if name not in _CONFIGURED:
            raise UsageError(
                f"Read the stack's configuration, and there is no option {key!r}.",
                hint=f"Options are {', '.join(f'understudy:{each}' for each in _CONFIGURED)}.",
            )
        given["file" if name == "topology" else name] = value
    return resolve(given, os.environ, find_config(folder), said=_configured)


def _configured(name: str) -> str:
    return f"understudy:{'topology' if name == 'file' else name} in the stack's configuration"
