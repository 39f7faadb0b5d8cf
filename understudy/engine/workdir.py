"""A work folder for one operation: the project file, the configuration, a private TMPDIR, all removed afterwards."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy.engine.interface import StackRef

__all__ = ["sweep", "work_folder"]

_PREFIX = "understudy-op-"
_YOUNG = 60.0
"""Seconds in which a folder without a lock may still be on its way to one."""


@contextmanager
def work_folder(ref: StackRef | None = None, config: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A folder of mode 0700 in the system's temporary folder, held by a lock that ends with this process.

    It is in the temporary folder and not in the state folder because the CLI runs `git status` where it stands,
    and a home folder may well be a git repository.

    Args:
        ref: The stack; its project is written to Pulumi.yaml.
        config: Written to Pulumi.<stack>.yaml; a key without a namespace gets the project's.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "tmp").mkdir()
        if ref is not None:
            (folder / "Pulumi.yaml").write_text(f"name: {json.dumps(ref.project)}\nruntime: python\n", "utf-8")
        if ref is not None and config:
            text = json.dumps({"config": {_qualified(ref.project, key): value for key, value in config.items()}})
            (folder / f"Pulumi.{ref.name}.yaml").write_text(text, "utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _qualified(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def sweep() -> None:
    """Remove the work folders of our own user whose process died without doing it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            _remove_if_dead(folder)


def _remove_if_dead(folder: Path) -> None:
    if time.time() - folder.stat().st_mtime < _YOUNG:
        return
    handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
