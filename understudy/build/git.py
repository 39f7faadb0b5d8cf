"""Git as a typed seam: what a commit is and what its tree holds, read without writing a byte into the repository."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from understudy.build.git_folder import GitFolder
from understudy.build.git_process import git_environment, message_of, run_git
from understudy.build.objects import Found
from understudy.build.submodules import Grafted, graft
from understudy.errors import UsageError

__all__ = ["SHALLOW", "Commit", "Repository", "git_environment", "is_below", "normal_path"]

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

SHALLOW = (
    "This clone is shallow and holds few commits: fetch the others with `git fetch --unshallow` (GitHub: `fetch-depth: "
    "0` for actions/checkout; GitLab: GIT_DEPTH=0)"
)
"""What to do where a commit may be missing because history is cut off."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `subject` and `branch` are a stranger's text; `branch` is empty where none is known.

    `commit_time` is when it was made as it is, which an amended or rebased commit's author time is not.
    """

    sha: str
    short: str
    subject: str
    author_time: datetime
    branch: str
    commit_time: datetime


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


def is_below(path: str, folder: str) -> bool:
    """Whether a normal path is that of `folder` or of something in it."""
    return not folder or path == folder or path.startswith(folder + "/")


@dataclass(frozen=True)
class Repository(GitFolder):
    """A repository as a user has it: an ordinary clone, a linked work tree or a bare one.

    Trees are read with their submodules in place, as far as those are on this machine.
    """

    _grafted: dict[str, Grafted] = field(default_factory=dict, init=False, compare=False, repr=False)
    _found: dict[str, Found | None] = field(default_factory=dict, init=False, compare=False, repr=False)

    @classmethod
    def find(cls, folder: Path) -> Repository:
        """The repository that `folder` lies in.

        Raises:
            UsageError: it lies in none, in one that git does not trust, or in the data of one.
            ToolError: git is missing or refuses.
        """
        if not folder.is_dir():
            raise UsageError(f"Looked for a git repository at {folder}, and there is no such folder.")
        asked = ("--is-bare-repository", "--show-object-format", "--absolute-git-dir", "--git-common-dir")
        done = run_git(folder, ("rev-parse", *asked, "--show-toplevel"))
        lines = os.fsdecode(done.stdout).splitlines()
        if len(lines) < len(asked):
            raise _refused(folder, message_of(done))
        bare, object_format, git_dir, common = lines[: len(asked)]
        if len(lines) > len(asked) + 1:
            raise UsageError(f"Looked for a git repository at {folder}, and its path has a line break: rename it.")
        if bare != "true" and done.returncode != 0:
            raise UsageError(
                f"Looked for a git repository at {folder}, and that is inside the data of one: {message_of(done)}.",
                hint="Change to its work tree.",
            )
        root = Path(git_dir if bare == "true" else lines[len(asked)])
        if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root)):
            raise UsageError(
                f"Looked for a git repository at {folder}, and its work tree is set to be elsewhere, at {root}.",
                hint="Change to that folder, or unset core.worktree.",
            )
        return cls(root, Path(git_dir), Path(os.path.realpath(folder / common)), object_format, bare == "true")

    def origin(self) -> str:
        """The remote's URL without credentials, on which every checkout agrees; without a remote, the root's path.

        Linked work trees are one repository: there it is the path of the first one.
        """
        url = self.setting("remote.origin.url")
        scheme, separator, rest = url.partition("://")
        if not separator:
            first = self.common_dir.parent if self.common_dir.name == ".git" else self.common_dir
            return url or str(self.root if self.common_dir == self.git_dir else first)
        host, slash, path = rest.partition("/")
        return scheme + separator + host.rpartition("@")[2] + slash + path

    def commit(self, rev: str, environment: Mapping[str, str] | None = None) -> Commit:
        """The commit that `rev` names: a hash, branch, tag, or any revision that git knows (gitrevisions(7)).

        Raises:
            UsageError: there is no such commit.
        """
        variables = os.environ if environment is None else environment
        found = "" if "\0" in rev else self.text("rev-parse", "--verify", "--quiet", "--end-of-options", rev)
        sha = self.text("rev-parse", "--verify", "--quiet", "--end-of-options", found + "^{commit}")
        if not found or not sha:
            raise UsageError(
                f"Looked for commit {rev!r} in {self.root}, and there is none.", hint=self._where_commits_are(variables)
            )
        raw = self.store.run(
            "log", "--no-walk", "--no-color", "--format=%H%n%h%n%at%n%ct%n%s", "--end-of-options", sha, "--"
        )
        lines = (raw.stdout.decode("utf-8", "replace") + "\n" * 4).split("\n")
        full, short, written, made, subject = lines[:5]
        return Commit(full, short, subject, _moment(written), self._branch(rev, full, variables), _moment(made))

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether one commit is known here to be an ancestor of another; both may be unknown.

        In a shallow clone history is cut off, so that False says nothing there.
        """
        if not (_HASH.fullmatch(older) and _HASH.fullmatch(newer)):
            return False
        return self.store.run("merge-base", "--is-ancestor", older, newer, accept=(0, 1, 128)).returncode == 0

    def _where_commits_are(self, variables: Mapping[str, str]) -> str:
        """Why a commit may not be here, and what to do."""
        if "GIT_QUARANTINE_PATH" in variables:
            return "While a push is being received its commits are not in the repository yet: use post-receive."
        if self.shallow:
            return f"{SHALLOW}; a branch with `git fetch origin BRANCH:refs/remotes/origin/BRANCH`."
        if not self.text("rev-parse", "--verify", "--quiet", "HEAD"):
            return "The branch that is checked out has no commit yet: commit first."
        return "Name a branch, tag or hash that `git log` knows; fetch first what is on the remote only."

    @property
    def shallow(self) -> bool:
        """Whether history is cut off here (git-clone(1), `--depth`)."""
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def _branch(self, rev: str, sha: str, environment: Mapping[str, str]) -> str:
        """The branch that was asked for or, for the commit that is checked out, that of the checkout; else empty."""
        named = self.text("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", rev)
        for prefix in ("refs/heads/", "refs/remotes/origin/"):
            if named.startswith(prefix):
                return named.removeprefix(prefix)
        if sha == self.text("rev-parse", "--verify", "--quiet", "HEAD"):
            return self.checked_out(environment)
        return ""

    def checked_out(self, environment: Mapping[str, str] | None = None) -> str:
        """The branch that is checked out: git's own word, or the CI's for a detached HEAD; else empty."""
        here = self.text("symbolic-ref", "--short", "--quiet", "HEAD")
        return here or _branch_of_job(os.environ if environment is None else environment)

    def default_ref(self, environment: Mapping[str, str] | None = None) -> str:
        """Where production is by default: the remote's default branch, else main or master; else empty.

        The remote's default branch is what a clone noted of it, what GitLab says in CI_DEFAULT_BRANCH, or, of a
        mirror, its HEAD.
        """
        variables = os.environ if environment is None else environment
        told = variables.get("CI_DEFAULT_BRANCH")
        refs = (
            self.text("symbolic-ref", "--short", "--quiet", "HEAD") if self.bare else "",
            self.text("symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD"),
            f"origin/{told}" if told else "",
            *("origin/main", "origin/master", "main", "master"),
        )
        for ref in refs:
            if ref and self.text("rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}"):
                return ref
        return ""

    def no_default_ref(self) -> str:
        """What to do where `default_ref` finds none."""
        if self.shallow:
            return SHALLOW
        return "fetch it, let `git remote set-head origin --auto` note it, or use --production-ref"

    def grafted(self, treeish: str) -> Grafted:
        """A commit's or tree's files, with those of its submodules in place.

        Raises:
            UsageError: objects are not here.
        """
        if treeish not in self._grafted:
            self._grafted[treeish] = graft(self, treeish)
        return self._grafted[treeish]

    def _object(self, treeish: str, path: str, *, content: bool) -> Found | None:
        """Id, type and content of what lies at `path`, symbolic links followed as long as they stay in the tree."""
        inside = normal_path(path)
        if inside is None or "\n" in treeish:
            return None
        seen = self.grafted(treeish)
        name = f"{seen.tree}:{inside}" if inside else seen.tree + "^{tree}"
        if content or name not in self._found:
            found = seen.store.find(name, content=content)
            if found is None and self.partial:
                self._refuse_absent(seen, inside)
            if content:
                return found
            self._found[name] = found
        return self._found[name]

    def _refuse_absent(self, seen: Grafted, inside: str) -> None:
        """Tell what a tree does not have from what it has and this partial clone does not."""
        listed = seen.store.run("ls-tree", "-z", "--full-tree", seen.tree, "--", inside or ".", accept=(0, 1, 128))
        if listed.returncode != 0 or listed.stdout:
            raise self.absent(f"{inside or 'the tree'!r} at {seen.tree[:12]}")

    def object_id(self, treeish: str, path: str) -> str | None:
        """The id of the file or folder at `path`, None where there is neither."""
        found = self._object(treeish, path, content=False)
        return found[0] if found else None

    def object_ids(self, treeish: str, paths: Sequence[str]) -> Mapping[str, str]:
        """Path -> id of the file or folder there, as `object_id` says it, of those that are there; asks git once."""
        inside = {path: normal for path in paths if (normal := normal_path(path)) is not None}
        if not inside or "\n" in treeish:
            return {}
        seen = self.grafted(treeish)
        names = {path: f"{seen.tree}:{normal}" if normal else seen.tree + "^{tree}" for path, normal in inside.items()}
        unknown = [name for name in dict.fromkeys(names.values()) if name not in self._found]
        self._found.update(seen.store.find_all(unknown) if unknown else {})
        return {path: found[0] for path, name in names.items() if (found := self._found.get(name))}

    def tree_id(self, treeish: str, path: str) -> str | None:
        """The tree id of the folder at `path` in a commit or tree, None where there is no folder."""
        found = self._object(treeish, path, content=False)
        return found[0] if found and found[1] == "tree" else None

    def attributes_above(self, treeish: str, path: str) -> list[str]:
        """The ids of the attribute files above `path`: they too say how its files are written (gitattributes(5))."""
        above = [str(folder / ".gitattributes") for folder in PurePosixPath(path).parents if path]
        return [self.object_id(treeish, each) or "" for each in above]

    def read(self, treeish: str, path: str) -> bytes | None:
        """The file at `path` in a commit or tree, None where there is no file.

        Raises:
            UsageError: a partial clone does not have it.
        """
        found = self._object(treeish, path, content=True)
        return found[2] if found and found[1] == "blob" else None


