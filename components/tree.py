"""The tree of the commit: paths and files in it, never out of it."""

from __future__ import annotations

import os
from pathlib import Path

from understudy.errors import UsageError

__all__ = ["content", "files_below", "inside"]


def files_below(folder: Path) -> list[Path]:
    """All files below a folder, sorted; folders that are links are not entered, so the walk ends."""
    return sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)


def content(tree: str, path: Path, what: str, limit: int) -> bytes:
    """The bytes of a file that was found in the tree, at most one more than `limit`, so that its size can be judged.

    Args:
        tree: absolute folder of the project at the commit.
        path: the file's absolute path.
        what: says in messages whose file it is.
        limit: bytes.

    Raises:
        UsageError: its name cannot be printed, it leaves the tree, is no file, or cannot be read.
    """
    if not path.name.isprintable():  # also a name that is not UTF-8
        raise UsageError(f"{what} has a file called {path.name!r}.", hint="Give it a name that can be printed.")
    file = inside(tree, os.path.relpath(path, Path(tree).resolve()), what)
    if not file.is_file():  # a fifo would block, a device never end
        raise UsageError(f"{what} has {path.name!r}, which is not a file.", hint="Remove it from the commit.")
    try:
        with file.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{what} has {path.name!r}, which could not be read: {error.strerror}.") from error


def inside(tree: str, relative: str, what: str) -> Path:
    """The absolute path of `relative` in the folder `tree`, links followed. `what` says in messages whose path it is.

    Raises:
        UsageError: the tree is not given by an absolute path; or the path is absolute, leaves the tree (by `..` or
            by a symbolic link), or cannot be followed.
    """
    if not Path(tree).is_absolute():
        raise UsageError(f"The tree of the commit is given as {tree!r}, which is not an absolute path.")
    try:
        root = Path(tree).resolve()
        path = (root / relative).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"{what} is {relative!r}, which could not be followed: {error}.", hint="Name a path inside the project."
        ) from error
    if path.is_symlink():  # from Python 3.13 on, links in a circle are no error of resolve()
        raise UsageError(
            f"{what} is {relative!r}, which could not be followed.", hint="Name a path inside the project."
        )
    if Path(relative).is_absolute() or not path.is_relative_to(root):
        raise UsageError(
            f"{what} is {relative!r}, which leaves the project's folder.",
            hint="Only what belongs to the commit is mounted: name a relative path without links to the outside.",
        )
    return path
