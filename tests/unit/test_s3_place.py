"""Where an s3:// backend lies, as its URL says."""

from __future__ import annotations

import pytest

from understudy.errors import UsageError
from understudy.s3_client import S3Access
from understudy.s3_place import S3Place


@pytest.mark.parametrize(
    ("url", "bucket", "prefix", "access"),
    [
        ("s3://b", "b", "", S3Access()),
        ("s3://b/a/c/", "b", "a/c/", S3Access()),
        ("s3://b?region=eu-west-1&profile=p", "b", "", S3Access("eu-west-1", "", "p")),
        (
            "s3://b?endpoint=minio:9000&disableSSL=true&s3ForcePathStyle=true",
            "b",
            "",
            S3Access("", "http://minio:9000", "", path_style=True),
        ),
        ("s3://b?endpoint=minio:9000", "b", "", S3Access("", "https://minio:9000")),
        (
            "s3://b?awssdk=v2&endpoint=https://s3.example&use_path_style=1",
            "b",
            "",
            S3Access("", "https://s3.example", "", path_style=True),
        ),
    ],
)
def test_a_backends_url_is_read_as_pulumi_reads_it(url: str, bucket: str, prefix: str, access: S3Access) -> None:
    place = S3Place.parse(url)
    assert (place.bucket, place.prefix, place.access) == (bucket, prefix, access)


def test_a_folder_lies_below_the_backends_own() -> None:
    assert S3Place.parse("s3://b").below(".understudy/leases").prefix == ".understudy/leases/"
    assert S3Place.parse("s3://b/a").below("c").below("d").prefix == "a/c/d/"


def test_new_objects_are_encrypted_as_the_url_says() -> None:
    place = S3Place.parse("s3://b?ssetype=aws:kms&kmskeyid=alias/x")
    assert place.encryption == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/x"}


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://key:secret@bucket", "s3://bucket:80/x"])
def test_what_is_no_bucket_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="names no bucket") as caught:
        S3Place.parse(url)
    assert "secret" not in str(caught.value)
