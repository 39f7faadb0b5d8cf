"""Git as a typed seam: what a commit is and what its tree holds, read without writing a byte into the repository."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from understudy.errors import ToolError, UsageError

__all__ = ["Commit", "Repository", "git_environment", "normal_path"]

TIMEOUT = 300.0
"""Seconds for one call of git: a checkout of a large tree on a slow disk, not a network operation."""

_HARDENING = (
    "core.hooksPath=/dev/null",  # no code of the repository runs
    "core.fsmonitor=false",  # nor a daemon, nor the hook of that name
    "core.splitIndex=false",  # a split index writes its shared half beside the repository's own index
    "core.untrackedCache=false",
    "core.fileMode=true",
    "core.symlinks=true",
    "core.autocrlf=false",  # the tree of a commit is the same on every machine
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "log.showSignature=false",
    "filter.lfs.smudge=",  # pointers stay pointers: nothing is fetched
    "filter.lfs.clean=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "gc.auto=0",
    "maintenance.auto=false",
)

_INHERITED = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "COMMON_DIR", "NAMESPACE", "PREFIX", "INDEX_FILE", "QUARANTINE_PATH"),
        *("OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES", "SHALLOW_FILE", "GRAFT_FILE", "REPLACE_REF_BASE"),
        *("PAGER", "EXTERNAL_DIFF", "TRACE", "LITERAL_PATHSPECS", "ATTR_SOURCE"),
    )
)
"""What a hook or a wrapper leaves in the environment and what would point git at another repository."""

_OBJECT = re.compile(rb"([0-9a-f]{40,64}) (\w+) (\d+)\n")
_BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `subject` and `branch` are a stranger's text; `branch` is empty where none is known."""

    sha: str
    short: str
    subject: str
    author_time: datetime
    branch: str


