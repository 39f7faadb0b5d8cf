"""A folder as a shelf: files of mode 0600 in folders of mode 0700, put in place whole; no symbolic link is followed."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy.errors import UnderstudyError
from understudy.files import open_regular
from understudy.lease.shelf import UnreadableError

__all__ = ["FolderShelf"]

_LOCK = ".lock"
_LOCK_WAIT = 30.0
"""Seconds for the lock, which is held for the length of one write."""

_LOOK = 0.005


class FolderShelf:
    """The files `NAME` below one folder. Where they lie must know locks (flock(2)) among all who share it."""

    renew_every = 10.0
    look_every = 1.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, name: str) -> str:
        """The file's path."""
        return str(self.folder / name)

    def read(self, name: str) -> bytes | None:
        """As `Shelf.read`."""
        try:
            with open_regular(self.folder / name) as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadableError(f"Read {self.place(name)}, and it failed: {_why(error)}.") from error

    def age(self, name: str) -> float | None:  # noqa: ARG002 - as Shelf.age
        """As `Shelf.age`: a folder that machines share does not tell its server's time."""
        return None

    def each(self) -> Iterator[tuple[str, bytes | UnreadableError]]:
        """As `Shelf.each`."""
        for name in self._names(self.folder):
            try:
                data = self.read(name)
            except UnreadableError as error:
                yield name, error
            else:
                if data is not None:
                    yield name, data

    def changed(self, folder: str) -> Mapping[str, float]:
        """As `Shelf.changed`."""
        found: dict[str, float] = {}
        for name in self._names(self.folder / folder):
            with suppress(FileNotFoundError):
                found[f"{folder}/{name}"] = (self.folder / folder / name).lstat().st_mtime
        return found

    def _names(self, folder: Path) -> list[str]:
        try:
            return sorted(each.name for each in os.scandir(folder) if each.name[0] != "." and each.name[-5:] == ".json")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UnderstudyError(f"Listed {folder}, and it failed: {error}.") from error

    def create(self, name: str, data: bytes) -> bool:
        """As `Shelf.create`."""
        with self._written(name) as path:
            handle = _nameless(path.parent)
            if handle is not None:
                try:
                    _write(handle, data)
                    return _linked(handle, path)
                finally:
                    os.close(handle)
            with self._locked():
                staged = _staged(path, data)
                try:
                    return _linked(staged, path)
                finally:
                    staged.unlink()

    def change(self, name: str, alter: Callable[[bytes], bytes | None]) -> bool:
        """As `Shelf.change`."""
        if not self.folder.is_dir():
            return False
        with self._written(name) as path, self._locked():
            before = self.read(name)
            if before is None:
                return False
            after = alter(before)
            if after is None:
                path.unlink(missing_ok=True)
                _stage(path).unlink(missing_ok=True)  # of a process that was killed while it wrote
            elif after != before:
                _staged(path, after).replace(path)
            return True

    def put(self, name: str, data: bytes) -> None:
        """As `Shelf.put`."""
        with self._written(name) as path, self._locked():
            _staged(path, data).replace(path)

    def remove(self, name: str) -> None:
        """As `Shelf.remove`."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise UnderstudyError(f"Removed {self.place(name)}, and it failed: {error}.") from error

    @contextmanager
    def _written(self, name: str) -> Iterator[Path]:
        """The path of a document that is to be written, in a folder that is there."""
        path = self.folder / name
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.parent != self.folder:
                path.parent.mkdir(exist_ok=True, mode=0o700)
                if path.parent.is_symlink():
                    raise OSError(errno.ELOOP, "it lies behind a symbolic link, and none is followed")  # noqa: TRY301 - joins the other reasons
            yield path
        except OSError as error:
            raise UnderstudyError(f"Wrote {path}, and it failed: {error}.") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time: an update must not bring back a lease that somebody closes meanwhile."""
        handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        limit = time.monotonic() + _LOCK_WAIT
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > limit:
                        reason = f"another process holds {self.folder / _LOCK} for more than {_LOCK_WAIT:.0f} s"
                        raise OSError(errno.ETIMEDOUT, reason) from error
                    time.sleep(_LOOK)
            yield
        finally:
            os.close(handle)


def _why(error: OSError) -> str:
    return "it is a symbolic link, and none is followed" if error.errno == errno.ELOOP else str(error)


def _nameless(folder: Path) -> int | None:
    """A new file without a name, of which nothing stays when its process is killed; None where there is no such."""
    kind = getattr(os, "O_TMPFILE", 0)
    try:
        return os.open(folder, kind | os.O_WRONLY | os.O_CLOEXEC, 0o600) if kind else None
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT}:  # open(2): how older systems say it
            return None
        raise


def _linked(made: int | Path, path: Path) -> bool:
    """Give a file its name unless another has it; by its descriptor as open(2) says, at O_TMPFILE."""
    try:
        if isinstance(made, Path):
            os.link(made, path)
        else:  # with no descriptor of a folder, Python calls link(2), which follows nothing
            os.link(f"/proc/self/fd/{made}", path, src_dir_fd=made, follow_symlinks=True)
    except FileExistsError:
        return False
    return True


def _stage(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _staged(path: Path, data: bytes) -> Path:
    """A file beside the one that it will become, by the same name each time, so that a killed process leaves one."""
    staged = _stage(path)
    staged.unlink(missing_ok=True)
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _write(handle, data)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return staged


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.fsync(handle)
