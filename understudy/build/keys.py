"""What an image is a function of: the key under which a build is found again, and the tag that carries it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from understudy.build.git import Repository, is_below, normal_path
from understudy.errors import ProvisionError
from understudy.stacks.topology import Build, Service, Topology

__all__ = ["BuildPlan", "Origin", "build_plans", "image_tags", "unchanged_builds"]

_RECIPE = "2"
"""Raised when the way images are built changes, so that no older image is taken for a new one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a topology's paths mean: a commit's hash or a tree id, and the topology's folder in it.

    `pointers` are files of the tree that are pointers of Git LFS where others have their contents.
    """

    repository: Repository
    treeish: str
    project_folder: str = ""
    pointers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """One service's build: paths inside the commit's tree, the key (16 hex digits) and the tag."""

    service: str
    context: str
    dockerfile: str
    build: Build
    key: str
    tag: str


def image_tags(topology: Topology, origin: Origin, platform: str) -> Mapping[str, str]:
    """Service -> the tag its image has or will have; nothing is built, and no Docker is asked.

    Raises:
        ProvisionError: a context or a Dockerfile is not in the commit.
    """
    plans = build_plans(topology, origin, platform)
    return {plan.service: plan.tag for plan in plans}


def build_plans(
    topology: Topology, origin: Origin, platform: str, skip: frozenset[str] = frozenset()
) -> tuple[BuildPlan, ...]:
    """The builds of all services that have one and are not in `skip`, in the order of the topology.

    Args:
        topology: whose services are built.
        origin: what their paths mean.
        platform: of the daemon, `os/architecture`.
        skip: services that run an image which is there already.

    Raises:
        ProvisionError: a context or a Dockerfile is not in the commit.
    """
    plans = []
    for service in topology.services.values():
        if service.build is None or service.name in skip:
            continue
        context, dockerfile, key = _key(service, service.build, origin, platform)
        tag = f"understudy/{_component(topology.name)}-{_component(service.name)}:{key}"
        plans.append(BuildPlan(service.name, context, dockerfile, service.build, key, tag))
    return tuple(plans)


def _key(service: Service, build: Build, origin: Origin, platform: str) -> tuple[str, str, str]:
    """Context and Dockerfile as paths in the tree, and the hash over all that the image depends on."""
    repository, treeish = origin.repository, origin.treeish
    context = normal_path(origin.project_folder, build.context)
    tree = None if context is None else repository.tree_id(treeish, context)
    if context is None or tree is None:
        raise ProvisionError(
            f"Looked for the build context {build.context!r} of service {service.name!r} in {treeish[:12]}, and there "
            f"is no such folder.",
            hint=f"{service.where}: the context is a folder of the commit, relative to the topology's folder.",
        )
    dockerfile = normal_path(context, build.dockerfile)
    recipe = None if dockerfile is None else repository.object_id(treeish, dockerfile)
    if dockerfile is None or recipe is None or repository.tree_id(treeish, dockerfile) is not None:
        raise ProvisionError(
            f"Looked for the Dockerfile {build.dockerfile!r} of service {service.name!r} in {context or '.'!r} at "
            f"{treeish[:12]}, and there is no such file.",
            hint=f"{service.where}: `dockerfile` is relative to the context, and has to be committed.",
        )
    written = [*repository.attributes_above(treeish, context), *(p for p in origin.pointers if is_below(p, context))]
    parts = [_RECIPE, tree, build.dockerfile, recipe, build.target, sorted(build.args.items()), platform, written]
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode())
    return context, dockerfile, digest.hexdigest()[:16]


def _component(name: str) -> str:
    """A part of an image's name: lower case, separators never doubled or at an end (the reference grammar)."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "x"


def unchanged_builds(
    production: Topology, production_origin: Origin, candidate: Topology, origin: Origin
) -> Mapping[str, str]:
    """Service -> production's image (`""`: it names none), where the same would be built at both commits.

    A service that has only a build has no image of production to run; one whose build differs has to be built.
    """
    unchanged: dict[str, str] = {}
    for name, service in production.services.items():
        other = candidate.services.get(name)
        if service.build is None or other is None or other.build is None:
            continue
        try:
            before = _key(service, service.build, production_origin, "")
            after = _key(other, other.build, origin, "")
        except ProvisionError:
            continue  # what is missing in production is no ground to run its image; the build names what is missing
        if before == after:
            unchanged[name] = service.image or ""
    return unchanged
