"""Buckets with all that is in them, and queues; what a bucket tells and whom a queue lets in goes with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from understudy.targets.aws.kinds import Kind, batches, each, labels_of, may_be_ours
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

__all__ = ["STORAGE"]

_PAGE = 1000
"""Queues and buckets on a page."""

_OBJECTS = 1000
"""The most that one DeleteObjects takes (S3 API Reference)."""


def _bucket_candidates(aws: AwsSession, environment: str | None) -> Iterator[str]:
    s3: S3Client = aws.client("s3")
    for page in s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": _PAGE}):
        yield from (row["Name"] for row in page.get("Buckets", ()) if may_be_ours(row["Name"], environment))


def _buckets(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    from botocore.exceptions import ClientError

    s3: S3Client = aws.client("s3")

    def tags(name: str) -> tuple[str, dict[str, str]]:
        try:
            return name, labels_of(s3.get_bucket_tagging(Bucket=name)["TagSet"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "NoSuchTagSet":
                raise
            return name, {}

    return (Owned("bucket", name, name, labels) for name, labels in each(tags, ids))


def _remove_bucket(aws: AwsSession, item: Owned) -> None:
    """Every version, marker and unfinished upload goes first: S3 keeps a bucket that has one of them."""
    s3: S3Client = aws.client("s3")
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=item.id):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=item.id, Key=upload["Key"], UploadId=upload["UploadId"])
    for versions in s3.get_paginator("list_object_versions").paginate(Bucket=item.id):
        found: list[Any] = [*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())]
        for some in batches(found, _OBJECTS):
            _delete(s3, item.id, some)
    s3.delete_bucket(Bucket=item.id)


def _delete(s3: S3Client, bucket: str, rows: Sequence[Any]) -> None:
    from botocore.exceptions import ClientError

    objects: Any = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    for error in answer.get("Errors", ()):
        said = {"Error": {"Code": error.get("Code", ""), "Message": f"{error.get('Key')}: {error.get('Message')}"}}
        raise ClientError(said, "DeleteObjects")  # type: ignore[arg-type]  # the stub wants all that an answer may hold


def _queue_candidates(aws: AwsSession, environment: str | None) -> Iterator[str]:
    sqs: SQSClient = aws.client("sqs")
    sized: Any = {"PageSize": _PAGE}  # without a size SQS gives 1,000 and no token for the rest (ListQueues)
    for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix=environment or "e", PaginationConfig=sized):
        urls = page.get("QueueUrls", ())
        yield from (name for url in urls if may_be_ours(name := url.rpartition("/")[2], environment))


def _queues(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    sqs: SQSClient = aws.client("sqs")

    def tags(name: str) -> tuple[str, dict[str, str]]:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return name, dict(sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))

    return (Owned("queue", name, name, labels) for name, labels in each(tags, ids))


def _remove_queue(aws: AwsSession, item: Owned) -> None:
    sqs: SQSClient = aws.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=item.id)["QueueUrl"])


STORAGE = (
    Kind("bucket", "s3", r"([^/]+)", _bucket_candidates, _buckets, _remove_bucket, everywhere=True),
    Kind("queue", "sqs", r"([^/:]+)", _queue_candidates, _queues, _remove_queue),
)
