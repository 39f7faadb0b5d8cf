"""The files of a `file://` backend: is a stack there, which locks does it have, and removing the last of it."""

from __future__ import annotations

import shutil
import socket
from contextlib import suppress
from pathlib import Path

from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Lock

__all__ = ["FileBackend"]


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
        return any(self._state(ref, ending).exists() for ending in (".json", ".json.gz"))

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        """The stack's locks, by file."""
        found = (Lock.read(path) for path in sorted(self._locks(ref).glob("*.json")))
        return tuple(lock for lock in found if lock is not None)

    def unlock(self, ref: StackRef, *, pid: int | None = None) -> None:
        """Delete the stack's locks: all, or those of a process of this host that is known to be dead."""
        for lock in self.locks(ref):
            if pid is None or (lock.host, lock.pid) == (socket.gethostname(), pid):
                Path(lock.path).unlink(missing_ok=True)

    def forget(self, ref: StackRef) -> None:
        """Delete what the CLI leaves of a removed stack: copies, attributes, history, backups, the locks' folder.

        A stack that is there, or there again, is left alone.
        """
        if self.has(ref) or self.locks(ref):
            return
        for ending in (".json", ".json.gz"):
            for suffix in (".bak", ".bak.attrs", ".attrs"):
                self._state(ref, ending + suffix).unlink(missing_ok=True)
        for kind in ("history", "backups"):
            shutil.rmtree(self._root / kind / ref.project / ref.name, ignore_errors=True)
        with suppress(OSError):  # not empty: someone just locked it
            self._locks(ref).rmdir()

    def _state(self, ref: StackRef, ending: str) -> Path:
        return self._root / "stacks" / ref.project / (ref.name + ending)

    def _locks(self, ref: StackRef) -> Path:
        return self._root / "locks" / "organization" / ref.project / ref.name
