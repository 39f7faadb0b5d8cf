from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws.world import ACCOUNT, AT, HERE, OTHER, OURS, REGION, WHOSE, Account, make_queue, moto, session, tags_of, target

from understudy.errors import ToolError
from understudy.stacks.identity import LABEL, OWNERSHIP, format_time
from understudy.targets.aws.listers import KINDS
from understudy.targets.interface import Outcome

LISTINGS = {
    "resourcegroupstaggingapi:GetResources",
    *("ecs:ListClusters", "ecs:ListServices", "ecs:ListTasks", "ecs:ListTaskDefinitionFamilies"),
    *("elbv2:DescribeLoadBalancers", "elbv2:DescribeTargetGroups"),
    *("rds:DescribeDBInstances", "rds:DescribeDBClusters", "rds:DescribeDBSnapshots"),
    *("elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups", "elasticache:DescribeUsers"),
    *("s3:ListBuckets", "sqs:ListQueues", "secretsmanager:ListSecrets", "ssm:DescribeParameters"),
    *("logs:DescribeLogGroups", "iam:ListRoles", "iam:ListPolicies"),
    *("ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules", "ec2:DescribeNetworkInterfaces"),
    *("servicediscovery:ListServices", "servicediscovery:ListNamespaces"),
}


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


def test_every_kind_is_found_without_the_tagging_api(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Account().make(OURS, tags_of())
    monkeypatch.setattr("understudy.targets.aws.listers._tagged", lambda *_: iter(()))
    found = {(item.kind, item.id): dict(item.labels) for item in target().inventory()}
    assert set(made.items()) <= set(found)
    assert all(labels.items() >= tags_of().items() for labels in found.values())


def test_pages_are_read_to_the_last() -> None:
    sqs, aws = session().client("sqs"), session()
    for number in range(60):
        for name in (f"{OURS}-q{number}", f"named-otherwise-{number}"):
            sqs.create_queue(QueueName=name, tags=tags_of())
    assert len(target(aws=aws).inventory(WHOSE)) == 120
    pages = [asked.get("PaginationToken", "") for call, asked in aws.calls if call.endswith(":GetResources")]
    assert len(pages) > 1
    assert all(pages[1:])


def test_pages_are_asked_for_with_a_size_where_there_is_else_only_one() -> None:
    aws = session()
    target(aws=aws).inventory(WHOSE)
    sized = {call: asked for call, asked in aws.calls if call in {"sqs:ListQueues", "s3:ListBuckets"}}
    assert (sized["sqs:ListQueues"]["MaxResults"], sized["s3:ListBuckets"]["MaxBuckets"]) == (1000, 1000)


def test_an_environment_is_told_from_others() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    make_queue(f"{OTHER}-jobs", tags_of(OTHER))
    make_queue(f"{OURS}-half", {key: value for key, value in tags_of().items() if key != OWNERSHIP[-1]})
    there = target()
    assert [item.id for item in there.inventory(WHOSE)] == [f"{OURS}-jobs"]
    assert [item.id for item in there.inventory()] == [f"{OURS}-jobs", f"{OTHER}-jobs"]


def test_what_has_some_of_our_tags_is_claimed_however_they_are_spelt() -> None:
    make_queue("one", {OWNERSHIP[0]: OURS})
    make_queue("two", {"Dev.Understudy.Owner": "me"})
    make_queue("five", {"Dev.Understudy.Owner": "you"})
    make_queue("three", {"dev.understudyx": "no", "team": "payments"})
    iam = session().client("iam")
    document = '{"Version": "2012-10-17", "Statement": []}'
    tags = [{"Key": LABEL + "commit", "Value": "abc"}]
    iam.create_role(RoleName="four", Path="/understudy/", AssumeRolePolicyDocument=document, Tags=tags)
    make_queue("six", {LABEL + "platform": "understudy", LABEL + "protect": "true"})
    make_queue("seven", {LABEL + "platform": "understudy", OWNERSHIP[0]: OURS})
    aws = session()
    assert [item.id for item in target(aws=aws).claimed()] == ["five", "one", "seven", "two", "four"]
    asked = [given["TagFilters"][0]["Key"] for call, given in aws.calls if call.endswith(":GetResources")]
    assert sorted(asked) == sorted(set(asked))  # each key once, though moto names it once for each object
    assert target().inventory() == ()


def test_what_is_gone_and_still_listed_by_tag_is_not_there() -> None:
    account = Account()
    made = account.make(OURS, tags_of())
    ecs = session().client("ecs")
    ecs.update_service(cluster=account.cluster, service=made["ecs-service"], desiredCount=0)
    ecs.delete_service(cluster=account.cluster, service=made["ecs-service"])
    ecs.stop_task(cluster=account.cluster, task=made["ecs-task"])
    tagging = session().client("resourcegroupstaggingapi")
    listed = [row["ResourceARN"] for row in tagging.get_resources()["ResourceTagMappingList"]]
    assert made["ecs-service"] in listed
    assert {"ecs-service", "ecs-task"}.isdisjoint(item.kind for item in target().inventory(WHOSE))


def stale(monkeypatch: pytest.MonkeyPatch, *arns: str) -> None:
    monkeypatch.setattr(
        "understudy.targets.aws.listers._tagged", lambda *_: ((f"arn:aws:{arn}", tags_of()) for arn in arns)
    )


def test_each_kind_that_is_gone_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account()
    cluster = account.cluster.rpartition("/")[2]
    here = f"{REGION}:{ACCOUNT}"
    stale(
        monkeypatch,
        f"ecs:{here}:service/{cluster}/x",
        f"ecs:{here}:service/no-cluster/x",
        f"ecs:{here}:task/{cluster}/0123456789abcdef0123456789abcdef",
        f"ecs:{here}:task-definition/x:1",
        f"elasticloadbalancing:{here}:listener-rule/app/lb/1/2/3",
        f"elasticloadbalancing:{here}:targetgroup/x/1",
        *(f"rds:{here}:{part}:x" for part in ("db", "cluster", "snapshot")),
        *(f"elasticache:{here}:{part}:x" for part in ("cluster", "replicationgroup", "user")),
        f"s3:::{OURS}-gone",
        f"sqs:{here}:x",
        f"secretsmanager:{here}:secret:understudy/x-AbCdEf",
        f"ssm:{here}:parameter/x/y",
        f"logs:{here}:log-group:/understudy/x",
        f"iam::{ACCOUNT}:role/understudy/x",
        f"iam::{ACCOUNT}:policy/understudy/x",
        f"ec2:{here}:security-group/sg-0123456789abcdef0",
        f"ec2:{here}:network-interface/eni-0123456789abcdef0",
        f"servicediscovery:{here}:service/srv-1",
        f"servicediscovery:{here}:namespace/ns-1",
    )
    receipt = target().receipt(WHOSE, HERE)
    assert (receipt.reason, receipt.leftovers, receipt.outcome) == ("", (), Outcome.CLEAN)
    assert sum(receipt.looked.values()) >= 21


def test_a_kind_that_we_do_not_know_is_left_over_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stale(monkeypatch, f"lambda:{REGION}:{ACCOUNT}:function:{OURS}-mail")
    there = target()
    (left,) = there.receipt(WHOSE, HERE).leftovers
    assert (left.kind, left.name) == ("lambda function", f"{OURS}-mail")
    ((kept, reason),) = there.sweep(WHOSE).failed
    assert kept == left
    assert "cannot remove" in reason


@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "InternalError"])
def test_a_listing_that_fails_makes_all_unknown(code: str) -> None:
    aws = session()
    aws.fail = lambda call, _asked: code if call == "resourcegroupstaggingapi:GetResources" else None
    there = target(aws=aws)
    receipt = there.receipt(WHOSE, HERE)
    assert (receipt.outcome, receipt.leftovers) == (Outcome.UNKNOWN, ())
    assert code in receipt.reason
    with pytest.raises(ToolError, match=code):
        there.inventory(WHOSE)


