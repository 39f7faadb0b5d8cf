"""A rehearsal: the arguments that an environment would be declared with, for a preview; nothing is built or kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.blueprint import Blueprint
from understudy.build.images import daemon_platform
from understudy.build.keys import Origin, image_tags
from understudy.build.tree import CommitTree
from understudy.engine.settings import EngineSettings
from understudy.lease import Lease, LeaseStore
from understudy.options import Options
from understudy.preparation import binds, certificates_for, environment_args, image_refs, take_tree, trees, with_images
from understudy.scratch import Scratch
from understudy.seed import seed_for
from understudy.targets.docker_client import client

if TYPE_CHECKING:
    from understudy.components.environment import EnvironmentArgs

__all__ = ["passing_tree", "rehearsed"]


@contextmanager
def rehearsed(
    blueprint: Blueprint, options: Options, settings: EngineSettings, store: LeaseStore, lease: Lease
) -> Iterator[EnvironmentArgs]:
    """What `declare` is given in a preview; the files it names are there as long as the context lasts.

    Args:
        blueprint: what the environment is to be.
        options: how.
        settings: whose state folder and passphrase count.
        store: where the environment's authority is, if it has one.
        lease: that of the environment that is there, else one that was never written.

    Raises:
        UsageError: a file or a secret is missing.
        ToolError: Docker or git does not answer.
    """
    blueprint = with_images(blueprint, client(), pull=False)
    with passing_tree(blueprint, settings.state, lease) as tree:
        seed = seed_for(settings, lease.id, blueprint.clone.topology)
        images = image_refs(blueprint, _tags(blueprint, tree))
        mounted = binds(blueprint, tree, settings.state, lease.id)
        certificates = certificates_for(blueprint, options, store=store, lease=lease, settings=settings, write=False)
        yield environment_args(
            blueprint,
            tree,
            options,
            lease=lease,
            images=images,
            seed=seed,
            mounted=mounted,
            certificates=certificates,
        )


def _tags(blueprint: Blueprint, tree: CommitTree) -> dict[str, str]:
    """Service -> the image that is there by its id, another by the tag it will have."""
    from docker.errors import ImageNotFound

    skip = blueprint.clone.unchanged_builds
    origin = Origin(tree.repository, tree.treeish, blueprint.folder, tree.pointers)
    if all(service.build is None or name in skip for name, service in blueprint.clone.topology.services.items()):
        return {}
    tags = image_tags(blueprint.clone.topology, origin, daemon_platform(client()))
    found = {}
    for service, tag in tags.items():
        if service not in skip:
            try:
                found[service] = str(client().images.get(tag).id)
            except ImageNotFound:
                found[service] = tag
    return found


@contextmanager
def passing_tree(blueprint: Blueprint, state: Path, lease: Lease) -> Iterator[CommitTree]:
    """The tree that the lease already keeps, or a passing one."""
    kept = Path(lease.tree)
    if kept == trees(state, lease.id) / blueprint.commit.sha[:16] / "files" and kept.is_dir():
        yield take_tree(blueprint, state, lease.id)
        return
    with Scratch("preview") as folder:
        yield take_tree(blueprint, folder, "preview")
