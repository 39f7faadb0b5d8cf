"""Temporary folders, each held by a lock that ends with its process: those of a killed one are removed by the next."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from understudy.processes import runs

__all__ = ["KINDS", "Scratch", "close_all", "sweep"]

KINDS = ("build", "export", "git", "index", "op", "preview", "suite")
"""What the folders are for, which is in their names: `understudy-<kind>-<pid>-<random>`."""

_YOUNG = 60.0
"""Seconds in which a folder without a lock may still be on its way to one."""

_MAKER = re.compile(r"understudy-[a-z]+-(\d+)-")

_open: weakref.WeakSet[Scratch] = weakref.WeakSet()


class Scratch:
    """A folder of mode 0700 in the system's temporary folder, gone with `close`, the object, or the context's end.

    `lock` is the descriptor that holds it; a process that is handed it holds the folder, too.

    Args:
        kind: one of `KINDS`.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, kind: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"understudy-{KINDS[KINDS.index(kind)]}-{os.getpid()}-"))
        self.lock = _locked(self.path)
        self.close = weakref.finalize(self, _remove, self.path, self.lock)
        _open.add(self)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _locked(folder: Path) -> int:
    """A lock is held before it has its name, so that one that is found and free is a dead process's."""
    handle = os.open(folder / ".lock-new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    (folder / ".lock-new").rename(folder / ".lock")
    return handle


def _remove(folder: Path, handle: int) -> None:
    _empty(folder)
    os.close(handle)


def _empty(folder: Path) -> None:
    """Remove a folder, its lock last: of one without a lock nobody knows whether its process is gone."""
    with suppress(OSError, RecursionError), os.scandir(folder) as entries:
        for each in [entry for entry in entries if entry.name != ".lock"]:
            if each.is_dir(follow_symlinks=False):
                shutil.rmtree(each.path, ignore_errors=True)
            else:
                Path(each.path).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def close_all() -> None:
    """Remove all folders of this process that are there still."""
    for each in tuple(_open):
        each.close()


def sweep() -> None:
    """Remove the folders of our own user whose process died without doing it."""
    for kind in KINDS:
        for folder in Path(tempfile.gettempdir()).glob(f"understudy-{kind}-*"):
            with suppress(OSError, RecursionError):  # a suite nests folders as deep as it likes
                if not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                    _remove_if_dead(folder)


def _remove_if_dead(folder: Path) -> None:
    try:
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        maker = _MAKER.match(folder.name)
        if time.time() - folder.stat().st_mtime > _YOUNG or (maker is not None and not runs(int(maker[1]))):
            shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _empty(folder)
    finally:
        os.close(handle)


if __name__ == "__main__":
    sweep()
