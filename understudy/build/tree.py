"""The tree of an environment: the files that its topology, builds and binds come from, kept as long as the lease."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from understudy.build.checkout import checkout, copy_working_folder
from understudy.build.git import Repository, normal_path
from understudy.errors import UnderstudyError, UsageError

__all__ = ["CommitTree", "path_inside", "read_inside", "remove_trees"]

_FILES = "files"
_OBJECTS = "objects"
_NOTES = "tree.json"


@dataclass(frozen=True, slots=True)
class CommitTree:
    """Files on disk and the git tree that they are.

    `root` holds the files, at their places in the repository. `treeish` is the commit's hash or, for a working
    folder, a tree id; `repository` sees its objects. `warnings` name what is not there.
    """

    root: Path
    treeish: str
    repository: Repository
    warnings: tuple[str, ...] = ()

    @classmethod
    def take(cls, repository: Repository, sha: str, folder: Path, *, subfolder: str = "") -> CommitTree:
        """The files of a commit below `folder`, in a folder named by the commit; one that is there is used again.

        A folder of its own for each commit: a container that is bound to an older one keeps its files until it is
        replaced.

        Raises:
            UsageError: the commit has no such subfolder.
            UnderstudyError: the folder cannot be written.
        """
        part = hashlib.sha256(os.fsencode(subfolder)).hexdigest()[:8]
        place = folder / (f"{sha[:16]}-{part}" if subfolder else sha[:16])
        if not (place / _NOTES).is_file():
            with _Staged(folder, place) as staged:
                warnings = checkout(repository, sha, staged / _FILES, subfolder)
                _note(staged, warnings)
        return cls(place / _FILES, sha, repository, _warnings(place))

    @classmethod
    def take_working_folder(cls, repository: Repository, folder: Path) -> CommitTree:
        """The working folder as it lies (tracked, and untracked but not ignored), below `folder`, named by its tree id.

        Raises:
            UsageError: a file cannot be read.
            UnderstudyError: the folder cannot be written.
        """
        with _Staged(folder) as staged:
            tree, warnings = copy_working_folder(repository, staged / _FILES, staged / _OBJECTS)
            _note(staged, warnings)
            place = _publish(staged, folder / tree[:16])
        return cls(place / _FILES, tree, repository.with_objects(place / _OBJECTS), _warnings(place))

    def path(self, relative: str) -> Path | None:
        """Where `relative` lies on disk, links resolved; None when that is not in the tree, whatever links say."""
        return path_inside(self.root, relative)

    def read_file(self, relative: str) -> bytes | None:
        """The file at `relative`, None when there is none in the tree; links out of the tree are not followed."""
        return read_inside(self.root, relative)


def path_inside(root: Path, relative: str) -> Path | None:
    """Where `relative` lies below `root`, links resolved; None when that is not below it, whatever links say."""
    inside = normal_path(relative)
    if inside is None:
        return None
    try:
        found = (root / inside).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return found if found.is_relative_to(root.resolve()) else None


def read_inside(root: Path, relative: str) -> bytes | None:
    """The file at `relative` below `root`; None when there is none. Links that lead out are not followed."""
    found = path_inside(root, relative)
    return found.read_bytes() if found is not None and found.is_file() else None


class _Staged:
    """A folder that is made beside its place and is renamed to it whole, or not there at all."""

    def __init__(self, folder: Path, place: Path | None = None) -> None:
        self._folder, self._place = folder, place

    def __enter__(self) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._made = Path(tempfile.mkdtemp(prefix=".making-", dir=self._folder))
            self._made.chmod(0o755)
        except OSError as error:
            raise UnderstudyError(f"Made a folder in {self._folder}, and it failed: {error}.") from error
        return self._made

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None and self._place is not None:
                _publish(self._made, self._place)
        finally:
            shutil.rmtree(self._made, ignore_errors=True)


def _publish(staged: Path, place: Path) -> Path:
    """Rename, unless another process was first: then its folder, which has the same contents, is taken."""
    try:
        staged.rename(place)
    except OSError as error:
        if not (place / _NOTES).is_file():
            raise UnderstudyError(f"Renamed {staged} to {place}, and it failed: {error}.") from error
    return place


def _note(staged: Path, warnings: tuple[str, ...]) -> None:
    (staged / _NOTES).write_text(json.dumps({"warnings": warnings}), encoding="utf-8")


def _warnings(place: Path) -> tuple[str, ...]:
    try:
        data = json.loads((place / _NOTES).read_text(encoding="utf-8"))
        return tuple(str(line) for line in data["warnings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"Read the notes of the tree {place}, and it failed: {error}.",
            hint="Remove that folder; it is made anew.",
        ) from error


def remove_trees(folder: Path) -> None:
    """Remove the trees of an environment; a folder that is gone is no error.

    Raises:
        UnderstudyError: something in it cannot be removed, such as files that a container wrote as another user.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnderstudyError(
            f"Removed the tree {folder}, and it failed: {error}.",
            hint="A container may have written there as another user: remove the folder as that user or root.",
        ) from error
