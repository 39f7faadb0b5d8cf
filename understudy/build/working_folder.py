"""The working folder as it lies: what git tracks and what it does not ignore, in a folder of ours."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from understudy.build.checkout import Taken, filtered, new_folder
from understudy.build.git_folder import GitFolder, Missing, shown
from understudy.build.objects import RAW, ObjectStore
from understudy.build.submodules import sub_folder
from understudy.errors import ToolError, UsageError

__all__ = ["copy_working_folder"]

_DEEPEST = 10


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the index: `tag` is S for what a sparse checkout leaves out; `stage` is not 0 of what is unmerged."""

    tag: str
    mode: str
    blob: bytes
    stage: str
    path: bytes


def copy_working_folder(folder: GitFolder, into: Path, objects: Path) -> tuple[str, Taken]:
    """Copy the tracked and the untracked, not ignored files of the working folder as they lie, submodules' too.

    Args:
        folder: whose working folder is copied; nothing in it is written, its index is read as a copy.
        into: an empty folder for the files.
        objects: an empty folder for the git objects of what was copied, so that its trees have ids.

    Returns:
        The id of the tree of all that was copied, byte for byte, and what it lacks. `with_objects(objects)` reads it.

    Raises:
        UsageError: a file could not be read, or there is no working folder.
        ToolError: git failed.
    """
    if folder.bare:
        raise UsageError(
            f"Looked for the working folder of {folder.root}, and a bare repository has none.",
            hint="Name a commit instead of --dirty.",
        )
    objects.mkdir(parents=True, exist_ok=True)
    names, taken = _copy_all(folder, into, b"", 0)
    return _tree_of(folder, into, objects, names), taken


def _copy_all(folder: GitFolder, into: Path, prefix: bytes, depth: int) -> tuple[list[bytes], Taken]:
    """Copy one repository's files and its submodules'; their paths, from the whole's root, and what is lacking."""
    if depth > _DEEPEST:
        raise UsageError(f"Copied {folder.root} for --dirty, and submodules are nested more than {_DEEPEST} deep.")
    new_folder(into)
    with _index_of(folder) as (store, index):
        entries, others = _listed(folder, store, index)
        sparse = [entry.path for entry in entries if entry.tag == "S" and entry.mode != "160000"]
        data = b"".join(path + b"\0" for path in sparse)
        command = ("checkout-index", "--quiet", "-z", "--stdin", "--ignore-skip-worktree-bits")
        if sparse and store.run(*command, work_tree=into, index=index, data=data, accept=(0, 1, 128)).returncode != 0:
            raise folder.absent(f"{os.fsdecode(prefix + sparse[0])!r}, which the sparse checkout leaves out,")
    links = {entry.path for entry in entries if entry.mode == "160000"}
    copied: list[bytes] = [*sparse]
    taken = Taken(warnings=tuple(_unmerged(entries, prefix)))
    for name in sorted({entry.path for entry in entries if entry.tag != "S"} - links | set(others)):
        kind = _copied(folder.root, name, into)
        if kind == "file":
            copied.append(name)
        elif kind == "folder":
            taken += Taken(warnings=(f"{shown(prefix + name)} is a repository of its own and is left out",))
    taken = filtered(folder, into, copied, prefix) + taken
    names = [prefix + name for name in copied]
    for name in sorted(links):
        inside, more = _submodule(folder, name, into, prefix, depth)
        names, taken = names + inside, taken + more
    return names, taken


def _submodule(folder: GitFolder, name: bytes, into: Path, prefix: bytes, depth: int) -> tuple[list[bytes], Taken]:
    """A submodule's working folder as it lies; nothing where it is not checked out."""
    place = folder.root / os.fsdecode(name)
    sub = None if _through_a_link(folder.root, place / ".git") else sub_folder(folder, place / ".git", name)
    if sub is not None:
        return _copy_all(sub, into / os.fsdecode(name), prefix + name + b"/", depth + 1)
    if not place.is_dir():
        return [], Taken()  # deleted, like a file that is not there
    return [], Taken(
        (
            Missing(
                os.fsdecode(prefix + name),
                "is a submodule that is not checked out",
                f"Run `git submodule update --init --recursive -- {os.fsdecode(name)}` in {folder.root}.",
            ),
        )
    )


@contextmanager
def _index_of(folder: GitFolder) -> Iterator[tuple[ObjectStore, Path]]:
    """A copy of the index, and of what it is shared with: git renews the time of a shared part that it reads.

    What the repository excludes for itself comes along (gitignore(5)).
    """
    store = ObjectStore(folder.store.folders, folder.object_format)
    index = store.git_dir / "index"
    try:
        for path in folder.git_dir.glob("*index*"):
            if path.name == "index" or path.name.startswith("sharedindex."):
                shutil.copyfile(path, store.git_dir / path.name)
        excluded = folder.common_dir / "info/exclude"
        if excluded.is_file():
            shutil.copyfile(excluded, store.git_dir / "info/exclude")
    except OSError as error:
        raise UsageError(f"Read the index of {folder.root}, and it failed: {error}.") from error
    yield store, index


def _listed(folder: GitFolder, store: ObjectStore, index: Path) -> tuple[list[_Entry], list[bytes]]:
    """What the index has, and what lies in the working folder beside it and is not ignored."""
    staged = store.run("ls-files", "--cached", "--stage", "-t", "-z", work_tree=folder.root, index=index).stdout
    entries = []
    for line in staged.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            tag, mode, blob, stage = head.split(b" ")
            entries.append(_Entry(tag.decode(), mode.decode(), blob, stage.decode(), path))
    own = folder.setting("core.excludesFile", "--type=path")
    settings = ("-c", f"core.excludesFile={own}") if own else ()
    listing = (*settings, "ls-files", "--others", "--exclude-standard", "-z")
    others = store.run(*listing, work_tree=folder.root, index=index).stdout
    return entries, [path for path in others.split(b"\0") if path]


def _unmerged(entries: list[_Entry], prefix: bytes) -> Iterator[str]:
    for path in dict.fromkeys(entry.path for entry in entries if entry.stage != "0"):
        yield f"{shown(prefix + path)} is unmerged: it is copied as it lies, with what git wrote into it"


def _copied(root: Path, name: bytes, into: Path) -> str:
    path = root / os.fsdecode(name)
    if _through_a_link(root, path):
        return ""
    try:
        return _copy(path, into / os.fsdecode(name))
    except OSError as error:
        raise UsageError(f"Copied {path} for --dirty, and it failed: {error}.") from error


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


def _tree_of(folder: GitFolder, work_tree: Path, objects: Path, names: list[bytes]) -> str:
    store = ObjectStore((), folder.object_format, attributes=RAW)
    with tempfile.TemporaryDirectory(prefix="understudy-index-") as scratch:
        index = Path(scratch) / "index"
        data = b"".join(name + b"\0" for name in names)
        adding = ("update-index", "--add", "-z", "--stdin")
        store.run(*adding, work_tree=work_tree, index=index, objects=objects, data=data)
        written = store.run("write-tree", work_tree=work_tree, index=index, objects=objects)
    tree = written.stdout.decode().strip()
    if not tree:
        raise ToolError(f"Asked git for the tree of {work_tree}, and it named none.")
    return tree
