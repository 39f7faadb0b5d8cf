"""The second look at a platform, and the deletion of its data: by its tag alone, on moto in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from aws.world import HERE, REGION, Account, moto, pairs, session

from understudy.errors import LeftoversError
from understudy.platform_state import is_own
from understudy.stacks.aws.platform import platform_tags
from understudy.targets.aws.platform import delete_data, standing

OWNER = "eu-west-1@baaaaaaaaaa"
TAGS = pairs(platform_tags(OWNER))
TRUST = '{"Version": "2012-10-17", "Statement": []}'


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


def bucket(name: str, tags: list[dict[str, str]], region: Any = REGION) -> None:
    s3 = boto3.client("s3", region_name=region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_object(Bucket=name, Key="run.json", Body=b"{}")
    if tags:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})


def test_what_is_gone_is_not_counted_though_its_tags_are_listed_still() -> None:
    account = Account()
    ec2, ecs, elb, iam = (session().client(each) for each in ("ec2", "ecs", "elbv2", "iam"))
    ec2.create_tags(Resources=[account.vpc, account.subnets[0]], Tags=TAGS)
    balancer = elb.create_load_balancer(Name="understudy-gateways", Subnets=account.subnets, Tags=TAGS)
    ecs.create_cluster(clusterName="understudy-previews", tags=pairs(platform_tags(), "key", "value"))
    iam.create_role(RoleName="understudy-execution", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
    iam.create_role(RoleName="payments", AssumeRolePolicyDocument=TRUST)
    bucket("understudy-state", TAGS)
    roles = ("understudy-execution", "payments", "never-was")
    assert {item.kind for item in standing(session(), HERE, roles)} == {
        *("ec2 vpc", "ec2 subnet", "elasticloadbalancing loadbalancer", "ecs cluster", "role", "bucket")
    }
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"])
    ecs.delete_cluster(cluster="understudy-previews")
    ec2.delete_subnet(SubnetId=account.subnets[0])
    iam.delete_role(RoleName="understudy-execution")
    assert {item.kind for item in standing(session(), HERE, roles)} == {"ec2 vpc", "bucket"}


def test_a_bucket_of_another_region_is_no_object_of_a_platform_here() -> None:
    bucket("understudy-state", TAGS)
    bucket("understudy-elsewhere", TAGS, "eu-central-1")
    assert [item.name for item in standing(session(), HERE)] == ["understudy-state"]


def test_data_goes_by_the_platform_s_tag_alone_and_what_is_gone_is_no_error() -> None:
    bucket("understudy-state", TAGS)
    bucket("understudy-other", [])
    bucket("understudy-second", pairs(platform_tags("second@baaaaaaaaaa")))
    told: list[str] = []

    def delete(name: str) -> None:
        own = partial(is_own, owner=OWNER, names={"understudy-other"})
        delete_data(session(), [("bucket", name)], threading.Event(), told.append, own=own)

    for name in ("understudy-other", "understudy-second"):
        with pytest.raises(LeftoversError, match="does not carry this platform's tag"):
            delete(name)
    for name in ("understudy-state", "understudy-state", "never-was"):
        delete(name)
    assert told == ["bucket understudy-state, with all that is in it"]
    assert [each["Name"] for each in session().client("s3").list_buckets()["Buckets"]] == [
        *("understudy-other", "understudy-second")
    ]
