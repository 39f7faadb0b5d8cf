"""Provisioning: the lease, the commit's tree, its images, the stack, and the wait until everything is ready."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from understudy import on_docker
from understudy.awaited import Awaited
from understudy.blueprint import Blueprint
from understudy.build.binds import place_binds
from understudy.build.cache import ImageCache
from understudy.build.images import BuiltImage
from understudy.build.tree import CommitTree
from understudy.engine.events import EngineEvent, Listener, ResourceDone, ResourceFailed, ResourceStarted
from understudy.engine.interface import Program, StackRef
from understudy.errors import InterruptedRunError, UnderstudyError
from understudy.lease import Lease, LeaseState
from understudy.preparation import begin, binds, keep_tree, take_tree, with_images
from understudy.progress import Phase, Progress, ProgressListener, State
from understudy.session import Session
from understudy.stacks.change import Change
from understudy.stacks.cost.estimate import Estimate, nothing
from understudy.stacks.identity import environment_id
from understudy.suites.contract import EndpointAddress
from understudy.suites.network import hold_images
from understudy.targets.docker_client import client
from understudy.teardown import OWN_PROJECT

__all__ = [
    "Declared",
    "Provisioned",
    "addresses",
    "clone",
    "declared",
    "engine_progress",
    "hold_suites",
    "own_lease",
    "prepared",
    "provision",
    "prune_images",
    "untestable",
]


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What came of it: the images, the endpoints, when all was ready (seconds since the epoch), each one's wait.

    `changes` are differences from production that the target itself adds. `untestable` says why nothing that was made
    can answer; empty: it does.
    `estimate` is what it costs.
    """

    images: Mapping[str, BuiltImage]
    endpoints: tuple[EndpointAddress, ...]
    ready_at: float
    waited: Mapping[str, float]
    changes: tuple[Change, ...] = ()
    untestable: str = ""
    estimate: Estimate = field(default_factory=nothing)


def prepared(session: Session, blueprint: Blueprint, *, pull: bool = True) -> Blueprint:
    """The blueprint with its images as the target has them, held to be possible there, before anything is made.

    Without `pull` no image is fetched.

    Raises:
        UsageError: the target cannot do it.
        LimitError: it has no room.
        ToolError: it does not answer.
    """
    if not session.on_aws:
        return with_images(blueprint, client(), pull=pull)
    from understudy import on_aws

    session.target.foresee_look()  # at what is stale, and what has the environment's name: the platform is read before
    blueprint = replace(blueprint, clone=on_aws.pinned(blueprint.clone))
    on_aws.hold(session, blueprint)
    return blueprint


def hold_suites(session: Session, blueprint: Blueprint, tree: Path) -> None:
    """Hold that the suites can run where they are to, before anything is made for them.

    Args:
        session: the command at work.
        blueprint: whose suites they are.
        tree: the commit's tree.

    Raises:
        UsageError: they cannot.
        ProvisionError: an image that they run in is not to be had.
        InterruptedRunError: a signal came.
    """
    if not session.on_aws:
        hold_images(blueprint.clone, session.stop)
        return
    from understudy import on_aws

    on_aws.hold_suites(blueprint, tree)


def untestable(session: Session) -> str:
    """Why nothing of an environment can answer on this target; empty: it can."""
    if not session.on_aws:
        return ""
    from understudy.targets.aws.emulated import control_plane_only

    return control_plane_only()


def own_lease(
    session: Session, blueprint: Blueprint, key: str, *, plain: tuple[str, str] | None = None, write: bool = True
) -> Lease:
    """A new lease for an environment, not yet written; `key` as `environment_key` gives it.

    `plain`: project and stack of plain Pulumi, to which it is handed over from the beginning; None: the stack is
    Understudy's own. `write`: a backend that has no id yet gets one.

    Raises:
        UsageError: `ttl` is longer than `max_ttl`.
        UnderstudyError: the backend has lost its id.
    """
    environment = environment_id(blueprint.origin, blueprint.file, key)
    return begin(
        blueprint,
        session.options,
        backend=session.settings.backend,
        backend_id=session.store.backend_id(write=write),
        target=session.target.identity(),
        environment=environment,
        stack=plain or (OWN_PROJECT, environment),
        folder=session.settings.state,
        state=LeaseState.HANDED_OVER if plain else LeaseState.PROVISIONING,
    )


def clone(session: Session, blueprint: Blueprint, lease: Lease) -> tuple[Lease, CommitTree]:
    """Put the commit's files in their place, and note it in the lease."""
    with session.phase(Phase.CLONE):
        tree = take_tree(blueprint, session.settings.state, lease.id)
        for line in (*blueprint.warnings, *tree.warnings):
            session.listener(Progress(Phase.CLONE, State.WARNING, detail=line))
        for source in place_binds(binds(blueprint, tree, session.settings.state, lease.id)):
            detail = f"the bind {source!r} is not in the commit: an empty folder stands in its place"
            session.listener(Progress(Phase.CLONE, State.WARNING, detail=detail))
        return keep_tree(session.store, lease, blueprint, tree), tree


