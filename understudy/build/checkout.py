"""The files of a commit or of the working folder, in a folder of ours: by a temporary index, never a worktree."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from understudy.build.git import Repository, normal_path
from understudy.errors import ToolError, UsageError

__all__ = ["checkout", "copy_working_folder"]

_GITLINK = b"160000"
"""The mode of a submodule's entry (git-ls-tree(1))."""


def checkout(repository: Repository, sha: str, into: Path, subfolder: str = "") -> tuple[str, ...]:
    """Write the files of a commit (or of its `subfolder`, at the same place) below `into`, which must be empty.

    The index is a temporary file, so neither the repository nor its index is written (git-read-tree(1),
    git-checkout-index(1)).

    Returns:
        Warnings: what the tree refers to and does not hold.

    Raises:
        UsageError: the subfolder is not in the commit.
        ToolError: git failed.
    """
    inside = normal_path(subfolder)
    if inside is None or (inside and repository.tree_id(sha, inside) is None):
        raise UsageError(f"Looked for folder {subfolder!r} in commit {sha[:12]}, and there is none.")
    into.mkdir(parents=True, exist_ok=True)
    into.chmod(0o755)  # mkdtemp's 0700 would shut out the users that a clone's containers run as
    with tempfile.TemporaryDirectory(prefix="understudy-index-") as scratch:
        variables = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}

        def run(*arguments: str, data: bytes | None = None) -> bytes:
            return repository.git(*arguments, work_tree=into, variables=variables, data=data).stdout

        run("read-tree", "--end-of-options", sha)
        scope = (":(top,literal)" + inside,) if inside else ()
        entries = [entry for entry in run("ls-files", "--stage", "-z", "--", *scope).split(b"\0") if entry]
        modes = [(entry.split(b" ", 1)[0], entry.split(b"\t", 1)[1]) for entry in entries]
        files = [path for mode, path in modes if mode != _GITLINK]
        run("checkout-index", "--force", "--quiet", "-z", "--stdin", data=b"".join(f + b"\0" for f in files))
    return (
        *_missing_submodules(path for mode, path in modes if mode == _GITLINK),
        *_missing_contents(into, files),
    )


def _missing_submodules(paths: Iterator[bytes]) -> Iterator[str]:
    for path in paths:
        yield f"{os.fsdecode(path)!r} is a submodule: its files are not part of the commit and are left out"


def _missing_contents(into: Path, files: list[bytes]) -> Iterator[str]:
    """Name the attribute files that put contents into Git LFS: those files are pointers in the clone."""
    for name in files:
        path = into / os.fsdecode(name)
        if path.name == ".gitattributes" and not path.is_symlink() and b"filter=lfs" in path.read_bytes():
            yield f"{os.fsdecode(name)!r} keeps files in Git LFS: the clone holds their pointers, not their contents"


def copy_working_folder(repository: Repository, into: Path, objects: Path) -> tuple[str, tuple[str, ...]]:
    """Copy the tracked and the untracked, not ignored files of the working folder as they lie.

    Args:
        repository: whose working folder is copied; nothing in it is written.
        into: an empty folder for the files.
        objects: an empty folder for the git objects of what was copied, so that its trees have ids.

    Returns:
        The id of the tree that `git add --all` would make of it, and warnings. `repository.with_objects(objects)`
        reads it.

    Raises:
        UsageError: a file could not be read.
        ToolError: git failed.
    """
    into.mkdir(parents=True, exist_ok=True)
    into.chmod(0o755)
    objects.mkdir(parents=True, exist_ok=True)
    listed = repository.git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--full-name")
    names = sorted({name for name in listed.stdout.split(b"\0") if name})
    copied: list[bytes] = []
    warnings: list[str] = []
    for name in names:
        path = repository.root / os.fsdecode(name)
        if _through_a_link(repository.root, path):
            continue
        try:
            kind = _copy(path, into / os.fsdecode(name))
        except OSError as error:
            raise UsageError(f"Copied {path} for --dirty, and it failed: {error}.") from error
        if kind == "file":
            copied.append(name)
        elif kind == "folder":
            warnings.append(f"{os.fsdecode(name)!r} is a repository of its own and is left out")
    return _tree_of(repository, into, objects, copied), (*warnings, *_missing_contents(into, copied))


def _through_a_link(root: Path, path: Path) -> bool:
    """Whether a folder on the way is a symbolic link now: then git takes what is listed below it for deleted."""
    return any(parent.is_symlink() for parent in path.parents if parent != root and parent.is_relative_to(root))


def _copy(source: Path, target: Path) -> str:
    """Copy one file or symbolic link; say `file`, `folder`, or nothing for what git does not track (or is deleted)."""
    try:
        mode = source.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISDIR(mode):
        return "folder"
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        return ""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)
    if stat.S_ISREG(mode):
        target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)  # the two modes that git knows
    return "file"


def _tree_of(repository: Repository, work_tree: Path, objects: Path, names: list[bytes]) -> str:
    with tempfile.TemporaryDirectory(prefix="understudy-index-") as scratch:
        variables = {
            "GIT_INDEX_FILE": str(Path(scratch) / "index"),
            "GIT_OBJECT_DIRECTORY": str(objects),  # alone: git renews the times of objects that an alternate has
        }
        data = b"".join(name + b"\0" for name in names)
        repository.git("update-index", "--add", "-z", "--stdin", work_tree=work_tree, variables=variables, data=data)
        written = repository.git("write-tree", work_tree=work_tree, variables=variables)
    tree = written.stdout.decode().strip()
    if not tree:
        raise ToolError(f"Asked git for the tree of {work_tree}, and it named none.")
    return tree
