"""Preparation: the lease, the tree and the arguments of an environment, the same for a run and for plain Pulumi."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from understudy.authority import issue
from understudy.blueprint import Blueprint
from understudy.build.binds import Bind, find_binds
from understudy.build.contents import contents
from understudy.build.digests import digests_of
from understudy.build.keys import Origin
from understudy.build.production import unobtainable
from understudy.build.tree import CommitTree
from understudy.ci_job import ci_job, github_event, is_of_fork
from understudy.components.images import ImageRef
from understudy.engine.settings import EngineSettings
from understudy.errors import NotFoundError, UsageError
from understudy.files import write_file
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.options import Options
from understudy.owner import this_process
from understudy.seed import environment_seed
from understudy.stacks import identity
from understudy.stacks.builds import build_after_all, pin, references
from understudy.stacks.clone import Change, Clone, Fidelity
from understudy.stacks.serial import clone_data
from understudy.stacks.trust import Certificates
from understudy.targets.choose import elsewhere

if TYPE_CHECKING:
    from docker import DockerClient

    from understudy.components.environment import EnvironmentArgs

__all__ = [
    "CLONE",
    "begin",
    "binds",
    "certificates_for",
    "clone_note",
    "environment_args",
    "environment_of",
    "hold_here",
    "image_refs",
    "keep_changes",
    "keep_tree",
    "kept_changes",
    "renew",
    "take_tree",
    "trees",
    "with_images",
]

CLONE = "clone.json"
"""The file in which a clone is kept, beside its tree and in its run folder, so that others are compared with it."""

_CHANGES = "changes.json"
_NO_FOLDER = ("docker-image://", "service:")
"""How further contexts of a build begin that are images."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""What a mock's certificate is for beside its host name: tests reach it through a published port."""


def begin(
    blueprint: Blueprint,
    options: Options,
    *,
    backend: str,
    backend_id: str,
    target: str,
    environment: str,
    stack: tuple[str, str],
    folder: Path,
    state: LeaseState = LeaseState.PROVISIONING,
) -> Lease:
    """A new lease for an environment, not yet written.

    `backend` is the URL, `backend_id` the backend's own id (`LeaseStore.backend_id`).
    `stack` is the Pulumi project and the stack's name, `folder` the user's state folder.

    One that begins as HANDED_OVER belongs to nobody who could renew or close it: plain Pulumi.

    Raises:
        UsageError: `ttl` is longer than `max_ttl`.
    """
    if options.ttl > options.max_ttl:
        raise UsageError(f"An environment shall live {options.ttl:.0f} s, and no longer than {options.max_ttl:.0f} s.")
    now = datetime.now(UTC)
    job, fork = ci_job(os.environ), _of_fork()
    return Lease(
        id=environment,
        target=target,
        project=stack[0],
        stack=stack[1],
        backend=backend,
        backend_id=backend_id,
        repository=blueprint.origin,
        topology=blueprint.file,
        files=blueprint.documents.files,
        env_files=blueprint.documents.env_files,
        given=tuple(x for x in blueprint.documents.given if x.partition("=")[0] not in blueprint.candidate.secrets),
        compose_profiles=blueprint.documents.profiles,
        allow=tuple(sorted(blueprint.documents.allow.names)),
        untrusted=bool(blueprint.trusted_sha),
        commit=blueprint.commit.sha,
        branch=blueprint.commit.branch,
        fork=fork,
        pushed=job is not None and not fork,
        committed=identity.format_time(blueprint.commit.commit_time),
        owner=this_process(job.url if job else ""),
        created=identity.format_time(now),
        expires=identity.format_time(now + timedelta(seconds=options.ttl)),
        not_after=identity.format_time(now + timedelta(seconds=options.max_ttl)),
        idle=options.idle_ttl,
        key=options.name or blueprint.commit.branch,
        name=blueprint.clone.topology.name,
        profile=options.profile,
        dirty=blueprint.dirty,
        plain=state is LeaseState.HANDED_OVER,
        state=state,
        tree=str(trees(folder, environment) / blueprint.commit.sha[:16] / "files"),
    )


def _of_fork() -> bool:
    """Whether the job's branch is, or may be, a fork's."""
    try:
        return is_of_fork(os.environ, github_event(os.environ))
    except UsageError:
        return is_of_fork(os.environ, None)


def hold_here(known: Lease, here: str) -> None:
    """Hold that an environment is on this target.

    Raises:
        NotFoundError: it is on another.
    """
    if known.target != here:
        raise NotFoundError(
            f"Environment {known.id} is on {known.target}, and this is {here}.",
            hint=f"{elsewhere(known.target)} Or remove the environment there first.",
        )