def _refused(folder: Path, said: str) -> UsageError:
    if "dubious ownership" in said or "unsafe repository" in said:
        return UsageError(
            f"Looked for a git repository at {folder}, and it is another user's, so git does not trust it.",
            hint=f"If you do: `git config --global --add safe.directory {folder}`; name its root where that is above.",
        )
    if "not a git repository" in said:
        hint = "Understudy clones the topology of a commit: run it inside a repository, or `git init` one."
        return UsageError(f"Looked for a git repository at {folder}, and found none: {said}.", hint=hint)
    return UsageError(
        f"Looked for a git repository at {folder}, and git cannot read it: {said}.",
        hint="`git status` there says the same; a newer git may know its format.",
    )


def _branch_of_job(variables: Mapping[str, str]) -> str:
    """The branch that GitHub Actions or GitLab CI runs for; a tag is none.

    GitHub: "Default environment variables"; GitLab: "Predefined CI/CD variables reference".
    """
    if variables.get("GITHUB_REF_TYPE") == "tag" or variables.get("CI_COMMIT_TAG"):
        return ""
    names = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME")
    return next((variables[key] for key in names if variables.get(key)), "")


def _moment(seconds: str) -> datetime:
    """An author's clock may say anything; what is no moment of ours becomes the epoch."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
