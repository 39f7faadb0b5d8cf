"""The working folder as it lies: what git tracks and what it does not ignore, in a folder of ours."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.build.checkout import Taken, filtered, new_folder
from understudy.build.git_folder import GitFolder, Missing, shown
from understudy.build.objects import RAW, ObjectStore
from understudy.build.submodules import sub_folder
from understudy.errors import ToolError, UsageError
from understudy.scratch import Scratch

__all__ = ["copy_working_folder"]

_DEEPEST = 10
_LINK = "160000"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the index: `tag` is S for what a sparse checkout leaves out; `stage` is not 0 of what is unmerged."""

    tag: str
    mode: str
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
        UsageError: a file could not be read.
        ToolError: git failed.
    """
    objects.mkdir(parents=True, exist_ok=True)
    names, taken = _copy_all(folder, into, b"", 0)
    return _tree_of(folder, into, objects, names), taken


def _copy_all(folder: GitFolder, into: Path, prefix: bytes, depth: int) -> tuple[list[bytes], Taken]:
    """Copy one repository's files and its submodules'; their paths, from the whole's root, and what is lacking."""
    if depth > _DEEPEST:
        raise UsageError(f"Copied {folder.root} for --dirty, and submodules are nested more than {_DEEPEST} deep.")
    new_folder(into)
    index = _index_of(folder)
    entries = _entries(folder, index)
    others = index.list(folder.root, "--others", "--exclude-standard")
    sparse = [entry.path for entry in entries if entry.tag == "S" and entry.mode != _LINK]
    _check_out(folder, index, sparse, into, prefix)
    links = {entry.path for entry in entries if entry.mode == _LINK}
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


def _check_out(folder: GitFolder, index: _Index, names: list[bytes], into: Path, prefix: bytes) -> None:
    """Write what a sparse checkout leaves out: it is part of the folder, and git takes it for unchanged."""
    data = b"".join(path + b"\0" for path in names)
    command = ("checkout-index", "--quiet", "-z", "--stdin", "--ignore-skip-worktree-bits")
    done = index.store.run(*command, work_tree=into, index=index.file, data=data, accept=(0, 1, 128))
    if done.returncode != 0:
        raise folder.absent(f"{shown(prefix + names[0])} or another file that the sparse checkout leaves out")


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


@dataclass(frozen=True, slots=True)
class _Index:
    """A copy of a repository's index in a git folder of ours, and the settings that it is to be read with."""

    store: ObjectStore
    file: Path
    settings: tuple[str, ...]

    def list(self, root: Path, *options: str) -> list[bytes]:
        """What `git ls-files` says of the working folder `root`."""
        said = self.store.run(*self.settings, "ls-files", "-z", *options, work_tree=root, index=self.file).stdout
        return [line for line in said.split(b"\0") if line]


_FOLDED = ("-c", "core.sparseCheckout=true", "-c", "core.sparseCheckoutCone=true", "-c", "index.sparse=true")
"""Without these git unfolds a sparse index at once."""

_SPARSE_INDEX = b"sdir"
"""The extension of an index that has folders outside of a sparse checkout as one entry (gitformat-index(5))."""


def _index_of(folder: GitFolder) -> _Index:
    """The index, with what the repository and its user exclude (gitignore(5)).

    It is a copy with all its parts: git renews the time of a shared part that it reads, and of the trees' objects when
    it unfolds a sparse index.
    """
    store = ObjectStore(folder.store.folders, folder.object_format)
    index = store.git_dir / "index"
    try:
        for path in folder.git_dir.glob("*index*"):
            if path.name == "index" or path.name.startswith("sharedindex."):
                shutil.copyfile(path, store.git_dir / path.name)
        for path in (folder.common_dir / "info/exclude", folder.git_dir / "info/sparse-checkout"):
            if path.is_file():
                shutil.copyfile(path, store.git_dir / "info" / path.name)
        folded = index.is_file() and _SPARSE_INDEX in index.read_bytes()
    except OSError as error:
        raise UsageError(f"Read the index of {folder.root}, and it failed: {error}.") from error
    own = folder.setting("core.excludesFile", "--type=path")
    if folded:
        _unfold(folder, _Index(store, index, _FOLDED))
    return _Index(store, index, ("-c", f"core.excludesFile={own}") if own else ())


def _unfold(folder: GitFolder, index: _Index) -> None:
    """Write the copy of a sparse index anew with every file in it."""
    lines = []
    for entry in index.list(folder.root, "--cached", "--stage", "--sparse"):
        head, _, path = entry.partition(b"\t")
        if not head.startswith(b"040000"):
            lines.append((entry, b""))
            continue
        for line in index.store.run("ls-tree", "-r", "-z", head.split(b" ")[1].decode()).stdout.split(b"\0"):
            if line:
                inside, _, name = line.partition(b"\t")
                mode, _, blob = inside.split(b" ")
                lines.append((mode + b" " + blob + b" 0\t" + path + name, path + name))
    index.file.unlink()
    data = b"".join(line + b"\0" for line, _ in lines)
    index.store.run("update-index", "-z", "--index-info", index=index.file, data=data)
    data = b"".join(path + b"\0" for _, path in lines if path)
    index.store.run("update-index", "--skip-worktree", "-z", "--stdin", index=index.file, data=data)


def _entries(folder: GitFolder, index: _Index) -> list[_Entry]:
    entries = []
    for line in index.list(folder.root, "--cached", "--stage", "-t"):
        head, _, path = line.partition(b"\t")
        tag, mode, _, stage = head.decode().split(" ")
        entries.append(_Entry(tag, mode, stage, path))
    return entries


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
    with Scratch("index") as scratch:
        index = scratch / "index"
        data = b"".join(name + b"\0" for name in names)
        adding = ("update-index", "--add", "-z", "--stdin")
        store.run(*adding, work_tree=work_tree, index=index, objects=objects, data=data)
        written = store.run("write-tree", work_tree=work_tree, index=index, objects=objects)
    tree = written.stdout.decode().strip()
    if not tree:
        raise ToolError(f"Asked git for the tree of {work_tree}, and it named none.")
    return tree
