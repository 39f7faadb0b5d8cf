"""What a suite left in its folder of the run: files without secrets, by name; what is no file is taken away."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from understudy.redact import Redactor

__all__ = ["MOST", "Leavings", "gather"]

MOST = 1000
"""Files of one suite that the record names; the others lie there all the same."""

LARGEST, ALL = 1 << 30, 4 << 30
"""Bytes that stay of one file, and of all. Files with holes are as long as a suite likes, and to read them through for
secrets would keep the environment from being destroyed."""

_CHUNK = 1 << 20

SHOWN = 10
"""Links and pipes that are named one by one."""


@dataclass(slots=True)
class Leavings:
    """The files by path, sorted; what was taken away, and how many are not named, in words; and what failed."""

    files: list[Path] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def gather(folder: Path, redactor: Redactor) -> Leavings:
    """Take the secrets out of every file below a folder and out of its name, and name them.

    A link would lead whoever copies the folder to a file that is none of the run's, and who reads a pipe would wait
    for ever: both are removed, and so is a file from which the secrets could not be taken: all that lies here is sent
    on. What is too long is cut. Nothing of a folder that was replaced by a link is touched.
    """
    found, removed, room = Leavings(), 0, ALL
    if folder.is_symlink():
        found.problems.append(f"{folder.name} was replaced by a link, which was not followed")
        return found
    for parent, folders, files in os.walk(folder, onerror=lambda error: found.problems.append(str(error))):
        for path in (Path(parent, name) for name in (*tuple(folders), *files)):
            try:
                path = _renamed(path, folders, redactor)  # noqa: PLW2901 - the same file from here on
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode):
                    path.chmod(0o600)
                    room -= _cut(path, min(LARGEST, room), found.notices)
                    _clean(path, redactor)
                    found.files.append(path)
                elif stat.S_ISDIR(mode):
                    path.chmod(0o700)  # a suite may have locked it
                else:
                    path.unlink()
                    removed += 1
                    if removed <= SHOWN:
                        found.notices.append(f"{path.relative_to(folder)} was no file, and was removed")
            except OSError as error:
                found.problems.append(str(error))
    found.files.sort()
    if len(found.files) > MOST:
        found.notices.append(f"it left {len(found.files)} files, of which {MOST} are named")
    if removed > SHOWN:
        found.notices.append(f"{removed} links and pipes were removed from its folder")
    del found.files[MOST:]
    return found


def _cut(path: Path, most: int, notices: list[str]) -> int:
    """Cut a file to so many bytes, and return how many it has."""
    size = path.lstat().st_size
    if size > most:
        os.truncate(path, most)
        notices.append(f"{path.name} has {size} bytes, of which the first {most} were kept")
    return min(size, most)


def _clean(path: Path, redactor: Redactor) -> None:
    """Take the secrets out of a file; where that fails and there are some, take the file away.

    Raises:
        OSError: it was taken away, or even that failed.
    """
    try:
        redactor.file(path)
    except OSError:
        if _holds_secrets(path, redactor):
            path.unlink()
            raise


def _holds_secrets(path: Path, redactor: Redactor) -> bool:
    """Whether a file has a secret in it, as far as it can be read; a full disk keeps nobody from reading."""
    stream = redactor.stream()
    try:
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK):
                stream.feed(chunk)
    except OSError:
        return True
    stream.end()
    return stream.found


def _renamed(path: Path, folders: list[str], redactor: Redactor) -> Path:
    """A file or folder by a name without secrets, which no other has; `folders` are those yet to be walked."""
    clean = redactor.text(path.name)
    if clean == path.name:
        return path
    free = (path.with_name(f"{clean}-{number}" if number else clean) for number in count())
    target = next(each for each in free if not os.path.lexists(each))
    path.rename(target)
    if path.name in folders:
        folders[folders.index(path.name)] = target.name
    return target
