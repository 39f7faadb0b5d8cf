"""A git folder on disk: where its objects and its settings are, and what a commit names that is not in it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

from understudy.build.git_process import message_of, run_git
from understudy.build.objects import ObjectStore
from understudy.errors import ToolError, UsageError

__all__ = ["GitFolder", "Missing", "shown"]


@dataclass(frozen=True, slots=True)
class Missing:
    """What a commit refers to and this machine does not have.

    `path` is its place in the tree, `what` says what it is, `hint` how to get it. What is `optional` is not had by
    declaration: its place is empty or a pointer wherever git checks the commit out.
    """

    path: str
    what: str
    hint: str = ""
    optional: bool = False

    def __str__(self) -> str:
        return f"{shown(self.path)} {self.what}" + (f". {self.hint}" if self.hint else "")


def shown(path: str | bytes) -> str:
    """A path of a tree for a person, whatever bytes it has."""
    return repr(os.fsdecode(path))


@dataclass(frozen=True)
class GitFolder:
    """A repository's data.

    `root` is its work tree (of a bare repository the git folder itself), `git_dir` its own data, `common_dir` what
    linked work trees share, `objects` a folder with further objects to read. One that is `alone` gives nothing of what
    else is on this machine: no submodule's files, no content of Git LFS.
    """

    root: Path
    git_dir: Path
    common_dir: Path
    object_format: str = "sha1"
    bare: bool = False
    objects: Path | None = None
    alone: bool = False

    def with_objects(self, objects: Path) -> Self:
        """The same repository, seeing also the objects in a folder outside of it."""
        return replace(self, objects=objects)

    @cached_property
    def store(self) -> ObjectStore:
        """Its objects, and no settings of its own."""
        further = () if self.objects is None else (self.objects,)
        return ObjectStore((self.common_dir / "objects", *further), self.object_format)

    def git(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[bytes]:
        """Ask git about this repository's names and settings; for everything else there is `store`.

        Raises:
            ToolError: git is missing, or ended with a code that is not in `accept`.
        """
        done = run_git(self.git_dir, (f"--git-dir={self.git_dir}", *arguments))
        if done.returncode not in accept:
            raise ToolError(f"Ran `git {arguments[0]}` on {self.root}, and it failed: {message_of(done)}.")
        return done

    def text(self, *arguments: str) -> str:
        """What git prints, or nothing where it says no."""
        done = self.git(*arguments, accept=(0, 1, 128))
        return os.fsdecode(done.stdout).removesuffix("\n") if done.returncode == 0 else ""

    def setting(self, key: str, *options: str) -> str:
        """The value of a setting here, empty where it has none."""
        return self.text("config", *options, "--get", key)

    @cached_property
    def partial(self) -> bool:
        """Whether this is a partial clone: one whose remote promised the objects that are not here."""
        promised = self.text("config", "--get-regexp", r"^remote\..*\.promisor$")
        return bool(self.setting("extensions.partialclone")) or promised.endswith("true")

    def absent(self, what: str) -> UsageError:
        """The error for objects that are not here, with the command that gets them."""
        if self.partial:
            return UsageError(
                f"Read {what} in {self.root}, and this partial clone does not have it; nothing is fetched unasked.",
                hint=f"Get all objects with `git -C {self.root} fetch --refetch --no-filter`, or clone without "
                "`--filter` (GitHub: no `filter` for actions/checkout).",
            )
        return UsageError(
            f"Read {what} in {self.root}, and an object of it is missing or broken.",
            hint="`git fsck` says which; a fresh clone mends it.",
        )
