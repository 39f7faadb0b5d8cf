"""Which files a topology means: the git ids of what it builds from, mounts and mocks with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from understudy.build.git import normal_path
from understudy.build.keys import Origin
from understudy.stacks.clone import Clone
from understudy.stacks.topology import Build, Topology

__all__ = ["contents"]


def contents(side: Clone | Topology, origin: Origin) -> Mapping[str, str]:
    """Property path + `.files` -> the id of the git object that the property names, of those that are in the tree.

    Asks git once.

    Raises:
        ToolError: git is missing, or refuses.
    """
    topology = side.topology if isinstance(side, Clone) else side
    places = {path: normal_path(origin.project_folder, named) for path, named in _named(topology)}
    wanted = tuple(dict.fromkeys(place for place in places.values() if place is not None))
    found = origin.repository.object_ids(origin.treeish, wanted)
    return {f"{path}.files": found[place] for path, place in places.items() if place is not None and place in found}


def _named(topology: Topology) -> Iterator[tuple[str, str]]:
    for name, service in topology.services.items():
        path = f"services.{name}"
        if service.build is not None:
            yield from _built(service.build, f"{path}.build")
        for mount in service.mounts:
            if mount.from_tree is not None:
                yield f"{path}.mounts.{mount.target}", mount.from_tree
        for file in service.files:
            if file.source is not None:
                yield f"{path}.files.{file.target}", file.source
    for name, external in topology.externals.items():
        if external.mock is not None:
            yield f"externals.{name}.mock", external.mock


def _built(build: Build, path: str) -> Iterator[tuple[str, str]]:
    yield path, build.context
    for name, folder in build.contexts.items():
        if "://" not in folder and not folder.startswith("service:"):
            yield f"{path}.contexts.{name}", folder
