"""The tree of an environment: the files that its topology, builds and binds come from, kept as long as the lease."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from understudy.build.checkout import Taken, checkout
from understudy.build.git import Repository, is_below, normal_path
from understudy.build.git_folder import Missing, shown
from understudy.build.working_folder import copy_working_folder
from understudy.errors import UnderstudyError, UsageError

__all__ = ["CommitTree", "path_inside", "read_inside", "remove_trees"]

_FILES = "files"
_OBJECTS = "objects"
_NOTES = "tree.json"
_TOLD = 5


@dataclass(frozen=True, slots=True)
class CommitTree:
    """Files on disk and the git tree that they are.

    `root` holds the files, at their places in the repository. `treeish` is the commit's hash or, for a working
    folder, a tree id; `repository` sees its objects. `missing` is what it refers to and does not hold.
    """

    root: Path
    treeish: str
    repository: Repository
    missing: tuple[Missing, ...] = ()
    remarks: tuple[str, ...] = ()

    @classmethod
    def take(cls, repository: Repository, sha: str, folder: Path) -> CommitTree:
        """The files of a commit below `folder`, in a folder named by the commit; one that is there is used again.

        A folder of its own for each commit: a container that is bound to an older one keeps its files until it is
        replaced. One in which something was missing is made anew, since that may be there by now.

        Raises:
            UsageError: objects of the commit are not here.
            UnderstudyError: the folder cannot be written.
        """
        place = folder / sha[:16]
        if not (place / _NOTES).is_file() or _noted(place).missing:
            with _Staged(folder) as staged:
                _note(staged, checkout(repository, sha, staged / _FILES))
                _publish(staged, place)
        noted = _noted(place)
        return cls(place / _FILES, sha, repository, noted.missing, noted.warnings)

    @classmethod
    def take_working_folder(cls, repository: Repository, folder: Path) -> CommitTree:
        """The working folder as it lies (tracked, and untracked but not ignored), below `folder`, named by its tree id.

        Raises:
            UsageError: a file cannot be read.
            UnderstudyError: the folder cannot be written.
        """
        with _Staged(folder) as staged:
            tree, taken = copy_working_folder(repository, staged / _FILES, staged / _OBJECTS)
            _note(staged, taken)
            place = _publish(staged, folder / tree[:16])
        noted = _noted(place)
        seen = repository.with_objects(place / _OBJECTS)
        return cls(place / _FILES, tree, seen, noted.missing, noted.warnings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of the tree, for people."""
        return (*(str(each) for each in self.missing), *self.remarks)

    @property
    def pointers(self) -> tuple[str, ...]:
        """What is not had by declaration: files of it that would be others if it were."""
        return tuple(each.path for each in self.missing if each.optional)

    def require(self, relative: str, use: str) -> None:
        """Refuse a path that is not whole here, before something is made of it.

        Args:
            relative: what is needed, a file or a folder of the tree; `""` is all of it.
            use: what for, such as `the build context of service 'web'`.

        Raises:
            UsageError: a submodule or a content of Git LFS in it, or that it is in, is not on this machine.
        """
        inside = normal_path(relative)
        if inside is None:
            return
        needed = [each for each in self.missing if not each.optional]
        lacking = [each for each in needed if is_below(each.path, inside) or is_below(inside, each.path)]
        if lacking:
            told = "; ".join(f"{shown(each.path)} {each.what}" for each in lacking[:_TOLD])
            more = f"; and {len(lacking) - _TOLD} more" if len(lacking) > _TOLD else ""
            raise UsageError(
                f"Took {use} from {self.treeish[:12]}, and it is not whole here: {told}{more}.",
                hint="\n".join(list(dict.fromkeys(each.hint for each in lacking))[:_TOLD]),
            )

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
    """A folder that is made beside its place, to be renamed to it whole, and is gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._made = Path(tempfile.mkdtemp(prefix=".making-", dir=self._folder))
            self._made.chmod(0o755)
        except OSError as error:
            raise UnderstudyError(f"Made a folder in {self._folder}, and it failed: {error}.") from error
        return self._made

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        shutil.rmtree(self._made, ignore_errors=True)


def _publish(staged: Path, place: Path) -> Path:
    """Rename, unless another process was first: then its folder, which has the same contents, is taken.

    One that lacks something gives way to it.
    """
    before = staged.with_name(staged.name + "-before")
    try:
        if (place / _NOTES).is_file() and _noted(place).missing:
            place.rename(before)
        staged.rename(place)
    except OSError as error:
        if not (place / _NOTES).is_file():
            raise UnderstudyError(f"Renamed {staged} to {place}, and it failed: {error}.") from error
    finally:
        shutil.rmtree(before, ignore_errors=True)
    return place


def _note(staged: Path, taken: Taken) -> None:
    notes = {"warnings": taken.warnings, "missing": [asdict(each) for each in taken.missing]}
    (staged / _NOTES).write_text(json.dumps(notes), encoding="utf-8")


def _noted(place: Path) -> Taken:
    try:
        data = json.loads((place / _NOTES).read_text(encoding="utf-8"))
        missing = tuple(Missing(**each) for each in data["missing"])
        return Taken(missing, tuple(str(line) for line in data["warnings"]))
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
