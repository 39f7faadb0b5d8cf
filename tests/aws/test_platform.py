"""A platform is read from the outputs of a stack or from the configuration, and what is wrong in it is named."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aws import plans

from understudy.engine.interface import StackRef, StackSummary
from understudy.errors import UsageError
from understudy.on_aws import PROJECT
from understudy.platform_holds import others_names
from understudy.platform_state import Holding, holding_of, owner_in, places_in, rules_in, sort_out
from understudy.platform_wanted import Wanted, checked
from understudy.stacks.aws.platform import (
    TAG,
    Platform,
    SharedCache,
    SharedDatabase,
    owner_named,
    platform_of,
    target_of,
)
from understudy.targets.interface import Owned

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


def of_provider(account: str, region: str = "eu-west-1", **tags: str) -> dict[str, Any]:
    """A provider as the engine keeps it: what is no text is JSON in one."""
    inputs = {"allowedAccountIds": json.dumps([account]), "region": region, "defaultTags": json.dumps({"tags": tags})}
    return row("pulumi:providers:aws", "provider", custom=True, inputs=inputs)


A, B = "111111111111", "222222222222"
OUTPUTS = row("pulumi:pulumi:Stack", "stack", outputs={"account": A, "region": "eu-west-1"})
ROLE = row("aws:iam/role:Role", "role", outputs={"arn": f"arn:aws:iam::{A}:role/understudy-execution"})
CLUSTER = row("aws:ecs/cluster:Cluster", "cluster", id=f"arn:aws:ecs:us-east-1:{A}:cluster/understudy-previews")
BUCKET = row("aws:s3/bucket:Bucket", "bucket", outputs={"arn": "arn:aws:s3:::understudy-state"})


@pytest.mark.parametrize(
    ("rows", "accounts", "regions"),
    [
        ([], set(), set()),
        ([of_provider(B)], {B}, {"eu-west-1"}),
        ([of_provider(B), BUCKET], {B}, {"eu-west-1"}),
        ([of_provider(B), OUTPUTS, BUCKET], {A}, {"eu-west-1"}),
        ([of_provider(B), ROLE], {A}, {"eu-west-1"}),
        ([of_provider(B), OUTPUTS, ROLE, CLUSTER], {A}, {"us-east-1"}),
    ],
)
def test_where_a_stack_is_its_objects_say_before_what_a_failed_update_writes(
    rows: list[dict[str, Any]], accounts: set[str], regions: set[str]
) -> None:
    assert places_in({"deployment": {"resources": rows}}) == (accounts, regions)


def test_what_has_the_tag_is_another_s_unless_it_says_this_stack_or_is_in_its_state() -> None:
    ours, theirs = owner_named("eu-west-1", "baaaaaaaaaa"), owner_named("second", "baaaaaaaaaa")
    state = {"deployment": {"resources": [of_provider(A, **{TAG: ours})]}}
    assert owner_in(state) == ours
    assert not owner_in({"deployment": {"resources": [of_provider(A, **{TAG: "understudy"})]}})

    def item(name: str, said: str | None) -> Owned:
        return Owned(
            "ec2 vpc", f"arn:aws:ec2:eu-west-1:{A}:vpc/{name}", f"vpc/{name}", {} if said is None else {TAG: said}
        )

    found = [item("a", ours), item("b", theirs), item("c", "understudy"), item("d", "understudy"), item("e", None)]
    told = sort_out(found, ours, {"c", "b", "e"})
    assert [each.name for each in told.own] == ["vpc/a", "vpc/c"]
    assert [each.name for each in told.others] == ["vpc/b", "vpc/e"]
    assert [each.name for each in told.unknown] == ["vpc/d"]


def test_other_platforms_of_the_backend_count_where_they_are_in_this_account_and_region() -> None:
    here, there = StackRef(PROJECT, "here"), StackRef(PROJECT, "there")
    states = {
        here: [row("aws:ecr/repository:Repository", "ours"), CLUSTER, ROLE],
        there: [row("aws:ecr/repository:Repository", "theirs"), of_provider(B)],
        StackRef(PROJECT, "beside"): [row("aws:ecr/repository:Repository", "beside"), ROLE],
    }

    class Backend:
        def list(self) -> list[StackSummary]:
            return [StackSummary(ref, None, None) for ref in (*states, StackRef("shop", "main"))]

        def export_state(self, ref: StackRef) -> dict[str, Any]:
            return {"deployment": {"resources": states[ref]}}

    target = SimpleNamespace(identity=lambda: target_of(A, "us-east-1"))
    session: Any = SimpleNamespace(engine=Backend(), target=target)
    assert "beside-id" in others_names(session, here)
    assert {"ours-id", "beside-id"} <= set(others_names(session, there))
    assert not {"theirs-id"} & set(others_names(session, here))


def test_rules_are_known_by_whom_they_let_in_whatever_their_names() -> None:
    kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    rows = [
        row(kind, "urn::access-in-2", inputs={"cidrIpv4": "10.0.0.0/8", "fromPort": 80.0}),
        row(kind, "urn::access-in-1", inputs={"cidrIpv4": "10.1.0.0/16", "fromPort": 80.0}, delete=True),
        row(kind, "urn::database-in", inputs={"cidrIpv4": "10.64.0.0/16", "fromPort": 5432}),
    ]
    known = {("10.0.0.0/8", 80): "access-in-2", ("10.64.0.0/16", 5432): "database-in"}
    assert rules_in({"deployment": {"resources": rows}}) == known


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(
            host_suffix="pr-7.preview.example.com",
            certificate=f"arn:aws:acm:eu-west-1:{A}:certificate/12345678-1234-1234-1234-123456789012",
            permissions_boundary=f"arn:aws:iam::{A}:policy/teams/previews",
            callers=("10.0.0.0/8", "203.0.113.7/32"),
        ),
        Wanted(permissions_boundary="arn:aws:iam::aws:policy/PowerUserAccess", host_suffix="a" * 63),
    ],
)
def test_what_aws_takes_is_taken(wanted: Wanted) -> None:
    assert checked(wanted, A, "eu-west-1") == wanted


def test_a_caller_that_is_named_twice_is_one() -> None:
    twice = Wanted(callers=("10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8"))
    assert checked(twice, A, "eu-west-1").callers == ("10.0.0.0/8", "10.1.0.0/16")


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("host_suffix", "bad suffix/..", "preview.example.com"),
        ("host_suffix", "", "preview.example.com"),
        ("host_suffix", "Preview.example.com", "small letters"),
        ("host_suffix", "-a.example", "63 characters"),
        ("host_suffix", f"{'a' * 63}.{'b' * 63}", "116 in all"),
        ("permissions_boundary", "xx", f"arn:aws:iam::{A}:policy/NAME"),
        ("permissions_boundary", f"arn:aws:iam::{B}:policy/previews", f"of account {A}"),
        ("permissions_boundary", f"arn:aws:iam::{A}:role/previews", "a policy"),
        ("certificate", "nope", f"arn:aws:acm:eu-west-1:{A}:certificate/ID"),
        ("certificate", f"arn:aws:acm:us-east-1:{A}:certificate/1", "in this account and region"),
        ("certificate", f"arn:aws:acm:eu-west-1:{A}:certificate/1\n", "in this account and region"),
        ("callers", "x", "203.0.113.0/24"),
        ("callers", "10.0.0.1", "10.0.0.1/32"),
        ("callers", "10.1.2.3/8", "Give it as CIDR: 10.0.0.0/8"),
        ("callers", "::/0", "IPv4"),
    ],
)
def test_what_aws_would_refuse_is_refused_with_what_is_allowed(option: str, value: str, allowed: str) -> None:
    given: Any = {option: (value,) if option == "callers" else value}
    with pytest.raises(UsageError) as refused:
        checked(Wanted(**given), A, "eu-west-1")
    assert repr(value) in str(refused.value)
    assert allowed in str(refused.value)
