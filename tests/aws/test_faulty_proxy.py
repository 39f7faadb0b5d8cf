"""The faulty proxy itself: each fault is what boto3 takes it for, meets what it is meant for, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from .conftest import REGION, Moto
from .faulty_proxy import FaultyProxy, serve_faulty

pytestmark = pytest.mark.xdist_group("aws")

LISTINGS = {
    "ec2": "describe_vpcs",
    "elbv2": "describe_load_balancers",
    "ecs": "list_clusters",
    "rds": "describe_db_instances",
    "sqs": "list_queues",
    "s3": "list_buckets",
    "iam": "list_roles",
    "logs": "describe_log_groups",
    "secretsmanager": "list_secrets",
    "resourcegroupstaggingapi": "get_resources",
}
"""A call of each of AWS's protocols: ec2's own, query, JSON 1.0 and 1.1, REST."""


@pytest.fixture
def proxy(moto: Moto) -> Iterator[FaultyProxy]:
    with serve_faulty(moto.url) as served:
        yield served


def client(proxy: FaultyProxy, service: str, attempts: int = 1, timeout: float = 60) -> Any:
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=timeout)
    return boto3.client(service, region_name=REGION, endpoint_url=proxy.url, config=config)


def code(call: Any, **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


@pytest.mark.parametrize("service", LISTINGS)
def test_a_fault_is_told_in_the_protocol_of_the_service_and_then_all_is_well(proxy: FaultyProxy, service: str) -> None:
    call = getattr(client(proxy, service), LISTINGS[service])
    proxy.add(service, "*", status=400, code="AccessDenied")
    proxy.add("no-such-service", "*")
    assert code(call) == (400, "AccessDenied")
    call()
    assert {each.service for each in proxy.asked} == {service}


def test_a_fault_meets_its_action_only_and_as_often_as_it_says(proxy: FaultyProxy) -> None:
    ec2 = client(proxy, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    proxy.in_use("ec2", "DeleteVpc", times=2)
    ec2.describe_vpcs()
    for _ in range(2):
        assert code(ec2.delete_vpc, VpcId=vpc) == (400, "DependencyViolation")
    ec2.delete_vpc(VpcId=vpc)
    assert proxy.actions("ec2") == ["CreateVpc", "DescribeVpcs", *["DeleteVpc"] * 3]
    assert proxy.asked[-1].parameters["VpcId"] == vpc


def test_a_fault_may_come_after_some_that_pass(proxy: FaultyProxy) -> None:
    sqs = client(proxy, "sqs")
    proxy.add("sqs", "ListQueues", status=500, code="InternalFailure", after=1)
    sqs.list_queues()
    assert code(sqs.list_queues) == (500, "InternalFailure")


def test_a_throttled_client_that_tries_again_gets_through(proxy: FaultyProxy) -> None:
    proxy.throttle("ecs", "ListClusters", times=2)
    client(proxy, "ecs", attempts=3).list_clusters()
    assert proxy.actions("ecs") == ["ListClusters"] * 3
    assert len(proxy.made) == 2


def test_a_quota_is_said_as_aws_says_it(proxy: FaultyProxy) -> None:
    proxy.add("elbv2", "CreateTargetGroup", code="TooManyTargetGroups", message="the limit is 100")
    assert code(client(proxy, "elbv2").create_target_group, Name="x") == (400, "TooManyTargetGroups")


def test_what_hangs_hangs_until_the_client_gives_up(proxy: FaultyProxy) -> None:
    proxy.hang("rds", "DescribeDBInstances")
    with pytest.raises(ReadTimeoutError):
        client(proxy, "rds", timeout=0.2).describe_db_instances()
    client(proxy, "rds").describe_db_instances()


def test_a_bucket_and_what_is_in_it_are_told_apart(proxy: FaultyProxy) -> None:
    s3 = client(proxy, "s3")
    s3.create_bucket(Bucket="some", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="some", Key="a/b", Body=b"1")
    assert s3.head_object(Bucket="some", Key="a/b")["ContentLength"] == 1
    s3.get_bucket_versioning(Bucket="some")
    s3.delete_object(Bucket="some", Key="a/b")
    s3.delete_bucket(Bucket="some")
    wanted = ["PutBucket", "PutObject", "HeadObject", "GetBucket?versioning", "DeleteObject", "DeleteBucket"]
    assert proxy.actions("s3") == wanted
