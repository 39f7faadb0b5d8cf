"""Why a service is built for a commit: what of its build is not the same as in production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from understudy.build.git import normal_path
from understudy.build.keys import Origin
from understudy.stacks.compare import properties
from understudy.stacks.topology import Build, Topology

__all__ = ["why_built"]


def why_built(production: Topology, before: Origin, candidate: Topology, after: Origin) -> Mapping[str, str]:
    """Service -> why it is built, for every service of `candidate` whose build differs; `before`, `after`: their trees.

    Nothing is built, and no Docker is asked.
    """
    reasons: dict[str, str] = {}
    for name, service in candidate.services.items():
        old = production.services.get(name)
        if service.build is None:
            continue
        if old is None:
            reasons[name] = "production has no such service"
        elif old.build is None:
            reasons[name] = f"production builds nothing for it and runs {old.image}"
        elif found := tuple(_differences(old.build, before, service.build, after)):
            reasons[name] = "not the same as in production: " + ", ".join(found)
    return reasons


def _differences(old: Build, before: Origin, new: Build, after: Origin) -> Iterator[str]:
    was, now = properties(old, "build"), properties(new, "build")
    yield from (key for key in dict.fromkeys((*was, *now)) if was.get(key) != now.get(key))
    if _tree(old, before) != _tree(new, after):
        yield f"the files of {new.context}"
    elif _dockerfile(old, before) != _dockerfile(new, after):
        yield f"the Dockerfile {new.dockerfile}"


def _tree(build: Build, origin: Origin) -> str | None:
    path = normal_path(origin.project_folder, build.context)
    return None if path is None else origin.repository.tree_id(origin.treeish, path)


def _dockerfile(build: Build, origin: Origin) -> str | None:
    context = normal_path(origin.project_folder, build.context)
    path = None if context is None else normal_path(context, build.dockerfile)
    return None if path is None else origin.repository.object_id(origin.treeish, path)
