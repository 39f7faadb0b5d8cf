"""Submodules: each at the commit that is recorded, from the objects that are on this machine already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.build.git_folder import GitFolder, Missing
from understudy.build.objects import ObjectStore
from understudy.errors import UsageError

__all__ = ["Grafted", "Submodule", "git_dir_at", "graft", "sub_folder", "submodules"]

_LINK = b"160000"
"""The mode of a submodule's entry (git-ls-tree(1))."""

_DEEPEST = 10
_MOST = 1000
"""Submodules inside of submodules, and all of a commit: more than any project has, against bombs."""


@dataclass(frozen=True, slots=True)
class Submodule:
    """One link to a commit of another repository: its place, and the folder that has the commit, or what is missing."""

    path: bytes
    sha: str
    folder: GitFolder | None
    missing: Missing | None = None


@dataclass(frozen=True, slots=True)
class Grafted:
    """A tree with the trees of submodules in the place of their links; where one is missing, the link remains."""

    store: ObjectStore
    tree: str
    missing: tuple[Missing, ...] = ()


def submodules(folder: GitFolder, treeish: str, prefix: bytes = b"") -> tuple[Submodule, ...]:
    """The submodules that a commit names itself, not those inside of them; `prefix` goes before their places."""
    listed = folder.store.run("ls-tree", "-r", "-z", "--full-tree", treeish, accept=(0, 1, 128))
    if listed.returncode != 0:
        raise folder.absent(f"the tree of {treeish[:12]}")
    links = [entry.split(b"\t", 1) for entry in listed.stdout.split(b"\0") if entry.startswith(_LINK)]
    declared = _declared(folder, treeish) if links else {}
    return tuple(_find(folder, path, head.split(b" ")[2].decode(), declared, prefix) for head, path in links)


def _declared(folder: GitFolder, treeish: str) -> dict[bytes, tuple[str, bool]]:
    """What `.gitmodules` says: path -> the submodule's name, and whether it is never updated (gitmodules(5))."""
    listing = ("config", f"--blob={treeish}:.gitmodules", "--null", "--list")
    said = folder.store.run(*listing, accept=(0, 1, 2, 3, 128)).stdout
    paths: dict[bytes, str] = {}
    never: dict[str, bool] = {}
    for line in said.split(b"\0"):
        key, _, value = line.partition(b"\n")
        section, _, variable = key.removeprefix(b"submodule.").rpartition(b".")
        name = os.fsdecode(section)
        if not key.startswith(b"submodule.") or not section:
            continue
        if variable == b"path":
            paths[value] = name
        elif variable == b"update":
            never[name] = value == b"none"
    return {path: (name, never.get(name, False)) for path, name in paths.items()}


def _find(
    folder: GitFolder, path: bytes, sha: str, declared: Mapping[bytes, tuple[str, bool]], prefix: bytes
) -> Submodule:
    name, never = declared.get(path, ("", False))
    if folder.alone:
        what = "is a submodule, and an untrusted commit gets none: which one it is, it says itself"
        return Submodule(prefix + path, sha, None, Missing(os.fsdecode(prefix + path), what))
    here = [found for found in (sub_folder(folder, place, path) for place in _places(folder, name, path)) if found]
    for found in here:
        if found.store.find(sha + "^{tree}"):
            return Submodule(prefix + path, sha, found)
    return Submodule(prefix + path, sha, None, _missing(folder, prefix + path, sha, (name, never), known=bool(here)))


def _places(folder: GitFolder, name: str, path: bytes) -> Iterator[Path]:
    """Where git keeps a submodule's data: in the data of the whole, or, as of old, in the work tree."""
    if name and not any(part in {"", ".", ".."} for part in name.split("/")):  # a name is a stranger's text
        yield folder.git_dir / "modules" / name
        if folder.common_dir != folder.git_dir:
            yield folder.common_dir / "modules" / name
    place = folder.root / os.fsdecode(path)
    root = os.path.realpath(folder.root)
    if not folder.bare and Path(os.path.realpath(place)).is_relative_to(root):  # no link leads out of the work tree
        yield place / ".git"


def git_dir_at(place: Path) -> Path | None:
    """The git folder that lies at `place` or that the file there names (gitrepository-layout(5)); None: neither."""
    try:
        if place.is_file():
            said = os.fsdecode(place.read_bytes()).removesuffix("\n")
            place = place.parent / said.removeprefix("gitdir: ") if said.startswith("gitdir: ") else place
        return place.resolve() if (place / "HEAD").exists() else None
    except (OSError, ValueError, RuntimeError):
        return None


