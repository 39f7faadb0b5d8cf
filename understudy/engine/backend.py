"""The files of a `file://` backend: is a stack there, which locks does it have, and removing the last of it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from understudy.engine.damage import examine, resources
from understudy.engine.interface import StackRef, StackSummary
from understudy.engine.stale_locks import Lock

__all__ = ["FileBackend"]


_DEBRIS = (".json.attrs", ".tmp")
"""What a CLI that was killed, or found the disk full, leaves beside its lock and never comes back for."""

_ENDINGS = (".json", ".json.gz")

_HALF_WRITTEN = r"\.json(\.gz)?(\.bak)?(\.attrs)?\.[0-9a-f]+\.tmp"
"""What a CLI that was killed leaves of a state it was writing (createTemp of gocloud.dev v0.37.0, blob/fileblob)."""


class FileBackend:
    """The layout of the DIY backend of Pulumi 3.61 and newer, where stacks lie below their project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / ".pulumi"

    @property
    def there(self) -> bool:
        """Whether the backend's folder is there at all."""
        return self._folder.is_dir()

    def has(self, ref: StackRef) -> bool:
        """Whether the stack's state file is there."""
        return any(os.path.lexists(self.state(ref, ending)) for ending in _ENDINGS)

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        """The stack's locks, by file."""
        found = (Lock.read(path) for path in sorted(self._locks(ref).glob("*.json")))
        return tuple(lock for lock in found if lock is not None)

    def every_lock(self) -> Iterator[tuple[StackRef, Lock]]:
        """All locks of all stacks."""
        for path in sorted((self._root / "locks" / "organization").glob("*/*/*.json")):
            lock = Lock.read(path)
            if lock is not None:
                yield StackRef(path.parent.parent.name, path.parent.name), lock

    def unlock(self, ref: StackRef, said: Lock | None = None) -> None:
        """Delete the stack's locks: all, or those that `said` means.

        Raises:
            OSError: one could not be deleted.
        """
        for lock in self.locks(ref):
            if lock.meant_by(said):
                Path(lock.path).unlink(missing_ok=True)

    def damage(self, ref: StackRef) -> str:
        """What is wrong with the stack's state file, as `examine` says it; `""`: nothing, or it is not there."""
        found = (examine(self.state(ref, ending)) for ending in _ENDINGS)
        return next((reason for reason in found if reason), "")

    def stacks(self) -> tuple[StackSummary, ...]:
        """Every stack by its state file, the damaged ones too, whose resources nobody knows."""
        found = {}
        for path in (self._root / "stacks").glob("*/*"):
            for ending in _ENDINGS:
                if path.name.endswith(ending):
                    ref = StackRef(path.parent.name, path.name.removesuffix(ending))
                    found[ref] = StackSummary(ref, resources(path), None)
        return tuple(found[ref] for ref in sorted(found))

    def forget(self, ref: StackRef) -> None:
        """Delete what the CLI leaves of a removed stack: copies, attributes, history, backups, the locks' folder.

        A stack that is there, or there again, is left alone.
        """
        if not self.has(ref) and not self.locks(ref):
            self._forget(ref)

    def discard(self, ref: StackRef) -> tuple[Lock, ...]:
        """Delete all of a stack whose state is of no use, under a lock of its own; the locks of others prevent it.

        The lock is taken as the CLI does: written, and given up if there is another one by then.

        Returns:
            The locks that prevented it; none: nothing is left of the stack.

        Raises:
            OSError: something could not be deleted.
        """
        folder = self._locks(ref)
        folder.mkdir(parents=True, exist_ok=True)
        mine = folder / f"{uuid.uuid4()}.json"
        lock = {
            "pid": os.getpid(),
            "username": "understudy",
            "hostname": socket.gethostname(),
            "timestamp": datetime.now(UTC).isoformat(),
        }
        try:
            mine.write_text(json.dumps(lock), encoding="utf-8")
            if others := tuple(each for each in self.locks(ref) if each.path != str(mine)):
                return others
            for ending in _ENDINGS:
                _erase(self.state(ref, ending))
            self._forget(ref)
            if self.has(ref):
                raise OSError(errno.ENOTEMPTY, "it is still there")
        finally:
            mine.unlink(missing_ok=True)
            with suppress(OSError):  # not empty: someone just locked it
                folder.rmdir()
        return ()

    def _forget(self, ref: StackRef) -> None:
        for ending in _ENDINGS:
            for suffix in (".bak", ".bak.attrs", ".attrs"):
                _erase(self.state(ref, ending + suffix))
        half_written = re.compile(re.escape(ref.name) + _HALF_WRITTEN)
        for path in self.state(ref).parent.glob("*.tmp"):
            if half_written.fullmatch(path.name):
                path.unlink(missing_ok=True)
        for kind in ("history", "backups"):
            _erase(self._root / kind / ref.project / ref.name)
        for debris in (each for ending in _DEBRIS for each in self._locks(ref).glob(f"*{ending}")):
            debris.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: someone just locked it
            self._locks(ref).rmdir()

    def state(self, ref: StackRef, ending: str = ".json") -> Path:
        """The stack's state file, whether it is there or not."""
        return self._root / "stacks" / ref.project / (ref.name + ending)

    def _locks(self, ref: StackRef) -> Path:
        return self._root / "locks" / "organization" / ref.project / ref.name


def _erase(path: Path) -> None:
    """Delete a file, a folder with all in it, or a link and never what it points to; none there is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
