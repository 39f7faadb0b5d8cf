"""The program of a user's own Pulumi project: the environment that its configuration describes, under a lease."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pulumi

from understudy.blueprint import draw
from understudy.build.binds import place_binds
from understudy.build.images import ImageBuilder
from understudy.declaration import declare
from understudy.engine.factory import make_engine
from understudy.engine.interface import Engine
from understudy.engine.login import current_backend
from understudy.engine.pulumi_cli import find
from understudy.engine.settings import EngineSettings
from understudy.errors import ToolError, UnderstudyError, UsageError
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.on_aws import Site
from understudy.options import Options, find_config, resolve
from understudy.preparation import (
    begin,
    binds,
    certificates_for,
    environment_args,
    image_refs,
    keep_tree,
    renew,
    take_tree,
    with_images,
)
from understudy.progress import Progress, State
from understudy.provision import declared, prepared
from understudy.rehearsal import passing_tree, rehearsed
from understudy.scratch import Scratch
from understudy.seed import seed_for
from understudy.session import Session
from understudy.stacks import identity
from understudy.stops import Stop
from understudy.strangers import hold_no_stranger
from understudy.targets.choose import AWS, target_of
from understudy.targets.docker_client import client
from understudy.targets.interface import Outcome, Target
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
)


def main() -> None:
    """What a project's `__main__.py` calls: the environment that `pulumi config` describes.

    Configuration, all optional: `understudy:topology`, `understudy:commit`, `understudy:profile`, `understudy:ttl`,
    `understudy:idle_ttl`, `understudy:production_ref`, `understudy:bind`, `understudy:target`, `understudy:aws_region`,
    `understudy:aws_accounts`, `understudy:aws_platform`. A preview creates nothing, not even a
    lease; an update writes the lease first. `pulumi destroy` runs no program, so the lease is closed by the next
    `understudy` command that finds the stack empty and nothing of it on the target.

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
    backend = current_backend(os.environ, folder)
    settings = EngineSettings.from_environment(Path("pulumi"), {**os.environ, "PULUMI_BACKEND_URL": backend})
    settings.prepare()
    store = LeaseStore.beside(settings.backend, options.lease_dir)
    stack = (pulumi.get_project(), pulumi.get_stack())
    key = identity.environment_key("pulumi", project=stack[0], stack=stack[1])
    rehearsal = pulumi.runtime.is_dry_run()
    target = target_of(options)
    if options.target == AWS:
        target.reach()
    lease = begin(
        blueprint,
        options,
        backend=settings.backend,
        backend_id=store.backend_id(write=not rehearsal),
        target=target.identity(),
        environment=identity.environment_id(blueprint.origin, blueprint.file, key),
        stack=stack,
        folder=settings.state,
        state=LeaseState.HANDED_OVER,
    )
    known = store.find(lease.id)
    if options.target == AWS:
        session = Session(options, folder, _warn, Stop(), settings, _engine(settings), target, store, on_aws=True)
        blueprint = prepared(session, blueprint)
        if rehearsal:
            with passing_tree(blueprint, settings.state, known or lease) as tree:
                Site.of(session, blueprint, known or lease, tree).rehearse()
            return
        lease = _taken(known, lease, target, store)
        tree = take_tree(blueprint, settings.state, lease.id)
        lease = keep_tree(store, lease, blueprint, tree)
        with Scratch("build") as logs:
            declared(session, blueprint, lease, tree, logs, session.stop).program()
        return
    if rehearsal:
        with rehearsed(blueprint, options, settings, store, known or lease) as args:
            declare(args, provider=options.docker_provider)
        return
    blueprint = with_images(blueprint, client())
    lease = _taken(known, lease, target, store)
    tree = take_tree(blueprint, settings.state, lease.id)
    lease = keep_tree(store, lease, blueprint, tree)
    with Scratch("build") as logs:
        built = ImageBuilder(client(), settings.state, logs).build(
            blueprint.clone.topology, tree, blueprint.folder, skip=frozenset(blueprint.clone.unchanged_builds)
        )
    images = image_refs(blueprint, {name: image.reference for name, image in built.items()})
    seed = seed_for(settings, lease.id, blueprint.clone.topology)
    mounted = binds(blueprint, tree, settings.state, lease.id)
    for source in place_binds(mounted):
        pulumi.log.warn(f"the bind {source!r} is not in the commit: an empty folder stands in its place")
    args = environment_args(
        blueprint,
        tree,
        options,
        lease=lease,
        images=images,
        seed=seed,
        mounted=mounted,
        certificates=certificates_for(blueprint, options, store=store, lease=lease, settings=settings),
    )
    declare(args, provider=options.docker_provider)


def _engine(settings: EngineSettings) -> Engine:
    """An engine beside the one that runs this program, for a look at the platform's stack."""
    found = find()
    if found is None:
        raise ToolError("Looked for the Pulumi CLI, to read the platform's stack, and it is not on PATH.")
    return make_engine(replace(settings, cli=found.path))


def _taken(known: Lease | None, lease: Lease, target: Target, store: LeaseStore) -> Lease:
    """The lease of the environment: a new one, or that which is there, renewed."""
    if known and not _destroyed(known, target, store):
        return renew(store, known, lease, LeaseState.HANDED_OVER)
    store.create(lease)
    _hold_ours(target, store, lease)
    return lease


def _hold_ours(target: Target, store: LeaseStore, lease: Lease) -> None:
    """Hold that no other backend has an environment of this id; the new lease is closed where one has.

    Raises:
        BusyError: one has.
    """
    try:
        hold_no_stranger(target, lease)
    except BaseException:
        store.close(lease)
        raise


def _destroyed(known: Lease, target: Target, store: LeaseStore) -> bool:
    """Whether `pulumi destroy`, which could not say so, has removed it; then its lease is closed, by a receipt.

    Pulumi holds the lock of the stack while this runs, so that no other machine is at work on it unseen.
    """
    if known.worked_on:
        return False
    receipt = close_gone(known, target, store, _warn)
    return receipt is not None and receipt.outcome is Outcome.CLEAN


def _warn(progress: Progress) -> None:
    if progress.state is State.WARNING:
        pulumi.log.warn(progress.detail)


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
