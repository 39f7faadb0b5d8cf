"""The objects below one prefix of a bucket: read, listed and removed, each request tried again while that may help."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from understudy.aws_failures import Failure, failure_of
from understudy.errors import UnderstudyError
from understudy.s3_client import make_client
from understudy.s3_place import S3Place

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["GONE", "S3Object", "S3Objects", "S3RequestError", "pooled"]

S = TypeVar("S")
T = TypeVar("T")

THREADS = 16
"""Requests at once."""

GONE = frozenset({"NoSuchKey", "404"})
"""Codes of an object that is not there."""

_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries of a request that failed in a way that may pass."""


class S3RequestError(UnderstudyError):
    """A request failed for good; `failure` says how."""

    def __init__(self, what: str, failure: Failure) -> None:
        super().__init__(failure.said(what), hint=failure.hint)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object: its content, its ETag, and how many seconds old it is by the server's own clock."""

    data: bytes
    tag: str
    age: float


class S3Objects:
    """The objects of a place, by what follows its prefix. Safe to be used by many threads at once.

    Args:
        place: where they lie.
        purpose: what boto3 is wanted for, in words, for messages.

    Raises:
        UsageError: there is no boto3, no login, or the settings are not usable.
    """

    def __init__(self, place: S3Place, purpose: str) -> None:
        self.place = place
        self.client: S3Client = make_client(purpose, THREADS, place.access)

    def address(self, name: str) -> str:
        """An object's address, for messages."""
        return f"s3://{self.place.bucket}/{self.place.prefix}{name}"

    def at(self, name: str) -> dict[str, Any]:
        """The arguments by which boto3 finds an object."""
        return {"Bucket": self.place.bucket, "Key": self.place.prefix + name}

    def get(self, name: str) -> S3Object | None:
        """An object; None: it is not there.

        Raises:
            S3RequestError: it cannot be read.
        """

        def ask() -> S3Object:
            answer = self.client.get_object(**self.at(name))
            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            age = (now - answer["LastModified"]).total_seconds()
            return S3Object(answer["Body"].read(), answer["ETag"], age)

        try:
            return self.tried(f"Read {self.address(name)}", ask)
        except S3RequestError as error:
            if error.failure.code in GONE:
                return None
            raise

    def listed(self, folder: str, *, deep: bool = False) -> dict[str, datetime]:
        """The names that end with `.json` in a folder (`""`: the place's own) -> when each was written last.

        Args:
            folder: with no slash at its end.
            deep: those in folders of it too.

        Raises:
            S3RequestError: they cannot be listed.
        """
        prefix = self.place.prefix
        below = f"{prefix}{folder}/" if folder else prefix

        def ask() -> dict[str, datetime]:
            only: dict[str, Any] = {} if deep else {"Delimiter": "/"}
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.place.bucket, Prefix=below, **only
            )
            objects = (each for page in pages for each in page.get("Contents", ()))
            return {
                each["Key"][len(prefix) :]: each["LastModified"] for each in objects if each["Key"].endswith(".json")
            }

        return self.tried(f"Listed s3://{self.place.bucket}/{below}", ask)

    def remove(self, name: str) -> None:
        """Remove an object, whether it is there or not.

        Raises:
            S3RequestError: it cannot be removed.
        """
        self.tried(f"Removed {self.address(name)}", lambda: self.client.delete_object(**self.at(name)))

    def tried(self, what: str, ask: Callable[[], T]) -> T:
        """What a request comes to, made again while another try may help.

        Args:
            what: was done, as a message begins.
            ask: makes the request.

        Raises:
            S3RequestError: it failed for good.
        """
        for pause in (*_PAUSES, None):
            try:
                return ask()
            except UnderstudyError:
                raise
            except Exception as error:
                failure = failure_of(error)
                if pause is None or not failure.again:
                    raise S3RequestError(what, failure) from error
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")


def pooled(ask: Callable[[S], T], names: list[S]) -> list[T]:
    """What each name's request comes to, some of them made at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, names))