def renew(store: LeaseStore, old: Lease, new: Lease, state: LeaseState) -> Lease:
    """Take over the lease of an environment that is updated: its commit is new, how that is read, its owner and expiry.

    `not_after` stays, because it stands in every object's labels.

    Raises:
        BusyError: its owner is at work on it now.
        NotFoundError: it is on another target.
        UsageError: its time is over, or a stranger's commit would get what one of ours has made.
    """
    hold_here(old, new.target)
    if new.untrusted and not old.untrusted:
        raise UsageError(
            f"Environment {old.id} was made of a trusted commit, and an untrusted one neither replaces it nor gets its "
            "volumes.",
            hint="Give the stranger's an environment of its own: --name.",
        )
    if old.not_after <= new.created:
        raise UsageError(
            f"Environment {old.id} may live until {old.not_after}, and that is over.",
            hint=f"`understudy down {old.id}`, then run this again.",
        )
    expires = min(new.expires, old.not_after)
    return store.update(
        old,
        check=Lease.hold_idle,
        commit=new.commit,
        committed=new.committed,
        branch=new.branch,
        fork=new.fork,
        pushed=new.pushed or (old.pushed and old.branch == new.branch),
        untrusted=new.untrusted,
        files=new.files,
        env_files=new.env_files,
        given=new.given,
        compose_profiles=new.compose_profiles,
        allow=new.allow,
        owner=new.owner,
        expires=expires,
        idle=new.idle,
        state=state,
        key=new.key,
        name=new.name,
        profile=new.profile,
        dirty=new.dirty,
        tree=new.tree,
    )


def trees(state: Path, environment: str) -> Path:
    """The folder of an environment's trees, one for each commit it has had."""
    return state / "trees" / environment


def take_tree(blueprint: Blueprint, state: Path, environment: str) -> CommitTree:
    """The commit's files, or the working folder's, below the state folder; they live as long as the lease.

    Raises:
        UsageError: a submodule or a content of Git LFS in what the clone builds, mounts, mocks or tests from is not
            on this machine.
    """
    folder = trees(state, environment)
    if blueprint.repository is None:
        raise UsageError(f"The files of {blueprint.commit.sha} were to be taken again, without their repository.")
    if blueprint.dirty:
        tree = CommitTree.take_working_folder(blueprint.repository, folder)
    else:
        tree = CommitTree.take(blueprint.repository, blueprint.commit.sha, folder)
    for path, use in _used(blueprint.clone):
        tree.require(str(PurePosixPath(blueprint.folder, path)), use)
    return tree


def _mock_tree(blueprint: Blueprint, tree: CommitTree) -> CommitTree:
    """The files that mocks are made of: production's where the commit is untrusted, beside the commit's own."""
    if not blueprint.trusted_sha or blueprint.repository is None or not blueprint.clone.mocks:
        return tree
    return CommitTree.take(blueprint.repository, blueprint.trusted_sha, tree.root.parent.parent)


def _used(clone: Clone) -> Iterator[tuple[str, str]]:
    """Every path that the environment takes from the tree, relative to the project's folder, and what for."""
    for service in clone.topology.services.values():
        if service.build is not None and service.name not in clone.unchanged_builds:
            yield service.build.context, f"the build context of service {service.name!r}"
            folders = (path for path in service.build.contexts.values() if not path.startswith(_NO_FOLDER))
            for path in (*folders, *service.build.secrets.values()):
                yield path, f"what the build of service {service.name!r} reads"
        for mount in service.mounts:
            if mount.from_tree is not None:
                yield mount.from_tree, f"a bind of service {service.name!r}"
        for file in service.files:
            if file.source is not None:
                yield file.source, f"a {file.kind} of service {service.name!r}"
    for mock in clone.mocks:
        yield mock.folder, f"the files of mock {mock.name!r}"
    for suite in clone.topology.suites:
        yield suite.folder, f"the folder of suite {suite.name!r}"


def keep_tree(store: LeaseStore, lease: Lease, blueprint: Blueprint, tree: CommitTree) -> Lease:
    """Note in the lease where the files lie, and beside them what the clone differs in, for `understudy test`."""
    keep_changes(tree.root, blueprint.clone.changes)
    origin = Origin(tree.repository, tree.treeish, blueprint.folder, tree.pointers)
    write_file(
        tree.root.parent / CLONE, json.dumps(clone_note(blueprint.clone, contents(blueprint.clone, origin))).encode()
    )
    return store.update(lease, tree=str(tree.root))


def keep_changes(tree: Path, changes: Sequence[Change]) -> None:
    """Note beside a tree what the environment that is made from it differs in."""
    write_file(tree.parent / _CHANGES, json.dumps([asdict(change) for change in changes]).encode())