def provision(
    session: Session,
    blueprint: Blueprint,
    lease: Lease,
    tree: CommitTree,
    logs: Path,
    *,
    stop: threading.Event | None = None,
    awaited: Awaited | None = None,
    estimated: Callable[[Estimate], None] = lambda _: None,
) -> Provisioned:
    """Make what the blueprint says: images and stack; return when every container is ready.

    Args:
        session: the command at work.
        blueprint: what is made.
        lease: of the environment.
        tree: the commit's files.
        logs: the folder for the builds' output.
        stop: ends it; default: the session's.
        awaited: is told what is ready as it happens.
        estimated: is told what all of it costs, before the first resource of it is made.

    Raises:
        ProvisionError: a build, a resource or a service failed.
        InterruptedRunError: a signal came.
    """
    stop = stop or session.stop
    made = declared(session, blueprint, lease, tree, logs, stop)
    estimated(made.estimate)
    with session.phase(Phase.PROVISION):
        session.engine.up(
            StackRef(lease.project, lease.stack),
            made.program,
            config=made.config,
            listener=_both(engine_progress(session.listener, lease.id), None if awaited is None else awaited.hear),
            parallel=session.options.parallel,
            stop=stop,
        )
    if stop.is_set():
        raise InterruptedRunError("Interrupted while the environment was being provisioned.")
    why, waited = untestable(session), dict[str, float]()
    if not why:
        with session.phase(Phase.READY):
            since = time.monotonic()
            waited = dict(session.target.wait_ready(lease.whose, session.options.ready_timeout, stop))
        if awaited is not None:
            awaited.complete(waited, since)
    return Provisioned(
        made.images,
        addresses(session, blueprint, lease),
        time.time(),
        waited,
        changes=made.changes,
        untestable=why,
        estimate=made.estimate,
    )


@dataclass(frozen=True, slots=True)
class Declared:
    """What the engine is handed, the images in it, and what the target changes and costs."""

    program: Program
    images: Mapping[str, BuiltImage]
    config: Mapping[str, str] | None = None
    changes: tuple[Change, ...] = ()
    estimate: Estimate = field(default_factory=nothing)


def declared(  # noqa: PLR0917 - as `provision`
    session: Session, blueprint: Blueprint, lease: Lease, tree: CommitTree, logs: Path, stop: threading.Event
) -> Declared:
    """Build the images, and say what is declared with them; nothing but images is made.

    Raises:
        UsageError: the target cannot do it.
        LimitError: it has no room, or it would cost more than is allowed.
        ProvisionError: a build failed.
    """
    if session.on_aws:
        from understudy import on_aws

        site = on_aws.Site.of(session, blueprint, lease, tree)
        site.held(keep=True)
        with session.phase(Phase.BUILD):
            images = site.build(logs, stop)
        made = site.made(images)
        return Declared(made.program, images, on_aws.CONFIG, made.plan.changes, made.estimate)
    # Pulumi's types take 0.35 s to import: that is done while images are looked for and the stack is made.
    threading.Thread(target=importlib.import_module, args=("understudy.declaration",), daemon=True).start()
    with session.phase(Phase.BUILD):
        images = on_docker.build(session, blueprint, tree, logs, stop)
    built = {name: image.reference for name, image in images.items()}
    return Declared(on_docker.program(session, blueprint, lease, tree, built, keep=True), images)


def _both(first: Listener, second: Listener | None) -> Listener:
    def hear(event: EngineEvent) -> None:
        first(event)
        if second is not None:
            second(event)

    return hear


def prune_images(session: Session) -> None:
    """Keep the cache of built images within its budget; what cannot be removed is told and no failure."""
    if session.on_aws:
        return  # the next command on Docker prunes them: nothing else here asks that
    try:
        pruned = ImageCache(client(), session.settings.state).prune(int(session.options.image_budget * 1e9))
    except UnderstudyError as error:
        session.listener(Progress(Phase.BUILD, State.WARNING, "image cache", str(error)))
        return
    for image, reason in pruned.failed:
        session.listener(Progress(Phase.BUILD, State.WARNING, f"image {image}", f"could not be removed: {reason}"))


def addresses(session: Session, blueprint: Blueprint, lease: Lease) -> tuple[EndpointAddress, ...]:
    """Where the environment answers, in the order of the clone's endpoints, then its mocks."""
    found = session.target.endpoints(lease.whose)
    schemes = {f"{e.service}:{e.port}": e.scheme for e in blueprint.clone.endpoints}
    schemes |= {f"{m.name}:{m.port}": m.scheme for m in blueprint.clone.mocks}
    order = [*schemes, *sorted(set(found) - set(schemes))]
    return tuple(
        EndpointAddress(name.rpartition(":")[0], int(name.rpartition(":")[2]), *found[name], schemes.get(name, "tcp"))
        for name in order
        if name in found
    )


def engine_progress(listener: ProgressListener, environment: str) -> Listener:
    """A listener for engine events that tells of the target's resources, and of nothing that is only Pulumi's own."""
    began: dict[str, float] = {}

    def hear(event: EngineEvent) -> None:
        if not isinstance(event, ResourceStarted) or not event.type.startswith(("docker:", "aws:")):
            return
        subject = _subject(event, environment)
        if isinstance(event, ResourceFailed):
            listener(Progress(Phase.PROVISION, State.FAILED, subject))
        elif isinstance(event, ResourceDone):
            taken = event.at - began.get(event.urn, event.at)
            listener(Progress(Phase.PROVISION, State.DONE, subject, seconds=taken))
        elif event.op != "same":
            began[event.urn] = event.at
            listener(Progress(Phase.PROVISION, State.STARTED, subject))

    return hear


def _subject(event: ResourceStarted, environment: str) -> str:
    """A resource in words, `container db`, without what its logical name repeats."""
    kind = event.type.rpartition(":")[2].lower().removeprefix("remote")
    return f"{kind} {event.name.removeprefix(environment + '-').removesuffix('-' + kind)}"
