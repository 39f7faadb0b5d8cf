"""A bucket as a shelf: every write says what it expects to find (If-None-Match, If-Match), so that none is lost.

Amazon S3 User Guide, "How to prevent object overwrites with conditional writes". A removal is a write too, of a mark
that the document is closed, before the object goes: servers that know conditions for PUT need not know them for DELETE.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from understudy.errors import UnderstudyError, UsageError
from understudy.lease.s3_place import S3Place
from understudy.lease.shelf import UnreadableError
from understudy.s3_client import S3Failure, explain, is_amazon, make_client

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["S3Shelf"]

T = TypeVar("T")

THREADS = 16
"""Requests at once while listing."""

CLOSED = b'{"closed": true}\n'
"""What stands for a document whose object is about to go."""

_CLOSING = 60.0
"""Seconds after which a mark is one of a process that was killed, and a new document may stand in its place; half of
them are the most that lie between a mark and the removal of its object."""

_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries of a request that failed in a way that may pass."""

_ROUNDS = 60
"""How often a change is begun anew because another process was faster: each time one of them has got on."""

_GONE = frozenset({"NoSuchKey", "404"})
_REFUSED = frozenset({409, 412})
"""HTTP's status of a condition that does not hold (412), or cannot be decided because of another write (409)."""


class S3Shelf:
    """The objects `NAME` below one prefix of a bucket."""

    renew_every = 30.0
    look_every = 10.0

    def __init__(self, place: S3Place) -> None:
        self._place = place
        self._client: S3Client = make_client("keeps leases in S3", THREADS, place.access)
        self._trusted = is_amazon(self._client)

    def place(self, name: str) -> str:
        """The object's address."""
        return f"s3://{self._place.bucket}/{self._place.prefix}{name}"

    def _at(self, name: str) -> dict[str, Any]:
        return {"Bucket": self._place.bucket, "Key": self._place.prefix + name}

    def read(self, name: str) -> bytes | None:
        """As `Shelf.read`."""
        found = self._get(name)
        return None if found is None or found[0] == CLOSED else found[0]

    def age(self, name: str) -> float | None:
        """As `Shelf.age`."""
        found = self._get(name)
        return None if found is None else found[2]

    def _get(self, name: str) -> tuple[bytes, str, float] | None:
        """The content and the ETag of an object, and how many seconds old it is by the server's own clock."""

        def get() -> tuple[bytes, str, float]:
            answer = self._client.get_object(**self._at(name))
            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            return answer["Body"].read(), answer["ETag"], (now - answer["LastModified"]).total_seconds()

        try:
            return self._tried(f"Read {self.place(name)}", get)
        except _FailedError as error:
            if error.failure.code in _GONE:
                return None
            if error.failure.status and not error.failure.again:
                raise UnreadableError(str(error)) from error
            raise

    def each(self) -> Iterator[tuple[str, bytes | UnreadableError]]:
        """As `Shelf.each`."""

        def read(name: str) -> tuple[str, bytes | UnreadableError | None]:
            try:
                return name, self.read(name)
            except UnreadableError as error:
                return name, error

        with ThreadPoolExecutor(THREADS) as pool:
            for name, data in pool.map(read, sorted(self.changed(""))):
                if data is not None:
                    yield name, data

    def changed(self, folder: str) -> Mapping[str, float]:
        """As `Shelf.changed`."""
        below = f"{self._place.prefix}{folder}/" if folder else self._place.prefix

        def listed() -> dict[str, float]:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._place.bucket, Prefix=below, Delimiter="/"
            )
            objects = (each for page in pages for each in page.get("Contents", ()))
            names = {each["Key"][len(self._place.prefix) :]: each["LastModified"].timestamp() for each in objects}
            return {name: moment for name, moment in names.items() if name.endswith(".json")}

        return self._tried(f"Listed s3://{self._place.bucket}/{below}", listed)

    def create(self, name: str, data: bytes) -> bool:
        """As `Shelf.create`."""
        for _ in range(_ROUNDS):
            if self._put(name, data, IfNoneMatch="*"):
                self._hold_conditions(name, data)
                return True
            found = self._get(name)
            if found is not None:
                content, tag, age = found
                return content == CLOSED and age > _CLOSING and self._put(name, data, IfMatch=tag)
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
                f"{self._client.meta.endpoint_url} took no notice of that: two commands could hold one environment.",
                hint="Name a folder that every machine with this backend shares: --lease-dir or UNDERSTUDY_LEASE_DIR.",
            )
        self._trusted = True

    def change(self, name: str, alter: Callable[[bytes], bytes | None]) -> bool:
        """As `Shelf.change`."""
        for number in range(_ROUNDS):
            found = self._get(name)
            if found is None or found[0] == CLOSED:
                return False
            before, tag, _ = found
            after = alter(before)
            marked = time.monotonic()
            if after == before or self._put(name, CLOSED if after is None else after, IfMatch=tag):
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
        self._tried(f"Removed {self.place(name)}", lambda: self._client.delete_object(**self._at(name)))

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
                self._client.put_object(
                    **self._at(name),
                    Body=data,
                    ContentType="application/json",
                    **self._place.encryption,  # type: ignore[arg-type]  # a text of Pulumi's URL, which S3 judges
                    **condition,  # type: ignore[arg-type]  # IfMatch or IfNoneMatch
                )
            except Exception as error:
                failure = explain(error)
                if condition and (failure.status in _REFUSED or failure.code in _GONE):
                    found = self._get(name) if failed and doubt else None
                    return found is not None and found[0] == data
                failed = True
                raise
            return True

        return self._tried(what, write)

    def _tried(self, what: str, ask: Callable[[], T]) -> T:
        for pause in (*_PAUSES, None):
            try:
                return ask()
            except UnderstudyError:
                raise
            except Exception as error:
                failure = explain(error)
                if pause is None or not failure.again:
                    raise _FailedError(what, failure) from error
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")


class _FailedError(UnderstudyError):
    def __init__(self, what: str, failure: S3Failure) -> None:
        super().__init__(f"{what}, and it failed: {failure.text}.")
        self.failure = failure
