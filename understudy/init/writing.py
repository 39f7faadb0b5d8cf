"""Files of a person's repository, written all or not at all: new ones never over others, additions at the end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from understudy.errors import UsageError
from understudy.init.proposal import NewFile

__all__ = ["write_all"]


def write_all(root: Path, files: Sequence[NewFile]) -> None:
    """Write files below a repository's root. When one fails, those before it are as they were.

    Raises:
        UsageError: a link leads out of the repository, a new file is there by now,
            one that was to get longer has changed, or the disk says no.
    """
    with ExitStack() as undo:
        for file in files:
            if not (root / file.path).resolve().is_relative_to(root.resolve()):
                raise UsageError(
                    f"Wrote {file.path}, and a link leads from there out of the repository; no file was changed.",
                    hint="Take the link away, or write what was shown by hand.",
                )
            try:
                _append(root / file.path, file, undo) if file.appended else _create(root / file.path, file, undo)
            except OSError as error:
                raise UsageError(f"Wrote {file.path}, and it failed: {error}; no file was changed.") from error
        undo.pop_all()


def _create(path: Path, file: NewFile, undo: ExitStack) -> None:
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        undo.callback(_remove_folder, folder)
    with path.open("x", encoding="utf-8") as out:
        undo.callback(path.unlink)
        out.write(file.text)


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _append(path: Path, file: NewFile, undo: ExitStack) -> None:
    """The file keeps its mode and, where it is a link within the repository, what it names."""
    before = (file.before or "").encode("utf-8", "surrogateescape")
    with path.open("r+b") as out:
        if out.read() != before:
            raise OSError(f"{path} has changed since it was shown")
        undo.callback(os.truncate, path, len(before))
        out.write(file.text.encode())
