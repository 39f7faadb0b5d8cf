"""What lies in the tree of the commit where a clone's services and mocks take files from."""

from __future__ import annotations

import os
from pathlib import Path

from understudy.components.tree import content, files_below, inside
from understudy.errors import UsageError
from understudy.stacks.aws.files import LARGEST, MOST
from understudy.stacks.aws.plan import Source
from understudy.stacks.clone import Clone

__all__ = ["sources"]

_MOCK_FOLDERS = ("mappings", "__files")
"""What WireMock serves of a mock's folder."""


def sources(clone: Clone, tree: str) -> dict[str, Source]:
    """Path of the commit -> what lies there, of every bind, file and mock; what is not there is missing.

    Args:
        clone: the clone.
        tree: absolute folder of the project at the commit.

    Raises:
        UsageError: a path leaves the tree, or there is more than may be brought to a task.
    """
    found: dict[str, Source] = {}
    for service in clone.topology.services.values():
        paths = [mount.from_tree for mount in service.mounts if mount.from_tree is not None]
        paths += [file.source for file in service.files if file.source is not None]
        for path in paths:
            what = f"A file of service {service.name!r}"
            if path not in found and (source := _source(tree, path, what)) is not None:
                found[path] = source
    for mock in clone.mocks:
        what = f"The folder of mock {mock.name!r}"
        folder = inside(tree, mock.folder, what)
        served = [path for name in _MOCK_FOLDERS for path in files_below(folder / name)]
        if folder.is_dir():
            found[mock.folder] = _folder(tree, folder, served, what)
    return found


def _source(tree: str, path: str, what: str) -> Source | None:
    place = inside(tree, path, what)
    if place.is_file():
        executable = frozenset({place.name}) if os.access(place, os.X_OK) else frozenset[str]()
        return Source({place.name: content(tree, place, what, LARGEST)}, single=True, executable=executable)
    return _folder(tree, place, files_below(place), what) if place.is_dir() else None


def _folder(tree: str, folder: Path, paths: list[Path], what: str) -> Source:
    if len(paths) > MOST:
        raise UsageError(
            f"{what} is {folder.name!r}, which has {len(paths)} files; on AWS at most {MOST} are brought to a task.",
            hint="Copy them into its image: Dockerfile, COPY.",
        )
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    executable = frozenset(name for name, path in names.items() if os.access(path, os.X_OK))
    return Source({name: content(tree, path, what, LARGEST) for name, path in names.items()}, executable=executable)