def git_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for git: no prompt, no optional lock, no pager, and no other repository than the one named."""
    kept = {key: value for key, value in environment.items() if key not in _INHERITED}
    return kept | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def normal_path(*parts: str) -> str | None:
    """A path inside a tree without `.` and `..` (`""`: the tree itself); None when it leaves the tree."""
    kept: list[str] = []
    for part in PurePosixPath(*parts).parts:
        if part == "..":
            if not kept:
                return None
            kept.pop()
        elif part != ".":
            kept.append(part)
    if kept[:1] == ["/"] or any("\n" in part or "\0" in part for part in kept):
        return None
    return "/".join(kept)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on disk: `root` is its working folder, `git_dir` its data, `objects` further objects to read."""

    root: Path
    git_dir: Path
    objects: Path | None = None

    @classmethod
    def find(cls, folder: Path) -> Repository:
        """The repository that `folder` lies in.

        Raises:
            UsageError: it lies in none.
            ToolError: git is missing or refuses.
        """
        if not folder.is_dir():
            raise UsageError(f"Looked for a git repository at {folder}, and there is no such folder.")
        done = _run(folder, ("rev-parse", "--show-toplevel", "--absolute-git-dir"))
        lines = os.fsdecode(done.stdout).splitlines()
        if done.returncode != 0 or len(lines) < 2:  # noqa: PLR2004 - the two paths asked for
            raise UsageError(
                f"Looked for a git repository at {folder}, and found none: {_message(done)}.",
                hint="Understudy clones the topology of a commit: run it inside a repository, or `git init` one.",
            )
        return cls(Path(lines[0]), Path(lines[1]))

    def with_objects(self, objects: Path) -> Repository:
        """The same repository, seeing also the objects in a folder outside of it."""
        return replace(self, objects=objects)

    def git(
        self,
        *arguments: str,
        work_tree: Path | None = None,
        variables: Mapping[str, str] | None = None,
        data: bytes | None = None,
        accept: tuple[int, ...] = (0,),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git on this repository.

        Raises:
            ToolError: git is missing, or ended with a code that is not in `accept`.
        """
        where = work_tree or self.root
        extra = dict(variables or {})
        if self.objects is not None:
            extra.setdefault("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(self.objects))
        placed = (f"--git-dir={self.git_dir}", f"--work-tree={where}", *arguments)
        done = _run(where, placed, extra, data)
        if done.returncode not in accept:
            raise ToolError(f"Ran `git {arguments[0]}` on {self.root}, and it failed: {_message(done)}.")
        return done

    def origin(self) -> str:
        """The remote's URL without credentials, on which every checkout agrees; without a remote, the root's path."""
        url = self._text("config", "--get", "remote.origin.url")
        scheme, separator, rest = url.partition("://")
        if not separator:
            return url or str(self.root)
        host, slash, path = rest.partition("/")
        return scheme + separator + host.rpartition("@")[2] + slash + path

    def _text(self, *arguments: str) -> str:
        """What git prints, or nothing where it says no."""
        done = self.git(*arguments, accept=(0, 1, 128))
        return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""

    def commit(self, rev: str, environment: Mapping[str, str] | None = None) -> Commit:
        """The commit that `rev` names: a hash, branch, tag, or any revision that git knows (gitrevisions(7)).

        Raises:
            UsageError: there is no such commit.
        """
        found = "" if "\0" in rev else self._text("rev-parse", "--verify", "--quiet", "--end-of-options", rev)
        sha = self._text("rev-parse", "--verify", "--quiet", "--end-of-options", found + "^{commit}")
        if not found or not sha:
            raise UsageError(
                f"Looked for commit {rev!r} in {self.root}, and there is none.",
                hint="Name a branch, tag or hash that `git log` knows; in CI a shallow clone holds few commits: "
                "fetch what is needed first (full depth, or `git fetch origin BRANCH`).",
            )
        raw = self.git("log", "-1", "--no-color", "--format=%H%n%h%n%at%n%s", "--end-of-options", sha, "--")
        full, short, seconds, subject = (raw.stdout.decode("utf-8", "replace") + "\n\n\n").split("\n")[:4]
        variables = os.environ if environment is None else environment
        return Commit(full, short, subject, _moment(seconds), self._branch(rev, full, variables))

    def _branch(self, rev: str, sha: str, environment: Mapping[str, str]) -> str:
        """The branch that was asked for or, for the commit that is checked out, that of the checkout; else empty."""
        named = self._text("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", rev)
        for prefix in ("refs/heads/", "refs/remotes/origin/"):
            if named.startswith(prefix):
                return named.removeprefix(prefix)
        if sha == self._text("rev-parse", "--verify", "--quiet", "HEAD"):
            return self.checked_out(environment)
        return ""

    def checked_out(self, environment: Mapping[str, str] | None = None) -> str:
        """The branch that is checked out: git's own word, or the CI's for a detached HEAD; else empty."""
        variables = os.environ if environment is None else environment
        here = self._text("symbolic-ref", "--short", "--quiet", "HEAD")
        return here or next((variables[key] for key in _BRANCH_VARIABLES if variables.get(key)), "")

    def default_ref(self) -> str:
        """Where production is by default: the remote's default branch, else main or master, else HEAD."""
        remote = self._text("symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD")
        for ref in (remote, "origin/main", "origin/master", "main", "master"):
            if ref and self._text("rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}"):
                return ref
        return ""

    def _object(self, treeish: str, path: str, *, content: bool) -> tuple[str, str, bytes] | None:
        """Id, type and content of what lies at `path`, symbolic links followed as long as they stay in the tree."""
        inside = normal_path(path)
        if inside is None or "\n" in treeish:
            return None
        name = f"{treeish}:{inside}" if inside else treeish + "^{tree}"
        done = self.git(
            "cat-file",
            "--batch" if content else "--batch-check",
            "--follow-symlinks",
            data=os.fsencode(name) + b"\n",
        )
        head = _OBJECT.match(done.stdout)
        if head is None:
            return None
        return head[1].decode(), head[2].decode(), done.stdout[head.end() :][: int(head[3])]

    def object_id(self, treeish: str, path: str) -> str | None:
        """The id of the file or folder at `path`, None where there is neither."""
        found = self._object(treeish, path, content=False)
        return found[0] if found else None

    def tree_id(self, treeish: str, path: str) -> str | None:
        """The tree id of the folder at `path` in a commit or tree, None where there is no folder."""
        found = self._object(treeish, path, content=False)
        return found[0] if found and found[1] == "tree" else None

    def read(self, treeish: str, path: str) -> bytes | None:
        """The file at `path` in a commit or tree, None where there is no file."""
        found = self._object(treeish, path, content=True)
        return found[2] if found and found[1] == "blob" else None


def _run(
    folder: Path, arguments: tuple[str, ...], extra: Mapping[str, str] | None = None, data: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    settings = [part for value in _HARDENING for part in ("-c", value)]
    try:
        return subprocess.run(
            ["git", "--no-pager", *settings, *arguments],
            cwd=folder,
            env=git_environment(os.environ) | dict(extra or {}),
            input=data or b"",
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
            umask=0o022,  # a clone's containers read these files as users of their own
        )
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise UsageError(f"Ran git in {folder}, and there is no such folder.") from error
        raise ToolError("Ran git, and it is not there.", hint="Install git 2.30 or newer.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"Ran git in {folder}, and it failed: {error}.") from error


def _message(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return " ".join(line.removeprefix("fatal: ") for line in lines[:3]).rstrip(".") or f"exit {done.returncode}"


def _moment(seconds: str) -> datetime:
    """An author's clock may say anything; what is no moment of ours becomes the epoch."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
