"""The same target over HTTP: the endpoint of the AWS variables, real answers with their dates, and no answer at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from aws.world import ACCOUNT, HERE, OTHER, OURS, REGION, WHOSE, Time, tags_of
from s3_server import serve_moto

from understudy.errors import ToolError
from understudy.targets.aws.session import AwsAccess, AwsSession
from understudy.targets.aws.target import AwsTarget
from understudy.targets.interface import Outcome


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsTarget]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with serve_moto() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield AwsTarget(AwsSession(AwsAccess(REGION, (ACCOUNT,)), attempts=2), pace=Time().pace())


def test_an_environment_goes_over_http_and_the_server_s_clock_is_read(there: AwsTarget) -> None:
    aws = there.session
    aws.client("sqs").create_queue(QueueName=f"{OURS}-jobs", tags=tags_of())
    aws.client("sqs").create_queue(QueueName=f"{OTHER}-jobs", tags=tags_of(OTHER))
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=f"{OURS}-media", CreateBucketConfiguration={"LocationConstraint": REGION})
    tags = [{"Key": key, "Value": value} for key, value in tags_of().items()]
    s3.put_bucket_tagging(Bucket=f"{OURS}-media", Tagging={"TagSet": tags})
    s3.put_object(Bucket=f"{OURS}-media", Key="a/b", Body=b"c")

    assert there.identity() == HERE
    assert abs(there.clock() - datetime.now(UTC)) < timedelta(minutes=5)
    assert [item.id for item in there.inventory(WHOSE)] == [f"{OURS}-media", f"{OURS}-jobs"]
    assert there.sweep(WHOSE).failed == ()
    assert there.receipt(WHOSE, HERE).outcome is Outcome.CLEAN
    assert [item.id for item in there.inventory()] == [f"{OTHER}-jobs"]


def test_a_server_that_is_gone_leaves_everything_unknown(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port}")
    gone = AwsTarget(AwsSession(AwsAccess(REGION), attempts=1))
    receipt = gone.receipt(WHOSE, HERE)
    assert receipt.outcome is Outcome.UNKNOWN
    assert "does not answer" in receipt.reason
    with pytest.raises(ToolError):
        gone.sweep(WHOSE)


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
