"""A platform is read from the outputs of a stack or from the configuration, and what is wrong in it is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aws import plans

from understudy.errors import UsageError
from understudy.platform_removal import Holding, holding_of
from understudy.stacks.aws.platform import Platform, SharedCache, SharedDatabase, platform_of, target_of

PLATFORM = replace(plans.PLATFORM, shared_database=None, shared_cache=None, permissions_boundary="")


@pytest.mark.parametrize(
    "platform",
    [
        PLATFORM,
        replace(
            PLATFORM,
            private=True,
            shared_database=SharedDatabase("db", "db.example", 5432, "arn:secret"),
            shared_cache=SharedCache("cache.example", 6379, "group"),
        ),
    ],
)
def test_the_outputs_of_a_platform_make_it_again(platform: Platform) -> None:
    assert platform_of(platform.outputs(), "stack") == platform
    assert platform.target == "aws:123456789012:eu-west-1"
    assert platform.host("eabc") == "eabc.preview.internal"


def test_the_engines_numbers_are_floats() -> None:
    given = {**PLATFORM.outputs(), "shared_cache": {"endpoint": "c", "port": 6379.0}}
    found = platform_of(given, "stack").shared_cache
    assert found == SharedCache("c", 6379)
    assert found is not None
    assert isinstance(found.port, int)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vpc_id": ""}, "lacks vpc_id"),
        ({"vpc": "x"}, "has vpc, which no platform has"),
        ({"vpc_id": 3}, "vpc_id = 3, which is no str"),
        ({"private": "yes"}, "private = 'yes', which is no bool"),
        ({"subnet_ids": "subnet-1"}, "subnet_ids = 'subnet-1'"),
        ({"account": "12"}, "'12' is no AWS account"),
        ({"region": "Europe"}, "'Europe' is no AWS region"),
        ({"shared_cache": "here"}, "a shared_cache that is no table"),
        ({"shared_cache": {"endpoint": "c"}}, "lacks port"),
        ({"shared_database": {"hosts": "c"}}, "hosts, which no platform has"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        platform_of({**PLATFORM.outputs(), **change}, "understudy.toml")


@pytest.mark.parametrize(
    ("region", "partition", "domain"),
    [
        ("eu-west-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
    ],
)
def test_each_partition_has_its_own_arns_and_domain(region: str, partition: str, domain: str) -> None:
    platform = replace(PLATFORM, region=region)
    assert (platform.partition, platform.domain) == (partition, domain)
    assert target_of("123456789012", region).endswith(region)


def row(kind: str, name: str, **more: Any) -> dict[str, Any]:
    parent = None if kind == "pulumi:pulumi:Stack" else "stack"
    return {"urn": name, "type": kind, "custom": kind.startswith("aws:"), "parent": parent, "id": f"{name}-id", **more}


def test_what_is_protected_stays_with_what_it_stands_on() -> None:
    rows = [
        row("pulumi:pulumi:Stack", "stack"),
        row("pulumi:providers:aws", "provider", custom=True),
        row("aws:ec2/vpc:Vpc", "vpc"),
        row("aws:ec2/subnet:Subnet", "subnet", dependencies=["vpc"], provider="provider::1"),
        row("aws:rds/instance:Instance", "db", protect=True, dependencies=["subnet"], outputs={"identifier": "shared"}),
        row("aws:lb/loadBalancer:LoadBalancer", "balancer", dependencies=["vpc"]),
        row("aws:iam/role:Role", "role"),
    ]
    held = holding_of({"deployment": {"resources": rows}})
    assert [part.id for part in held.stays] == ["vpc-id", "subnet-id", "db-id"]
    assert [str(part) for part in held.goes] == ["lb loadBalancer balancer-id", "iam role role-id"]
    assert held.data == (("rds-instance", "shared"),)
    assert held.roles == {"role-id"}
    assert holding_of({"version": 3, "deployment": {"manifest": {}}}) == Holding()
