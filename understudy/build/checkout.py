"""The files of a commit, in a folder of ours: by a temporary index, never a worktree; as `git checkout` writes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from understudy.build.git_folder import GitFolder, Missing
from understudy.build.lfs import smudge
from understudy.build.submodules import submodules
from understudy.errors import UnderstudyError
from understudy.scratch import Scratch

__all__ = ["Taken", "checkout", "filtered", "new_folder"]

_LINK = b"160000"


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken: what it refers to and does not have, and what else is to be said."""

    missing: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Taken) -> Taken:
        return Taken((*self.missing, *other.missing), (*self.warnings, *other.warnings))


def new_folder(folder: Path) -> None:
    """Make a folder that the users of a clone's containers can read, whatever the umask."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # mkdtemp's 0700 would shut out the users that a clone's containers run as


def checkout(folder: GitFolder, sha: str, into: Path, prefix: bytes = b"") -> Taken:
    """Write the files of a commit, of its submodules too, below `into`, which must be empty.

    They are what `git checkout` writes on a machine that sets nothing itself: the tree's attributes count for line
    ends, encodings and `ident`, contents of Git LFS are put in, and no other filter is run. The index is a temporary
    file, so neither the repository nor its index is written (git-read-tree(1), git-checkout-index(1)).

    Args:
        folder: the repository.
        sha: the commit.
        into: the folder for its files.
        prefix: where the repository lies in the whole, when it is a submodule.

    Raises:
        UsageError: objects of the commit are not here.
        UnderstudyError: the files cannot be written.
        ToolError: git failed.
    """
    new_folder(into)
    with Scratch("index") as scratch:
        index = scratch / "index"
        store = folder.store
        if store.run("read-tree", "--end-of-options", sha, index=index, accept=(0, 128)).returncode != 0:
            raise folder.absent(f"the tree of commit {sha[:12]}")
        entries = [entry for entry in store.run("ls-files", "--stage", "-z", index=index).stdout.split(b"\0") if entry]
        blobs = [entry.split(b"\t", 1) for entry in entries if not entry.startswith(_LINK)]
        files = [path for _, path in blobs]
        data = b"".join(path + b"\0" for path in files)
        command = ("checkout-index", "--force", "--quiet", "-z", "--stdin")
        done = store.run(*command, work_tree=into, index=index, data=data, accept=(0, 1, 128))
        if done.returncode != 0:
            absent = store.missing({head.split(b" ")[1]: path for head, path in blobs})
            if absent:
                raise folder.absent(f"{os.fsdecode(prefix + absent[0])!r} at commit {sha[:12]}")
            store.run(*command, work_tree=into, index=index, data=data)  # the same again, for its message
    return filtered(folder, into, files, prefix) + _submodules(folder, sha, into, prefix)


def filtered(folder: GitFolder, into: Path, files: list[bytes], prefix: bytes) -> Taken:
    """Do what filters would do to files that lie in `into`, as far as that can be without running one."""
    try:
        smudged = smudge(folder, into, files, prefix)
    except OSError as error:
        raise UnderstudyError(f"Put contents of Git LFS into {into}, and it failed: {error}.") from error
    return Taken(smudged.missing, smudged.warnings)


def _submodules(folder: GitFolder, sha: str, into: Path, prefix: bytes) -> Taken:
    taken = Taken()
    for each in submodules(folder, sha, prefix):
        place = into / os.fsdecode(each.path.removeprefix(prefix))
        new_folder(place)  # as git does, also for one that is not there
        if each.folder is not None:
            taken += checkout(each.folder, each.sha, place, each.path + b"/")
        elif each.missing is not None:
            taken += Taken((each.missing,))
    return taken