def sub_folder(folder: GitFolder, place: Path, path: bytes) -> GitFolder | None:
    """The repository of the submodule at `path` whose data lies at `place`, None where there is none."""
    git_dir = git_dir_at(place)
    if git_dir is None:
        return None
    try:
        common = (git_dir / (git_dir / "commondir").read_text("utf-8").strip()).resolve()
    except (OSError, ValueError):
        common = git_dir
    if not (common / "objects").is_dir():
        return None
    return GitFolder(folder.root / os.fsdecode(path), git_dir, common, folder.object_format)


def _missing(folder: GitFolder, path: bytes, sha: str, declared: tuple[str, bool], *, known: bool) -> Missing:
    name, never = declared
    place = os.fsdecode(path)
    if not name:
        what = "links to a commit of a repository that .gitmodules does not name: its folder is empty wherever it is"
        return Missing(place, what, optional=True)
    if never or folder.setting(f"submodule.{name}.update") == "none":
        return Missing(place, "is a submodule that is not updated by declaration: its folder is empty", optional=True)
    what = f"is a submodule, and its commit {sha[:12]} is not on this machine; nothing is fetched unasked"
    if folder.bare:
        hint = "A bare repository has no submodules: use a clone made with `git clone --recurse-submodules`."
    elif known:
        hint = f"Run `git -C {folder.root / place} fetch origin {sha}`."
    else:
        hint = (
            f"Run `git submodule update --init --recursive -- {place}` in {folder.root} (GitHub: `submodules: "
            "recursive` for actions/checkout; GitLab: GIT_SUBMODULE_STRATEGY=recursive); where it is not needed, `git "
            f"config submodule.{name}.update none`."
        )
    return Missing(place, what, hint)


def _all(folder: GitFolder, treeish: str, prefix: bytes = b"", depth: int = 0) -> Iterator[Submodule]:
    """The submodules of a commit and those inside of them, each after the one that it is in."""
    if depth > _DEEPEST:
        raise UsageError(f"Read the submodules of {treeish[:12]}, and they are nested more than {_DEEPEST} deep.")
    for found in submodules(folder, treeish, prefix):
        yield found
        if found.folder is not None:
            yield from _all(found.folder, found.sha, found.path + b"/", depth + 1)


def graft(folder: GitFolder, treeish: str) -> Grafted:
    """The tree of a commit and of its submodules as one, so that ids and reads go through them.

    The trees that this makes lie in a temporary folder; no repository is written. A commit without a `.gitmodules`
    has no submodule that can be had, and is taken as it is.

    Raises:
        UsageError: there are too many, or the tree is not here.
        ToolError: git failed.
    """
    if folder.store.find(f"{treeish}:.gitmodules") is None:
        return Grafted(folder.store, treeish)
    found: list[Submodule] = []
    for each in _all(folder, treeish):
        found.append(each)
        if len(found) > _MOST:
            raise UsageError(f"Read the submodules of {treeish[:12]}, and there are more than {_MOST}.")
    missing = tuple(each.missing for each in found if each.missing is not None)
    present = {each.path: each for each in found if each.folder is not None}
    if not present:
        return Grafted(folder.store, treeish, missing)
    folders = [each.folder.store.folders for each in present.values() if each.folder is not None]
    every = dict.fromkeys((*folder.store.folders, *(path for paths in folders for path in paths)))
    store = ObjectStore(tuple(every), folder.object_format)
    tree = _rebuilt(store, treeish, {path: each.sha for path, each in present.items()})
    return Grafted(store, tree, missing)


def _rebuilt(store: ObjectStore, treeish: str, commits: Mapping[bytes, str]) -> str:
    """The tree with, at each place of `commits`, the tree of that commit; those inside of one are put into it."""
    below: dict[bytes, dict[bytes, str]] = {}
    for path, sha in commits.items():
        head, _, rest = path.partition(b"/")
        below.setdefault(head, {})[rest] = sha
    lines = []
    for entry in store.run("ls-tree", "-z", "--full-tree", treeish).stdout.split(b"\0"):
        head, _, name = entry.partition(b"\t")
        inside = below.get(name)
        if entry and inside:
            own = inside.pop(b"", "") or head.split(b" ")[2].decode()
            head = f"040000 tree {_rebuilt(store, own, inside)}".encode()
        lines.append(head + b"\t" + name + b"\0" if entry else b"")
    made = store.run("mktree", "-z", "--missing", data=b"".join(lines), objects=store.written)
    return made.stdout.decode().strip()
