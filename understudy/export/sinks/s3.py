"""S3 as a sink: below a prefix of its own, the run's id, each file of the folder is an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.errors import UsageError
from understudy.export.sinks.budget import Budget
from understudy.export.sinks.interface import Delivery, SinkError
from understudy.export.sinks.s3_address import S3Address
from understudy.export.sinks.s3_errors import THREADS, sink_error
from understudy.export.sinks.s3_sending import Sending
from understudy.s3_client import make_client

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["PART", "S3Sink"]

PART = 8 << 20
"""Bytes above which a file is sent in parts of that size; S3 takes no smaller parts than 5 MiB, and 10,000 at most."""


class S3Sink:
    """A bucket. Below its prefix each run has a prefix of its own, its id, and never writes below another's."""

    def __init__(self, address: S3Address, *, part: int = PART) -> None:
        self.address = address
        self.part = part
        self._client: S3Client | None = None
        self._taken: dict[str, bytes] = {}

    @property
    def name(self) -> str:
        """`s3://bucket/prefix`."""
        return str(self.address)

    def _connected(self) -> S3Client:
        if self._client is None:
            self._client = make_client("sends evidence to S3", 2 * THREADS)
        return self._client

    def check(self) -> str:
        """Ask for the bucket: one that is not there or not ours is refused, one that does not answer may yet do so."""
        what = f"Asked S3 for bucket {self.address.bucket!r}"
        client = self._connected()
        try:
            client.head_bucket(Bucket=self.address.bucket)
        except Exception as error:
            failed = sink_error(what, error)
            if failed.again:
                return f"{failed}; it is tried again when there is something to send."
            why = {"404": "it is not there", "403": "access is denied"}.get(failed.code, str(failed))
            raise UsageError(
                f"{what}, and it cannot be used: {why}.",
                hint="The credentials need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and "
                "s3:AbortMultipartUpload on what is below the prefix.",
            ) from error
        return ""

    def send(self, delivery: Delivery, budget: Budget) -> None:
        """Send every file; a manifest says that all of a final delivery is there.

        Raises:
            SinkError: a file did not get there whole.
        """
        client = self._connected()
        sending = Sending(client, self.address, delivery, budget, part=self.part, taken=self._taken)
        try:
            sending.all()
        except (OSError, ValueError) as error:
            raise SinkError(f"Read {delivery.folder}: {error}") from error