def test_any_question_that_fails_makes_all_unknown() -> None:
    Account().make(OURS, tags_of())
    aws = session()
    there = target(aws=aws)
    there.inventory(WHOSE)
    asked = sorted({call for call, _ in aws.calls} - {"sts:GetCallerIdentity"})
    assert set(asked) >= LISTINGS
    for one in asked:
        aws.fail = lambda call, _asked, one=one: "Throttling" if call == one else None
        assert there.receipt(WHOSE, HERE).outcome is Outcome.UNKNOWN, one


def test_a_receipt_says_where_and_when_and_what_was_looked_at() -> None:
    make_queue(f"{OURS}-jobs", tags_of())
    make_queue("of-somebody-else", {"team": "payments"})
    receipt = target().receipt(WHOSE, HERE)
    assert (receipt.environment, receipt.target, receipt.taken_at) == (OURS, HERE, format_time(AT))
    assert receipt.outcome is Outcome.LEFTOVERS
    assert [item.id for item in receipt.leftovers] == [f"{OURS}-jobs"]
    assert receipt.looked["queue"] == 1
    assert set(receipt.looked) == {kind.name for kind in KINDS}


def test_what_another_backend_has_under_the_same_id_is_said_and_is_not_left_over() -> None:
    make_queue(f"{OURS}-jobs", tags_of(backend="b9876543210"))
    receipt = target().receipt(WHOSE, HERE)
    assert (receipt.outcome, receipt.leftovers) == (Outcome.CLEAN, ())
    assert "b9876543210" in receipt.reason


def test_another_account_is_held_and_not_looked_at() -> None:
    aws = session()
    receipt = target(aws=aws).receipt(WHOSE, f"aws:999999999999:{REGION}")
    assert (receipt.outcome, receipt.target) == (Outcome.HOLD, HERE)
    assert [call for call, _ in aws.calls] == ["sts:GetCallerIdentity"]


def test_what_belongs_to_the_account_is_told_by_its_region() -> None:
    iam = session().client("iam")
    document = '{"Version": "2012-10-17", "Statement": []}'
    for name, where in (
        ("here", HERE),
        ("there", f"aws:{ACCOUNT}:us-east-1"),
        ("abroad", "aws:999999999999:eu-west-1"),
    ):
        tags: Any = [{"Key": key, "Value": value} for key, value in tags_of(target=where).items()]
        iam.create_role(RoleName=name, Path="/understudy/", AssumeRolePolicyDocument=document, Tags=tags)
    assert [item.id for item in target().inventory(WHOSE)] == ["abroad", "here"]
    swept = target().sweep(WHOSE)
    assert [item.id for item in swept.removed] == ["here"]
    assert [item.id for item, _ in swept.failed] == ["abroad"]
