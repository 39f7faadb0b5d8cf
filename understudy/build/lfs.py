"""Git LFS: pointers replaced by contents that are on this machine already; and what other filters would have done."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.build.git_folder import GitFolder, Missing, shown

__all__ = ["Smudged", "smudge"]

_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n"
    rb"(ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n*"
)
"""The format of a pointer (git-lfs, docs/spec.md)."""

_LARGEST_POINTER = 1024
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Smudged:
    """What came of the filters of a tree: the pointers that remain, and warnings."""

    missing: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()


def smudge(folder: GitFolder, into: Path, files: Iterable[bytes], prefix: bytes = b"") -> Smudged:
    """Put the contents of Git LFS in the place of their pointers, from the repository's own store of them.

    No filter is run: neither `git lfs`, which would fetch, nor any other, which is a command in somebody's
    configuration. The files are as their commit has them before, and the attributes are those of the tree.

    Args:
        folder: the repository that the files are of.
        into: where they lie.
        files: their paths.
        prefix: where the repository lies in the whole, for messages.

    Raises:
        OSError: a file cannot be read or written.
    """
    names = sorted(files)
    filters = _filters(folder, into, names)
    kept = {name for name in names if filters.get(name) == "lfs"}
    stores = tuple(_stores(folder)) if kept and not folder.alone else ()
    excluded = _excluded(folder, into) if kept else frozenset()
    missing = []
    for name in sorted(kept):
        pointer = _pointer(into / os.fsdecode(name))
        if pointer is None:
            continue
        why = _fill(into / os.fsdecode(name), pointer, stores)
        if why:
            missing.append(_left(folder, prefix + name, why, optional=name in excluded))
    return Smudged(tuple(missing), tuple(_others(filters, prefix)))


def _filters(folder: GitFolder, into: Path, names: list[bytes]) -> dict[bytes, str]:
    """File -> the filter that its attributes name (gitattributes(5)); files without one are left out."""
    attributes = [into / os.fsdecode(name) for name in names if name.rpartition(b"/")[2] == b".gitattributes"]
    if not any(b"filter" in path.read_bytes() for path in attributes if not path.is_symlink()):
        return {}
    data = b"".join(name + b"\0" for name in names)
    said = folder.store.run("check-attr", "-z", "--stdin", "filter", work_tree=into, data=data).stdout.split(b"\0")
    pairs = zip(said[0::3], said[2::3], strict=False)
    return {name: os.fsdecode(value) for name, value in pairs if value not in {b"unspecified", b"unset", b"set"}}


def _pointer(path: Path) -> re.Match[bytes] | None:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_POINTER:
        return None
    return _POINTER.fullmatch(path.read_bytes())


def _stores(folder: GitFolder) -> Iterator[Path]:
    """Where contents are: the repository's own folder for them, and those of the repositories that it borrows from."""
    own = folder.setting("lfs.storage", "--type=path")
    yield (folder.common_dir / own if own else folder.common_dir / "lfs") / "objects"
    try:
        lines = (folder.common_dir / "objects/info/alternates").read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        yield folder.common_dir / "objects" / os.fsdecode(line) / "../lfs/objects"


def _fill(path: Path, pointer: re.Match[bytes], stores: tuple[Path, ...]) -> str:
    """Put the content in the pointer's place; where that cannot be, say why and leave the pointer."""
    oid, size = pointer[2].decode(), int(pointer[3])
    if pointer[1]:
        return "is a pointer with extensions, which only `git lfs` can follow"
    why = f"is in Git LFS, and its content {oid[:12]} is not on this machine; nothing is fetched unasked"
    for store in stores:
        source = store / oid[:2] / oid[2:4] / oid
        if source.is_file():
            if _copied(source, path, oid, size):
                return ""
            why = f"is in Git LFS, and {source} is not the content that it has to be"
    return why


def _copied(source: Path, path: Path, oid: str, size: int) -> bool:
    """Copy what has this hash and size over the pointer, whole or not at all; its mode stays."""
    staged = path.with_name(f".{oid[:16]}.part")
    digest = hashlib.sha256()
    written = 0
    try:
        with source.open("rb") as content, staged.open("xb") as out:
            while block := content.read(_BLOCK):
                digest.update(block)
                written += out.write(block)
        if written != size or digest.hexdigest() != oid:
            return False
        shutil.copymode(path, staged)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return True


def _excluded(folder: GitFolder, into: Path) -> frozenset[bytes]:
    """What `lfs.fetchexclude` leaves out, by the repository's setting or by `.lfsconfig` (git-lfs-config(5))."""
    said = folder.setting("lfs.fetchexclude")
    own = into / ".lfsconfig"
    if not said and own.is_file() and not own.is_symlink():
        listing = ("config", "--file", "-", "--get", "lfs.fetchexclude")
        done = folder.store.run(*listing, data=own.read_bytes(), accept=(0, 1, 2, 3, 128))
        said = os.fsdecode(done.stdout).strip()
    patterns = [f"--exclude={each.strip()}" for each in said.split(",") if each.strip()]
    if not patterns:
        return frozenset()
    listed = folder.store.run("ls-files", "--others", "--ignored", "-z", *patterns, work_tree=into)
    return frozenset(listed.stdout.split(b"\0"))


def _left(folder: GitFolder, path: bytes, why: str, *, optional: bool) -> Missing:
    place = os.fsdecode(path)
    if optional:
        return Missing(
            place, "is in Git LFS and excluded by lfs.fetchexclude: its pointer stands in its place", "", True
        )
    root = folder.root if not folder.bare else folder.git_dir
    return Missing(
        place,
        why,
        f"Run `git lfs pull` in {root}, for another commit `git lfs fetch origin COMMIT` (GitHub: `lfs: true` for "
        "actions/checkout); where it is not needed, set lfs.fetchexclude.",
    )


def _others(filters: dict[bytes, str], prefix: bytes) -> Iterator[str]:
    by_filter: dict[str, list[bytes]] = {}
    for name, value in filters.items():
        if value != "lfs":
            by_filter.setdefault(value, []).append(name)
    for value, names in sorted(by_filter.items()):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield (
            f"{shown(prefix + names[0])}{more}: the filter {value!r} is a command of somebody's configuration and is "
            "not run; the clone holds what is committed"
        )