def clone_note(clone: Clone, files: Mapping[str, str]) -> dict[str, object]:
    """A clone and the ids of its files, as they are kept: JSON-ready, secrets as tokens."""
    return {"schema": 1, "clone": clone_data(clone), "files": dict(files)}


def kept_changes(lease: Lease) -> tuple[Change, ...]:
    """What `keep_tree` noted; nothing where it cannot be read."""
    try:
        noted = json.loads((Path(lease.tree).parent / _CHANGES).read_text(encoding="utf-8"))
        return tuple(Change(**{**change, "fidelity": Fidelity(change["fidelity"])}) for change in noted)
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def with_images(blueprint: Blueprint, client: DockerClient, *, pull: bool = True) -> Blueprint:
    """The blueprint with every image that can be known now pinned to its digest.

    Services are built after all whose production image is neither here nor to be pulled. Without `pull` nothing is
    fetched, and an image that might be is taken for one that can.
    """
    lost = unobtainable(client, blueprint.clone.unchanged_builds.values(), pull=pull)
    clone = build_after_all(blueprint.clone, lost)
    return replace(blueprint, clone=pin(clone, digests_of(client, references(clone))))


def binds(blueprint: Blueprint, tree: CommitTree, state: Path, environment: str) -> tuple[Bind, ...]:
    """Every bind of the clone's services, and where its content lies or will lie."""
    services = blueprint.clone.topology.services.values()
    sources = [m.from_tree for s in services for m in s.mounts if m.from_tree is not None]
    return find_binds(sources, tree, blueprint.folder, trees(state, environment))


def image_refs(blueprint: Blueprint, built: Mapping[str, str]) -> dict[str, ImageRef]:
    """Service -> the image it runs: the one built, production's where its build is the same, or the one it names."""
    refs: dict[str, ImageRef] = {}
    for name, service in blueprint.clone.topology.services.items():
        if name in built:
            refs[name] = ImageRef(built[name], built=True)
        else:
            pinned = blueprint.clone.pinned.get(name, "")
            reference = pinned or blueprint.clone.unchanged_builds.get(name) or service.image or ""
            refs[name] = ImageRef(reference, built=pinned.startswith("sha256:"))
    return refs


def certificates_for(
    blueprint: Blueprint,
    options: Options,
    *,
    store: LeaseStore,
    lease: Lease,
    settings: EngineSettings,
    write: bool = True,
) -> Certificates | None:
    """What the environment's authority gives, where a mock speaks HTTPS. `write`: keep an authority that is new.

    Raises:
        UsageError: there is no seed to seal its keys with, or it was sealed with another.
    """
    clone = blueprint.clone
    if not clone.speaks_https:
        return None
    return issue(
        store.authority(lease.id),
        environment_seed(settings, lease.id),
        [mock for mock in clone.mocks if mock.scheme == "https"],
        names=_addresses(options.bind),
        public=clone.reaches_out,
        not_after=identity.parse_time(lease.not_after),
        write=write,
    )


def _addresses(bind: str) -> tuple[str, ...]:
    """By what tests reach a mock. One that stands for all is reached by loopback; what is none, the relay refuses."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return _LOOPBACK
    return tuple(dict.fromkeys((*_LOOPBACK, *(() if address.is_unspecified else (str(address),)))))


def environment_of(blueprint: Blueprint, lease: Lease) -> identity.Environment:
    """Whose the environment's objects are, as their labels say it."""
    return identity.Environment(
        lease.id,
        lease.target,
        blueprint.clone.topology.name,
        identity.parse_time(lease.not_after),
        lease.backend_id,
    )


def environment_args(
    blueprint: Blueprint,
    tree: CommitTree,
    options: Options,
    *,
    lease: Lease,
    images: Mapping[str, ImageRef],
    seed: bytes,
    mounted: Sequence[Bind],
    certificates: Certificates | None,
) -> EnvironmentArgs:
    """What the environment's component is given."""
    from understudy.components.environment import EnvironmentArgs

    return EnvironmentArgs(
        clone=blueprint.clone,
        environment=environment_of(blueprint, lease),
        images=images,
        tree=str(tree.root / blueprint.folder),
        mock_tree=str(_mock_tree(blueprint, tree).root / blueprint.folder),
        seed=seed,
        bind_address=options.bind,
        relay_image=options.relay_image,
        mock_image=options.mock_image,
        ready_timeout=int(options.ready_timeout),
        commit=blueprint.commit.sha,
        branch=blueprint.commit.branch,
        binds={bind.source: str(bind.place) for bind in mounted},
        certificates=certificates,
    )
