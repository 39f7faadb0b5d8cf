"""A bucket as a shelf: every write says what it expects to find (If-None-Match, If-Match), so that none is lost.

Amazon S3 User Guide, "How to prevent object overwrites with conditional writes". A removal is a write too, of a mark
that the document is closed, before the object goes: servers that know conditions for PUT need not know them for DELETE.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping

from understudy.aws_failures import failure_of
from understudy.errors import UnderstudyError, UsageError
from understudy.lease.shelf import UnreadableError
from understudy.s3_client import is_amazon
from understudy.s3_objects import GONE, S3Object, S3Objects, S3RequestError, pooled
from understudy.s3_place import S3Place

__all__ = ["S3Shelf"]

CLOSED = b'{"closed": true}\n'
"""What stands for a document whose object is about to go."""

_CLOSING = 60.0
"""Seconds after which a mark is one of a process that was killed, and a new document may stand in its place; half of
them are the most that lie between a mark and the removal of its object."""

_ROUNDS = 60
"""How often a change is begun anew because another process was faster: each time one of them has got on."""

_REFUSED = frozenset({409, 412})
"""HTTP's status of a condition that does not hold (412), or cannot be decided because of another write (409)."""


class S3Shelf:
    """The objects `NAME` below one prefix of a bucket."""

    renew_every = 30.0
    look_every = 10.0

    def __init__(self, place: S3Place) -> None:
        self._objects = S3Objects(place, "keeps leases in S3")
        self._trusted = is_amazon(self._objects.client)

    def place(self, name: str) -> str:
        """The object's address."""
        return self._objects.address(name)

    def read(self, name: str) -> bytes | None:
        """As `Shelf.read`."""
        found = self._get(name)
        return None if found is None or found.data == CLOSED else found.data

    def age(self, name: str) -> float | None:
        """As `Shelf.age`."""
        found = self._get(name)
        return None if found is None else found.age

    def _get(self, name: str) -> S3Object | None:
        try:
            return self._objects.get(name)
        except S3RequestError as error:
            if error.failure.status and not error.failure.again:
                raise UnreadableError(str(error.args[0])) from error
            raise

    def each(self) -> Iterator[tuple[str, bytes | UnreadableError]]:
        """As `Shelf.each`."""

        def read(name: str) -> tuple[str, bytes | UnreadableError | None]:
            try:
                return name, self.read(name)
            except UnreadableError as error:
                return name, error

        for name, data in pooled(read, sorted(self.changed(""))):
            if data is not None:
                yield name, data

    def changed(self, folder: str) -> Mapping[str, float]:
        """As `Shelf.changed`."""
        return {name: moment.timestamp() for name, moment in self._objects.listed(folder).items()}

    def create(self, name: str, data: bytes) -> bool:
        """As `Shelf.create`."""
        for _ in range(_ROUNDS):
            if self._put(name, data, IfNoneMatch="*"):
                self._hold_conditions(name, data)
                return True
            found = self._get(name)
            if found is not None:
                closed = found.data == CLOSED and found.age > _CLOSING
                return closed and self._put(name, data, IfMatch=found.tag)
        raise self._overtaken(name)

    def _hold_conditions(self, name: str, data: bytes) -> None:
        """Hold that the server refuses what S3 would: one that takes no notice of conditions would lose leases."""
        if self._trusted:
            return
        wrong = {"IfMatch": '"00000000000000000000000000000000"'}
        if any(self._put(name, data, doubt=False, **condition) for condition in ({"IfNoneMatch": "*"}, wrong)):
            self.remove(name)
            raise UsageError(
                f"Wrote {self.place(name)} on the condition that it is not there, and the server at "
                f"{self._objects.client.meta.endpoint_url} took no notice of that: two commands "
                "could hold one environment.",
                hint="Name a folder that every machine with this backend shares: --lease-dir or UNDERSTUDY_LEASE_DIR.",
            )
        self._trusted = True

    def change(self, name: str, alter: Callable[[bytes], bytes | None]) -> bool:
        """As `Shelf.change`."""
        for number in range(_ROUNDS):
            found = self._get(name)
            if found is None or found.data == CLOSED:
                return False
            after = alter(found.data)
            marked = time.monotonic()
            if after == found.data or self._put(name, CLOSED if after is None else after, IfMatch=found.tag):
                if after is None and time.monotonic() - marked < _CLOSING / 2:
                    self.remove(name)
                return True
            time.sleep(random.uniform(0, 0.01 * min(number + 1, 50)))  # noqa: S311 - it spreads, it hides nothing
        raise self._overtaken(name)

    def _overtaken(self, name: str) -> UnderstudyError:
        return UnderstudyError(
            f"Changed {self.place(name)}, and others changed it {_ROUNDS} times meanwhile.", hint="Run this again."
        )

    def put(self, name: str, data: bytes) -> None:
        """As `Shelf.put`."""
        self._put(name, data)

    def remove(self, name: str) -> None:
        """As `Shelf.remove`."""
        self._objects.remove(name)

    def _put(self, name: str, data: bytes, *, doubt: bool = True, **condition: str) -> bool:
        """Write an object; False: the condition does not hold.

        A try that failed may have got through all the same, and then it is the next one that is refused: whose the
        content is says which (`doubt`: compare it). No two processes write the same lease, which names its owner.
        """
        what = f"Wrote {self.place(name)}"
        failed = False

        def write() -> bool:
            nonlocal failed
            try:
                self._objects.client.put_object(
                    **self._objects.at(name),
                    Body=data,
                    ContentType="application/json",
                    **self._objects.place.encryption,  # type: ignore[arg-type]  # a text of Pulumi's URL, which S3 judges
                    **condition,  # type: ignore[arg-type]  # IfMatch or IfNoneMatch
                )
            except Exception as error:
                failure = failure_of(error)
                if condition and (failure.status in _REFUSED or failure.code in GONE):
                    found = self._get(name) if failed and doubt else None
                    return found is not None and found.data == data
                failed = True
                raise
            return True

        return self._objects.tried(what, write)
