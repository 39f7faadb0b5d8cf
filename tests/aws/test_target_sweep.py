from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws.policies import actions, allowed
from aws.world import (
    ACCOUNT,
    HERE,
    OTHER,
    OURS,
    WHOSE,
    Account,
    Session,
    make_queue,
    moto,
    queues,
    reasons,
    session,
    tags_of,
    target,
)

from understudy.stacks.identity import LABEL, OWNERSHIP, PROTECT
from understudy.targets.aws.listers import KINDS, kind_named
from understudy.targets.aws.target import AwsTarget
from understudy.targets.interface import Outcome, Owned


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


def test_all_of_an_environment_goes_and_nothing_else_does() -> None:
    account = Account()
    ours = account.make(OURS, tags_of(), 1)
    others = [
        account.make(OTHER, tags_of(OTHER), 2),
        account.make(f"{OURS}-half", {k: v for k, v in tags_of().items() if k != LABEL + "project"}, 3),
        account.make(f"{OURS}-bare", {"team": "payments"}, 4),
    ]
    before = [account.there(made) for made in others]
    aws = session()
    there = target(aws=aws)
    assert {item.kind for item in there.inventory(WHOSE)} == set(ours)
    assert there.receipt(WHOSE, HERE).outcome is Outcome.LEFTOVERS

    swept = there.sweep(WHOSE)

    assert swept.failed == ()
    assert set(ours.items()) <= {(item.kind, item.id) for item in swept.removed}
    assert account.there(ours) == {}
    assert [account.there(made) for made in others] == before == others
    receipt = there.receipt(WHOSE, HERE)
    assert (receipt.outcome, receipt.leftovers) == (Outcome.CLEAN, ())
    assert set(receipt.looked) == {kind.name for kind in KINDS}
    assert_order(aws.changes())
    assert_permitted(there, aws)


def assert_permitted(there: AwsTarget, aws: Session) -> None:
    """The page's policy is what looking and removing asked for, no more and no less."""
    there.claimed()
    unlabelled = {"UserId": "u", "UserName": "u", "Engine": "redis", "AccessString": "on", "NoPasswordRequired": True}
    session().client("elasticache").create_user(**unlabelled)  # moto gives users no tags, so that no look finds one
    kind_named("cache-user").remove(aws, Owned("cache-user", "u", "u"))
    asked = actions(tuple(call.split(":")) for call, _ in aws.calls)
    assert allowed("sweep") == asked


def assert_order(changes: list[str]) -> None:
    for earlier, later in (
        ("ecs:UpdateService", "ecs:DeleteService"),
        ("ecs:DeleteService", "ecs:StopTask"),
        ("ecs:StopTask", "elbv2:DeleteTargetGroup"),
        ("elbv2:DeleteRule", "elbv2:DeleteTargetGroup"),
        ("rds:ModifyDBInstance", "rds:DeleteDBCluster"),
        ("rds:DeleteDBInstance", "rds:DeleteDBCluster"),
        ("elasticache:DeleteReplicationGroup", "elasticache:DeleteCacheCluster"),
        ("ecs:StopTask", "logs:DeleteLogGroup"),
        ("ecs:DeregisterTaskDefinition", "ecs:DeleteTaskDefinitions"),
        ("s3:AbortMultipartUpload", "s3:DeleteBucket"),
        ("s3:DeleteObjects", "s3:DeleteBucket"),
        ("servicediscovery:DeleteService", "servicediscovery:DeleteNamespace"),
        ("iam:DetachRolePolicy", "iam:DeleteRole"),
        ("iam:DeleteRole", "iam:DeletePolicy"),
        ("ec2:DeleteNetworkInterface", "ec2:DeleteSecurityGroup"),
        ("ec2:RevokeSecurityGroupIngress", "ec2:DeleteSecurityGroup"),
    ):
        assert changes.index(earlier) < changes.index(later), (earlier, later)
    last = len(changes) - 1 - changes[::-1].index("rds:DeleteDBInstance")
    assert last < changes.index("rds:DeleteDBCluster")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        *(({key: ""}, "") for key in OWNERSHIP),
        ({LABEL + "target": f"aws:{ACCOUNT}:us-east-1"}, "names the target"),
        ({LABEL + "target": "docker:abc"}, "names the target"),
        ({LABEL + "not-after": "tomorrow"}, "is no moment"),
        ({PROTECT: "true"}, "protected"),
        ({LABEL + "environment": OURS.upper()}, ""),
        ({LABEL + "environment": OURS + "a"}, ""),
        ({LABEL + "backend": "b9876543210"}, ""),
    ],
)
def test_what_is_not_wholly_ours_stays(changed: dict[str, str], told: str) -> None:
    make_queue(f"{OURS}-jobs", tags_of() | changed)
    make_queue(f"{OURS}-plain", tags_of())

    swept = target().sweep(WHOSE)

    assert queues() == {f"{OURS}-jobs"}
    if told:
        assert told in reasons(swept)[f"{OURS}-jobs"]
    else:
        assert swept.failed == ()


def test_a_tag_that_goes_between_listing_and_deletion_keeps_the_object() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    aws = session()
    looks = 0

    def untag(call: str, _asked: dict[str, Any]) -> None:
        nonlocal looks
        looks += call == "sqs:ListQueueTags"
        if looks == 2:
            sqs = session().client("sqs")
            url = sqs.get_queue_url(QueueName=f"{OURS}-jobs")["QueueUrl"]
            sqs.untag_queue(QueueUrl=url, TagKeys=[OWNERSHIP[0]])

    aws.fail = untag
    swept = target(aws=aws).sweep(WHOSE)

    assert queues() == {f"{OURS}-jobs"}
    assert "does not carry all ownership labels" in reasons(swept)[f"{OURS}-jobs"]


