"""Making an environment on Docker: its images, the tags of those that are not built yet, and its program."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from understudy.blueprint import Blueprint
from understudy.build.images import BuiltImage, ImageBuilder, daemon_platform
from understudy.build.keys import Origin, image_tags
from understudy.build.tree import CommitTree
from understudy.engine.interface import Program
from understudy.lease import Lease
from understudy.preparation import binds, certificates_for, environment_args, image_refs
from understudy.seed import seed_for
from understudy.session import Session
from understudy.targets.docker_client import client

__all__ = ["build", "program", "tags"]


def build(
    session: Session, blueprint: Blueprint, tree: CommitTree, logs: Path, stop: threading.Event
) -> Mapping[str, BuiltImage]:
    """Build what the clone's services run, except where they run production's image.

    Raises:
        ProvisionError: a build failed.
        ToolError: Docker does not answer.
    """
    builder = ImageBuilder(client(), session.settings.state, logs, stop=stop, listener=session.listener)
    skip = frozenset(blueprint.clone.unchanged_builds)
    return builder.build(blueprint.clone.topology, tree, blueprint.folder, skip=skip)


def tags(blueprint: Blueprint, tree: CommitTree) -> dict[str, str]:
    """Service -> the image that is there by its id, another by the tag it will have."""
    from docker.errors import ImageNotFound

    skip = blueprint.clone.unchanged_builds
    origin = Origin(tree.repository, tree.treeish, blueprint.folder, tree.pointers)
    if all(service.build is None or name in skip for name, service in blueprint.clone.topology.services.items()):
        return {}
    found = {}
    for service, tag in image_tags(blueprint.clone.topology, origin, daemon_platform(client())).items():
        if service not in skip:
            try:
                found[service] = str(client().images.get(tag).id)
            except ImageNotFound:
                found[service] = tag
    return found


def program(
    session: Session, blueprint: Blueprint, lease: Lease, tree: CommitTree, built: Mapping[str, str], *, keep: bool
) -> Program:
    """What declares the environment with these images: service -> reference of what is built.

    `keep`: an authority that is new is kept beside the lease.

    Raises:
        UsageError: there is no seed for its secrets.
    """
    options, settings = session.options, session.settings
    references = image_refs(blueprint, built)
    seed = seed_for(settings, lease.id, blueprint.clone.topology)
    mounted = binds(blueprint, tree, settings.state, lease.id)
    certificates = certificates_for(blueprint, options, store=session.store, lease=lease, settings=settings, write=keep)

    def declared() -> None:
        from understudy.declaration import declare

        args = environment_args(
            blueprint,
            tree,
            options,
            lease=lease,
            images=references,
            seed=seed,
            mounted=mounted,
            certificates=certificates,
        )
        declare(args, provider=options.docker_provider)

    return declared
