"""Files written whole or not at all, for their owner alone; and files of others, read without being led away."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

__all__ = ["append_line", "is_git_data", "open_regular", "write_file"]


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` atomically by a file of mode 0600 with this content; a reader sees the old or the new.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    handle, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file of mode 0600 by one call of write(2): whole, or not at all.

    Raises:
        OSError: it cannot be written; a part of it that was is taken back.
    """
    data = line + b"\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        written = os.write(handle, data)
        if written < len(data):
            os.ftruncate(handle, os.lseek(handle, 0, os.SEEK_CUR) - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
    finally:
        os.close(handle)


def is_git_data(folder: Path) -> bool:
    """Whether a folder is a repository's own data: a `.git`, or a bare repository (gitrepository-layout(5))."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def open_regular(path: Path) -> BinaryIO:
    """Open for reading a file that someone else wrote: no link is followed, and no pipe or device waited for.

    Raises:
        OSError: it is not there, or no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no regular file")
    return os.fdopen(handle, "rb")
