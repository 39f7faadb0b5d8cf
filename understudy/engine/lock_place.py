"""Where Pulumi's locks lie, in a folder or a bucket: which a stack has, which there are, and deleting one alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from understudy.engine.backend import FileBackend
from understudy.engine.errors import BackendError
from understudy.engine.interface import StackRef
from understudy.engine.settings import file_backend
from understudy.engine.stale_locks import Lock
from understudy.s3_objects import S3Objects, S3RequestError, pooled
from understudy.s3_place import S3Place

__all__ = ["BucketLocks", "LockPlace", "lock_place", "lock_trouble"]

_FOLDER = ".pulumi/locks/organization"


class LockPlace(Protocol):
    """Where the locks of a backend's stacks lie; raises OSError or S3RequestError where it cannot look or delete."""

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        """The stack's locks, by where they lie."""
        ...

    def every_lock(self) -> Iterator[tuple[StackRef, Lock]]:
        """All locks of all stacks."""
        ...

    def unlock(self, ref: StackRef, said: Lock | None = None) -> None:
        """Delete the stack's locks: all, or those that `said` means."""
        ...


class BucketLocks:
    """The locks of a backend in S3, where Pulumi 3.200 writes them (pkg/backend/diy/lock.go)."""

    def __init__(self, place: S3Place) -> None:
        self._objects = S3Objects(place.below(_FOLDER), "reads Pulumi's locks in S3")

    def locks(self, ref: StackRef) -> tuple[Lock, ...]:
        """As `LockPlace.locks`."""
        names = sorted(self._objects.listed(f"{ref.project}/{ref.name}"))
        return tuple(lock for lock in pooled(self._read, names) if lock is not None)

    def every_lock(self) -> Iterator[tuple[StackRef, Lock]]:
        """As `LockPlace.every_lock`."""
        names = [name for name in sorted(self._objects.listed("", deep=True)) if name.count("/") == 2]  # noqa: PLR2004 - project, stack, lock
        for name, lock in zip(names, pooled(self._read, names), strict=True):
            if lock is not None:
                project, stack, _ = name.split("/")
                yield StackRef(project, stack), lock

    def unlock(self, ref: StackRef, said: Lock | None = None) -> None:
        """As `LockPlace.unlock`."""
        for lock in self.locks(ref):
            if lock.meant_by(said):
                self._objects.remove(lock.path.removeprefix(self._objects.address("")))

    def _read(self, name: str) -> Lock | None:
        found = self._objects.get(name)
        if found is None:
            return None
        return Lock.parse(found.data, self._objects.address(name), datetime.now(UTC) - timedelta(seconds=found.age))


def lock_place(backend: str) -> LockPlace | None:
    """Where the locks of a `file://` or `s3://` backend lie; None for any other, whose locks only the CLI knows.

    Raises:
        UsageError: the backend is in S3, and there is no boto3, no login, or its URL is not usable.
    """
    folder = file_backend(backend)
    if folder is not None:
        return FileBackend(folder)
    return BucketLocks(S3Place.parse(backend)) if urlsplit(backend).scheme == "s3" else None


@contextmanager
def lock_trouble(what: str, ref: StackRef) -> Iterator[None]:
    """Make a BackendError of what goes wrong where locks lie; `what` was done to those of the stack."""
    try:
        yield
    except (OSError, S3RequestError) as error:
        why = str(error.args[0] if isinstance(error, S3RequestError) else error).rstrip(".")
        said = f"{what} the locks of {ref.qualified}, and it failed: {why}."
        raise BackendError(said, verb="pulumi cancel", stack=ref.qualified) from error
