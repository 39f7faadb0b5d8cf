"""What AWS shows of an environment beside its provider, on moto: tasks, definitions, rules, policies, what has tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aws.world import OTHER, OURS, WHOSE, Account, moto, pairs, session, tags_of, target

from understudy.engine.interface import Seen
from understudy.stacks.identity import LABEL
from understudy.targets.aws.drift import short_of
from understudy.targets.interface import Noted

TYPES = {
    "ecs-service": "aws:ecs/service:Service",
    "security-group": "aws:ec2/securityGroup:SecurityGroup",
    "role": "aws:iam/role:Role",
}
RULE = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
TAGGED = "it has the environment's tags"
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


def state(made: Mapping[str, str]) -> list[Seen]:
    """The state of a stack that made them; of a task and a network interface ECS did."""
    found = []
    for kind, ident in made.items():
        outputs = {"arn": ident, "name": ident, "taskDefinition": made.get("task-definition", "")}
        if kind not in {"ecs-task", "network-interface"}:
            found.append(Seen(f"urn::{kind}", TYPES.get(kind, f"aws:other:{kind}"), ident, {}, outputs, ({}, outputs)))
    return found


def test_of_each_kind_what_the_state_has_is_no_stray_and_nothing_is_changed() -> None:
    """The makers make some things that they do not name: those are all that is in no state."""
    account = Account()
    made = account.make(OURS, tags_of())
    account.make(OTHER, tags_of(OTHER), 2, {"security-group", "queue"})
    aws = session()
    strays = target(aws=aws).observe(WHOSE, state(made)).strays
    assert {(stray.kind, stray.name) for stray in strays if stray.detail == TAGGED} == {
        ("rds-instance", f"{OURS}-aurora-1"),
        ("security-group", f"{OURS}-peer"),
    }
    assert {stray.kind for stray in strays if stray.detail != TAGGED} == {"role-policy", "security-group-rule"}
    assert aws.changes() == []


def test_what_a_suite_runs_in_what_ecs_made_and_what_an_update_left_is_no_stray() -> None:
    account = Account()
    made = account.make(OURS, tags_of(), 1, {"security-group", "task-definition", "queue", "ecs-task", "namespace"})
    client = session().client
    client("sqs").create_queue(QueueName=f"{OURS}-suite", tags={**tags_of(), LABEL + "kind": "suite"})
    by_ecs = pairs({**tags_of(), "AmazonECSManaged": "true"})
    client("servicediscovery").create_service(Name="web", NamespaceId=made["namespace"].rpartition("/")[2], Tags=by_ecs)
    client("ecs").deregister_task_definition(taskDefinition=made["task-definition"])
    strays = target().observe(WHOSE, []).strays
    assert {stray.kind for stray in strays} == {"namespace", "queue", "security-group"}
    assert [stray.name for stray in strays if stray.kind == "queue"] == [f"{OURS}-jobs"]


def test_a_rule_and_a_policy_that_somebody_added_are_strays_without_any_tag() -> None:
    made = Account().make(OURS, tags_of(), 1, {"security-group", "policy", "role"})
    seen = state(made)
    before = target().observe(WHOSE, seen).strays
    ec2, iam, group, role = session().client("ec2"), session().client("iam"), made["security-group"], made["role"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[RULE])
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=ALL)
    arn = iam.create_policy(PolicyName="all", PolicyDocument=ALL)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    strays = [stray for stray in target().observe(WHOSE, seen).strays if stray not in before]
    assert [(stray.kind, stray.detail) for stray in strays] == [
        ("role-policy", f"{arn} is attached to the role"),
        ("role-policy", "an inline policy of the role"),
        ("security-group-rule", "it lets tcp 22 in from 0.0.0.0/0"),
    ]
    declared = Seen("urn::p", "aws:iam/rolePolicy:RolePolicy", f"{role}:more", {}, {}, ({}, {}))
    given = {"role": role, "policyArn": arn}
    attached = Seen("urn::a", "aws:iam/rolePolicyAttachment:RolePolicyAttachment", "x", given, given, (given, given))
    assert len(target().observe(WHOSE, [*seen, declared, attached]).strays) == len(before) + 1


def test_a_service_with_fewer_tasks_than_it_wants_stopped_and_says_of_what_its_tasks_are_now() -> None:
    account = Account()
    made = account.make(OURS, tags_of(), 1, {"security-group", "task-definition", "target-group", "ecs-service"})
    ecs = session().client("ecs")
    container = {"name": "web", "image": "shop/web:2", "cpu": 256, "memory": 512, "essential": True}
    ecs.register_task_definition(
        family=f"{OURS}-web", containerDefinitions=[container], tags=pairs(tags_of(), "key", "value")
    )
    ecs.update_service(cluster=account.cluster, service=f"{OURS}-web", taskDefinition=f"{OURS}-web:2")
    noted = target().observe(WHOSE, state(made)).noted["urn::ecs-service"]
    assert (noted.state, noted.detail.partition(";")[0]) == ("stopped", "0 of 1 tasks run")
    found = {path: (old, new) for path, old, new in noted.properties}
    assert found.keys() >= {"containerDefinitions", "cpu", "networkMode"}
    old, new = found["containerDefinitions"]
    assert isinstance(old, list)
    assert isinstance(new, list)
    assert (old[0]["image"], new[0]["image"]) == ("shop/web:1", "shop/web:2")


def test_a_service_that_is_gone_is_the_engine_s_to_say() -> None:
    gone = Seen("urn", TYPES["ecs-service"], "arn:aws:ecs:r:1:service/c/x", {}, {}, None)
    assert target().observe(WHOSE, [gone]).noted == {}


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ([], "1 of 2 tasks run; (service web) was unable to place a task"),
        (
            [
                {"taskArn": "a/b", "stoppedAt": "2026-11-26T12:00:00Z", "stoppedReason": "older"},
                {
                    "taskArn": "a/c",
                    "stoppedAt": "2026-11-26T12:00:01Z",
                    "stoppedReason": "Essential container in task exited",
                    "containers": [{"name": "web", "exitCode": 137}, {"name": "logs"}],
                },
            ],
            "1 of 2 tasks run; the last one ended: Essential container in task exited; web with exit code 137",
        ),
    ],
    ids=["an event", "a task"],
)
def test_why_fewer_tasks_run_is_what_the_last_one_says_or_ecs(ended: list[dict[str, Any]], said: str) -> None:
    events = [{"message": "(service web) was unable to place a task"}, {"message": "older"}]
    assert short_of({"runningCount": 1, "desiredCount": 2, "events": events}, ended) == said
    assert short_of({"runningCount": 0, "desiredCount": 1}, []) == "0 of 1 tasks run"


def test_where_no_task_runs_at_all_none_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Account().make(OURS, tags_of(), 1, {"security-group", "task-definition", "target-group", "ecs-service"})
    monkeypatch.setattr("understudy.targets.aws.target.control_plane_only", lambda: "an emulator")
    assert target().observe(WHOSE, state(made)).noted["urn::ecs-service"] == Noted()
