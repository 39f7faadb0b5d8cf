"""What an image is a function of: the key under which a build is found again, and the tag that carries it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from understudy.build.git import Repository, is_below, normal_path
from understudy.errors import ProvisionError
from understudy.stacks.topology import Build, Service, Topology

__all__ = ["BuildPlan", "Origin", "build_plans", "image_tags", "unchanged_builds"]

_RECIPE = "3"
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
    """One service's build: paths inside the commit's tree, the key (16 hex digits) and the tag.

    `dockerfile` is None where the build has its text. `contexts` are further ones by name: a path in the tree,
    `docker-image://REF`, or `service:NAME`, whose image has to be built before; `secrets` are files of the tree by id.
    """

    service: str
    context: str
    dockerfile: str | None
    build: Build
    key: str
    tag: str
    platform: str | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> frozenset[str]:
        """The services whose images are contexts of this build."""
        return frozenset(_other(context) for context in self.contexts.values()) - {""}


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
    """The builds of all services that have one and are not in `skip`, in their order, and then of what those need.

    Args:
        topology: whose services are built.
        origin: what their paths mean.
        platform: of the daemon, `os/architecture`.
        skip: services that run an image which is there already.

    Raises:
        ProvisionError: a context or a Dockerfile is not in the commit.
    """
    wanted = [s.name for s in topology.services.values() if s.build is not None and s.name not in skip]
    plans: dict[str, BuildPlan] = {}
    while wanted:
        name = wanted.pop(0)
        if name not in plans:
            plans[name] = plan = _plan(topology, topology.services[name], origin, platform)
            wanted.extend(plan.needs)
    return tuple(plans.values())


def _other(context: str) -> str:
    """The service whose image a context is; empty where it is none's."""
    return context.removeprefix("service:") if context.startswith("service:") else ""


def _plan(topology: Topology, service: Service, origin: Origin, platform: str) -> BuildPlan:
    assert service.build is not None  # noqa: S101 - held by every caller
    inputs = _inputs(topology, service, service.build, origin, frozenset())
    own = service.platform if service.platform not in {None, platform} else None
    key = hashlib.sha256(json.dumps([*inputs.parts, own or platform], ensure_ascii=True).encode()).hexdigest()[:16]
    tag = f"understudy/{_component(topology.name)}-{_component(service.name)}:{key}"
    return BuildPlan(
        service.name, inputs.context, inputs.dockerfile, service.build, key, tag, own, inputs.contexts, inputs.secrets
    )


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a build reads, as paths in the tree, and all that its image depends on, as JSON-ready data."""

    context: str
    dockerfile: str | None
    contexts: Mapping[str, str]
    secrets: Mapping[str, str]
    parts: list[object]


def _inputs(topology: Topology, service: Service, build: Build, origin: Origin, above: frozenset[str]) -> _Inputs:
    if service.name in above:
        raise ProvisionError(
            f"The build of service {service.name!r} needs its own image, by way of {', '.join(sorted(above))}."
        )
    context, tree = _folder(service, build.context, origin)
    dockerfile, recipe = _dockerfile(service, build, context, origin)
    contexts: dict[str, str] = {}
    depends: list[object] = []
    for name, given in sorted(build.contexts.items()):
        contexts[name], what = _further(topology, service, given, origin, above)
        depends.append([name, what])
    secrets = {name: _file(service, name, path, origin) for name, path in sorted(build.secrets.items())}
    settings = [
        *(sorted(build.labels.items()), build.network, build.extra_hosts, build.shm),
        *([dataclasses.astuple(limit) for limit in build.ulimits], build.entitlements, build.ssh),
    ]
    read = [origin.repository.object_id(origin.treeish, path) for path in secrets.values()]
    parts: list[object] = [_RECIPE, tree, build.dockerfile, recipe, build.target, sorted(build.args.items())]
    return _Inputs(context, dockerfile, contexts, secrets, [*parts, depends, sorted(secrets), read, settings])


def _folder(service: Service, given: str, origin: Origin) -> tuple[str, list[object]]:
    """A context as a path in the tree, and what it holds."""
    repository, treeish = origin.repository, origin.treeish
    context = normal_path(origin.project_folder, given)
    tree = None if context is None else repository.tree_id(treeish, context)
    if context is None or tree is None:
        raise ProvisionError(
            f"Looked for the build context {given!r} of service {service.name!r} in {treeish[:12]}, and there "
            f"is no such folder.",
            hint=f"{service.where}: the context is a folder of the commit, relative to the topology's folder.",
        )
    written = [*repository.attributes_above(treeish, context), *(p for p in origin.pointers if is_below(p, context))]
    return context, [tree, written]


def _dockerfile(service: Service, build: Build, context: str, origin: Origin) -> tuple[str | None, str]:
    """The Dockerfile as a path in the tree, and its git object; of one that stands in the document, its text."""
    if build.inline is not None:
        return None, build.inline
    repository, treeish = origin.repository, origin.treeish
    dockerfile = normal_path(context, build.dockerfile)
    recipe = None if dockerfile is None else repository.object_id(treeish, dockerfile)
    if dockerfile is None or recipe is None or repository.tree_id(treeish, dockerfile) is not None:
        raise ProvisionError(
            f"Looked for the Dockerfile {build.dockerfile!r} of service {service.name!r} in {context or '.'!r} at "
            f"{treeish[:12]}, and there is no such file.",
            hint=f"{service.where}: `dockerfile` is relative to the context, and has to be committed.",
        )
    return dockerfile, recipe


def _further(
    topology: Topology, service: Service, given: str, origin: Origin, above: frozenset[str]
) -> tuple[str, object]:
    """A further context, and what it depends on."""
    if given.startswith("docker-image://"):
        return given, given
    if not (name := _other(given)):
        return _folder(service, given, origin)
    other = topology.services.get(name)
    if other is None or other.build is None:
        raise ProvisionError(
            f"The build of service {service.name!r} needs the image of {name!r}, which is no service that is built."
        )
    return given, _inputs(topology, other, other.build, origin, above | {service.name}).parts


def _file(service: Service, name: str, given: str, origin: Origin) -> str:
    path = normal_path(origin.project_folder, given)
    if path is None or origin.repository.object_id(origin.treeish, path) is None:
        raise ProvisionError(
            f"Looked for {given!r}, the secret {name!r} of the build of service {service.name!r}, in "
            f"{origin.treeish[:12]}, and there is no such file.",
            hint="Commit a file that the build of a clone may read.",
        )
    return path


def _look_up(topology: Topology, origin: Origin) -> None:
    """Ask for what all keys need at once: git takes as long for fifty paths as for one."""
    wanted: list[str] = []
    for service in topology.services.values():
        if service.build is None:
            continue
        context = normal_path(origin.project_folder, service.build.context)
        if context is not None:
            wanted += [context, normal_path(context, service.build.dockerfile) or context]
    origin.repository.object_ids(origin.treeish, wanted)


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
    _look_up(production, production_origin)
    _look_up(candidate, origin)
    for name, service in production.services.items():
        other = candidate.services.get(name)
        if service.build is None or other is None or other.build is None:
            continue
        try:
            before = _inputs(production, service, service.build, production_origin, frozenset())
            after = _inputs(candidate, other, other.build, origin, frozenset())
        except ProvisionError:
            continue  # what is missing in production is no ground to run its image; the build names what is missing
        if before == after and service.platform == other.platform:
            unchanged[name] = service.image or ""
    return unchanged
