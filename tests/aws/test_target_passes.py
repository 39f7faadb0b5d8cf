"""The passes of a sweep: what is in use, refused, slow or comes meanwhile, and how long it is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws.world import (
    OURS,
    WHOSE,
    Account,
    Time,
    make_queue,
    moto,
    queues,
    reasons,
    session,
    tags_of,
    target,
)


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


@pytest.mark.parametrize("code", ["ResourceInUse", "RequestLimitExceeded"])
def test_what_is_in_use_goes_in_a_later_pass(code: str) -> None:
    account, time, aws = Account(), Time(), session()
    made = account.make(OURS, tags_of(), kinds={"security-group", "queue"})
    refused = 3

    def fail(call: str, _asked: dict[str, Any]) -> str | None:
        nonlocal refused
        if call != "ec2:DeleteSecurityGroup" or not refused:
            return None
        refused -= 1
        return code

    aws.fail = fail
    swept = target(time, aws).sweep(WHOSE)

    assert (swept.failed, account.there(made), refused) == ((), {}, 0)
    assert time.slept


def test_what_stays_in_use_is_given_up_in_time_and_says_by_whom() -> None:
    ec2, time, aws = session().client("ec2"), Time(), session()
    account = Account()
    specified = [{"ResourceType": "security-group", "Tags": [{"Key": k, "Value": v} for k, v in tags_of().items()]}]
    group = ec2.create_security_group(
        GroupName=f"{OURS}-web", Description="-", VpcId=account.vpc, TagSpecifications=specified
    )["GroupId"]
    foreign = ec2.create_network_interface(SubnetId=account.subnets[0], Description="of ECS", Groups=[group])
    refers = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=account.shared_group, IpPermissions=[refers])
    aws.fail = lambda call, _asked: "DependencyViolation" if call == "ec2:DeleteSecurityGroup" else None

    swept = target(time, aws).sweep(WHOSE)

    reason = reasons(swept)[group]
    assert f"network interface {foreign['NetworkInterface']['NetworkInterfaceId']} (of ECS)" in reason
    assert f"a rule in security group {account.shared_group}" in reason
    assert "ec2:RevokeSecurityGroupIngress" not in aws.changes()
    assert 60 <= time.at < 120


def test_a_refusal_is_not_tried_for_ever_and_the_rest_goes_on() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    session().client("logs").create_log_group(logGroupName=f"/understudy/{OURS}", tags=tags_of())
    time, aws = Time(), session()
    aws.fail = lambda call, _asked: "AccessDenied" if call == "sqs:DeleteQueue" else None

    swept = target(time, aws).sweep(WHOSE)

    assert [item.kind for item in swept.removed] == ["log-group"]
    assert "DeleteQueue: AccessDenied" in reasons(swept)[f"{OURS}-jobs"]
    assert aws.changes().count("sqs:DeleteQueue") <= 2


def test_what_goes_slowly_is_waited_for_and_what_never_goes_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.sqs.models import SQSBackend

    make_queue(f"{OURS}-jobs", tags_of())
    time = Time()
    delete = SQSBackend.delete_queue
    monkeypatch.setattr(SQSBackend, "delete_queue", lambda _self, _name: None)
    swept = target(time).sweep(WHOSE)
    assert "still there" in reasons(swept)[f"{OURS}-jobs"]
    assert time.at >= 60

    begun: list[str] = []

    def slowly(self: SQSBackend, name: str) -> None:
        begun.append(name)
        if len(begun) > 1:
            delete(self, name)

    def late(_seconds: float) -> None:
        time.sleep(_seconds)
        if begun and queues():
            session().client("sqs").delete_queue(QueueUrl=url)

    monkeypatch.setattr(SQSBackend, "delete_queue", slowly)
    url = session().client("sqs").get_queue_url(QueueName=f"{OURS}-jobs")["QueueUrl"]
    swept = target(time, sleep=late).sweep(WHOSE)
    assert ([item.id for item in swept.removed], swept.failed, len(begun)) == ([f"{OURS}-jobs"], (), 2)


def test_where_all_is_gone_another_look_follows_at_once_and_what_came_meanwhile_goes_too() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    time, aws = Time(), session()
    came: list[str] = []

    def come(call: str, _asked: dict[str, Any]) -> None:
        if call == "sqs:DeleteQueue" and not came:
            came.append(f"{OURS}-late")
            make_queue(came[0], tags_of())

    aws.fail = come
    swept = target(time, aws).sweep(WHOSE)

    assert ([item.id for item in swept.removed], swept.failed) == ([f"{OURS}-jobs", *came], ())
    assert [call for call, _ in aws.calls].count("resourcegroupstaggingapi:GetResources") == 3
    assert not time.slept


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("ec2:RevokeSecurityGroupIngress", "InvalidGroup.NotFound"),
        ("ec2:DeleteNetworkInterface", "InvalidParameterValue"),
    ],
)
def test_what_was_changed_or_in_use_meanwhile_goes_in_the_next_pass(call: str, code: str) -> None:
    account, time, aws = Account(), Time(), session()
    made = account.make(OURS, tags_of(), kinds={"security-group", "network-interface"})
    refused: list[str] = []

    def fail(asked: str, _given: dict[str, Any]) -> str | None:
        if asked != call or refused:
            return None
        refused.append(asked)
        return code

    aws.fail = fail
    aws.said = "Network interface 'eni-1' is currently in use"
    assert target(time, aws).sweep(WHOSE).failed == ()
    assert (account.there(made), refused) == ({}, [call])
    assert time.at < 60, "it was not waited for until patience was over"


def test_a_listing_that_fails_between_two_passes_is_tried_again() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    time, aws = Time(), session()
    answers = {"sqs:DeleteQueue": ["Throttling"], "iam:ListRoles": ["", "Throttling", "Throttling"]}

    def fail(call: str, _asked: dict[str, Any]) -> str | None:
        left = answers.get(call, [])
        return (left.pop(0) or None) if left else None

    aws.fail = fail
    swept = target(time, aws).sweep(WHOSE)
    assert (swept.failed, queues(), answers["iam:ListRoles"]) == ((), set(), [])