def test_what_was_just_seen_is_not_listed_again_and_still_goes_by_the_tags_that_it_has() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    make_queue(f"{OTHER}-jobs", tags_of(OTHER))
    seen = [Owned("queue", name, name, tags_of()) for name in (f"{OURS}-jobs", f"{OTHER}-jobs", f"{OURS}-gone")]
    aws = session()
    swept = target(aws=aws).sweep(WHOSE, seen=seen)

    assert queues() == {f"{OTHER}-jobs"}
    assert {item.id for item in swept.removed} == {f"{OURS}-jobs", f"{OURS}-gone"}
    calls = [call for call, _ in aws.calls]
    assert calls.index("sqs:DeleteQueue") < calls.index("resourcegroupstaggingapi:GetResources")
    assert calls.count("resourcegroupstaggingapi:GetResources") == 1  # once more, as something was removed


def test_what_the_caller_has_a_reason_to_keep_stays() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    swept = target().sweep(WHOSE, lambda labels: f"kept for {labels[LABEL + 'project']}")
    assert reasons(swept) == {f"{OURS}-jobs": "kept for shop"}


def test_other_credentials_in_the_middle_hold_everything() -> None:
    account, aws = Account(), session()
    run = {"security-group", "task-definition", "ecs-service", "target-group", "listener-rule"}
    made = account.make(OURS, tags_of(), kinds=run)
    there = target(aws=aws)
    asked = 0

    class Turned(Session):
        def identity(self) -> str:
            nonlocal asked
            asked += 1
            return HERE if asked == 1 else "aws:999999999999:eu-west-1"

    turned = Turned()
    swept = target(aws=turned).sweep(WHOSE)

    assert turned.changes().count("elbv2:DeleteRule") == 0
    assert account.there(made).keys() == made.keys() - {"ecs-service"}
    assert all("999999999999" in reason for reason in reasons(swept).values())
    assert there.receipt(WHOSE, "aws:999999999999:eu-west-1").outcome is Outcome.HOLD


def test_more_than_the_cap_is_not_touched() -> None:
    for number in range(4):
        make_queue(f"{OURS}-q{number}", tags_of())
    swept = target(cap=3).sweep(WHOSE)
    assert (len(queues()), swept.removed) == (4, ())
    assert "above the limit of 3" in reasons(swept)[f"{OURS}-q0"]


def test_a_listing_that_fails_removes_nothing_and_says_so() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    aws = session()
    aws.fail = lambda call, _asked: "Throttling" if call == "iam:ListRoles" else None
    swept = target(aws=aws).sweep(WHOSE)
    assert queues() == {f"{OURS}-jobs"}
    assert [item.kind for item, _ in swept.failed] == ["listing"]
    assert "AWS takes no more requests" in swept.failed[0][1]


def test_what_is_gone_by_itself_counts_as_removed() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    aws = session()
    sqs = session().client("sqs")
    url = sqs.get_queue_url(QueueName=f"{OURS}-jobs")["QueueUrl"]

    def gone(call: str, _asked: dict[str, Any]) -> str | None:
        if call != "sqs:DeleteQueue":
            return None
        sqs.delete_queue(QueueUrl=url)
        return "AWS.SimpleQueueService.NonExistentQueue"

    aws.fail = gone
    assert target(aws=aws).sweep(WHOSE).failed == ()


def test_something_else_that_is_gone_does_not_pass_for_the_object() -> None:
    account, aws = Account(), session()
    made = account.make(OURS, tags_of(), kinds={"policy", "role"})
    aws.fail = lambda call, _asked: "NoSuchEntity" if call == "iam:DetachRolePolicy" else None
    swept = target(aws=aws).sweep(WHOSE)
    assert "role" in account.there(made)
    assert made["role"] in reasons(swept)


def test_a_rule_that_another_environment_removes_meanwhile_hides_none_of_ours() -> None:
    account, aws = Account(), session()
    ours = account.make(OURS, tags_of(), kinds={"target-group", "listener-rule"})
    other = account.make(OTHER, tags_of(OTHER), priority=2, kinds={"target-group", "listener-rule"})
    gone: list[str] = []

    def fail(call: str, asked: dict[str, Any]) -> str | None:
        if call == "elbv2:DescribeTags" and other["listener-rule"] in asked["ResourceArns"] and not gone:
            gone.append(call)
            session().client("elbv2").delete_rule(RuleArn=other["listener-rule"])
            return "RuleNotFound"
        return None

    aws.fail = fail
    assert ours["listener-rule"] in {item.id for item in target(aws=aws).inventory(WHOSE)}
    assert gone


def test_what_ecs_made_in_our_namespace_goes_with_it_and_what_others_did_keeps_it() -> None:
    account, aws = Account(), session()
    made = account.make(OURS, tags_of(), kinds={"namespace"})
    names = session().client("servicediscovery")
    space = made["namespace"].rpartition("/")[2]
    by_ecs = names.create_service(
        Name="db-5432", NamespaceId=space, Tags=[{"Key": "AmazonECSManaged", "Value": "true"}]
    )["Service"]["Id"]
    names.register_instance(ServiceId=by_ecs, InstanceId="i", Attributes={"AWS_INSTANCE_IPV4": "10.0.1.9"})
    foreign = names.create_service(Name="other", NamespaceId=space)["Service"]["Id"]
    aws.fail = lambda call, _asked: "ResourceInUse" if call == "servicediscovery:DeleteNamespace" else None

    assert "ResourceInUse" in reasons(target(aws=aws).sweep(WHOSE))[made["namespace"]]
    assert [row["Id"] for row in names.list_services()["Services"]] == [foreign]
    assert target().sweep(WHOSE).failed == ()
