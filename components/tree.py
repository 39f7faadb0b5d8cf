"""The tree of the commit: paths in it, never out of it."""

from __future__ import annotations

from pathlib import Path

from understudy.errors import UsageError

__all__ = ["inside"]


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
