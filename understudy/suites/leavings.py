"""What a suite left in its folder: its files are taken over without secrets; what is no file is left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from understudy.files import open_regular
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
    """The files by path, sorted; what was left out, and how many are not named, in words; and what failed."""

    files: list[Path] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def gather(source: Path, target: Path, redactor: Redactor, taken: Collection[str] = ()) -> Leavings:
    """Copy every file below `source` to below `target`, its content and its name without secrets, and name them all.

    A link would lead whoever copies the folder to a file that is none of the run's, and who reads a pipe would wait
    for ever: both are left out. A file that cannot be copied does not stay, and what is too long is cut. Nothing of a
    folder that was replaced by a link is touched. `taken` are the files, relative to
    `source`, that are in `target` already.
    """
    taking = _Taking(source, target, redactor, taken)
    found = taking.found
    if source.is_symlink():
        found.problems.append(f"{source.name} was replaced by a link, which was not followed")
    elif source.exists():  # a suite that never started has none
        taking.all()
    found.files = sorted(path for path in target.rglob("*") if path.is_file() and not path.is_symlink())
    if len(found.files) > MOST:
        found.notices.append(f"it left {len(found.files)} files, of which {MOST} are named")
    if taking.left_out > SHOWN:
        found.notices.append(f"{taking.left_out} links and pipes in its folder were left out")
    del found.files[MOST:]
    return found


@dataclass(slots=True)
class _Taking:
    """The way through the folder. `places` are the folders that were taken over, and where they are now."""

    source: Path
    target: Path
    redactor: Redactor
    taken: Collection[str]
    found: Leavings = field(default_factory=Leavings)
    left_out: int = 0
    room: int = field(default_factory=lambda: ALL)
    places: dict[Path, Path] = field(default_factory=dict)

    def all(self) -> None:
        """Everything below the folder; what fails is named, and ends nothing else."""
        self.places[self.source] = self.target
        for parent, folders, files in os.walk(self.source, onerror=self._failed):
            if Path(parent) not in self.places:  # it could not be made
                folders.clear()
                continue
            for name in (*folders, *files):
                try:
                    self._one(Path(parent, name))
                except OSError as error:
                    self._failed(error)

    def _failed(self, error: OSError) -> None:
        self.found.problems.append(str(error))

    def _one(self, path: Path) -> None:
        name, mode = path.relative_to(self.source).as_posix(), path.lstat().st_mode
        place = self.places[path.parent] / self.redactor.text(path.name)
        if stat.S_ISDIR(mode):
            path.chmod(0o700)  # a suite may have locked it
            if not any(each.startswith(f"{name}/") for each in self.taken):  # else it is there
                place = _free(place)
                place.mkdir(mode=0o700)
            self.places[path] = place
        elif not stat.S_ISREG(mode):
            self.left_out += 1
            if self.left_out <= SHOWN:
                self.found.notices.append(f"{name} was no file, and was left out")
        elif name not in self.taken:
            path.chmod(0o600)
            size, most = path.lstat().st_size, min(LARGEST, self.room)
            _copy(path, _free(place), self.redactor, most)
            self.room -= min(size, most)
            if size > most:
                self.found.notices.append(f"{name} has {size} bytes, of which the first {most} were kept")


def _free(path: Path) -> Path:
    """The path, or one with a number at its end that nothing has."""
    free = (path.with_name(f"{path.name}-{number}" if number else path.name) for number in count())
    return next(each for each in free if not os.path.lexists(each))


def _copy(path: Path, target: Path, redactor: Redactor, most: int) -> None:
    """Write the first bytes to a new file of mode 0600 without secrets; one that fails does not stay."""
    stream = redactor.stream()
    with open_regular(path) as source:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as out:
                while chunk := source.read(min(_CHUNK, most)):
                    most -= len(chunk)
                    out.write(stream.feed(chunk))
                out.write(stream.end())
        except OSError:
            target.unlink(missing_ok=True)
            raise
