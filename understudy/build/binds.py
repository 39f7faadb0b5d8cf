"""Binds: what services mount from the commit, at paths named by source and content, so that only changes move."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from understudy.build.git import is_below, normal_path
from understudy.build.tree import CommitTree
from understudy.errors import UnderstudyError, UsageError

__all__ = ["Bind", "find_binds", "place_binds"]


@dataclass(frozen=True, slots=True)
class Bind:
    """One source of binds as the topology names it: what it is in the tree (None: nothing), and where it will lie."""

    source: str
    origin: Path | None
    place: Path


def find_binds(sources: Iterable[str], tree: CommitTree, project: str, folder: Path) -> tuple[Bind, ...]:
    """Where each source will lie below `folder`; nothing is written.

    Args:
        sources: paths relative to the project's folder.
        tree: the commit's files.
        project: the project's folder, relative to the repository's root.
        folder: of the environment; the contents lie in `binds/<git object id>-<hash of the path>/<name>` below it:
            two sources share no folder, which a container may write to.

    Raises:
        UsageError: a source leaves the repository, or Docker cannot bind it.
    """
    return tuple(_find(source, tree, project, folder) for source in dict.fromkeys(sources))


def _find(source: str, tree: CommitTree, project: str, folder: Path) -> Bind:
    inside = normal_path(project, source)
    if inside is None or PurePosixPath(source).is_absolute():
        raise UsageError(
            f"Read the bind {source!r}, and it leaves the repository.",
            hint="Only what belongs to the commit is mounted: name a relative path inside the repository.",
        )
    origin = tree.path(inside)
    identity = tree.repository.object_id(tree.treeish, inside)
    if origin is None or identity is None:
        origin, identity = None, "absent"
    above = tree.repository.attributes_above(tree.treeish, inside)
    written = [*above, *(each for each in tree.pointers if is_below(each, inside))]
    parts = "\n".join((inside, *(written if any(written) else ())))
    path = hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    place = folder / "binds" / f"{identity[:24]}-{path}" / (PurePosixPath(inside).name or "root")
    if ":" in str(place):  # Docker's API separates the parts of a bind by it
        raise UsageError(f"Read the bind {source!r}, and Docker binds no path with a colon.", hint="Rename it.")
    return Bind(source, origin, place)


def place_binds(binds: Iterable[Bind]) -> tuple[str, ...]:
    """Copy what is not there yet, each whole or not at all; returns the sources that the commit does not have.

    Those become empty folders, as they are for a production that starts without its data.

    Raises:
        UnderstudyError: the folder cannot be written.
    """
    absent = []
    for bind in binds:
        if bind.origin is None:
            absent.append(bind.source)
        if not bind.place.exists():
            try:
                _copy(bind)
            except OSError as error:
                raise UnderstudyError(
                    f"Copied the bind {bind.source!r} to {bind.place}, and it failed: {error}."
                ) from error
    return tuple(absent)


def _copy(bind: Bind) -> None:
    bind.place.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=bind.place.parent.parent) as made:
        staged = Path(made) / "content"
        staged.mkdir(mode=0o755)
        target = staged / bind.place.name
        if bind.origin is None:
            target.mkdir(mode=0o755)
        elif bind.origin.is_dir():
            shutil.copytree(bind.origin, target, symlinks=True)
        else:
            shutil.copy2(bind.origin, target)
        try:
            os.rename(staged, bind.place.parent)  # noqa: PTH104 - refuses a folder that another process just made
        except OSError:
            if not bind.place.exists():
                raise
