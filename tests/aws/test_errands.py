"""What an environment has on shared instances is taken away by tasks, which are played, before anything of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aws.plans import DB, plan_of, service
from aws.played import ENV, GROUP, answered, platform_of
from aws.world import HERE, OTHER, WHOSE, Account, Time, moto, pairs, session, tags_of

from understudy.errors import LeftoversError, ToolError
from understudy.stacks.aws.errands import ERRAND
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.aws.platform import SharedDatabase
from understudy.targets.aws.errands import Due, Pace, due, run
from understudy.targets.aws.patience import Patience
from understudy.targets.aws.target import AwsTarget

Row = dict[str, Any]
CONTAINER = "understudy-errand-db-0hmm4ke55p"
FAMILY = f"eaaaaaaaaaa-{CONTAINER}"
WHAT = "the database eaaaaaaaaaa_db and its role on the instance shared"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task/platform/0123456789abcdef"
FULL: Row = {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time"}]}
DONE: Row = {"lastStatus": "STOPPED", "containers": [{"name": CONTAINER, "exitCode": 0}]}


class World:
    """An environment on moto with a database on the shared instance; `looks` are what ECS says of its task in turn."""

    def __init__(self) -> None:
        self.account, self.aws, self.time = Account(), session(), Time()
        shared = SharedDatabase("shared", "shared.rds.example", 5432, "arn:aws:secretsmanager:admin")
        self.plan = self.planned(replace(platform_of(self.account), shared_database=shared))
        made = self.account.client("ec2").create_security_group(
            GroupName=self.plan.security_group, Description="-", VpcId=self.account.vpc
        )
        self.group = made["GroupId"]
        self.account.client("ec2").create_tags(Resources=[self.group], Tags=pairs(tags_of()))
        self.account.client("logs").create_log_group(logGroupName=GROUP, tags=tags_of())
        self.asked: list[Row] = []

    def planned(self, platform: Any) -> AwsPlan:
        url = "postgres://app:pw@db:5432/main"
        return plan_of(DB, service("web", environment={"URL": url}), platform=platform, environment=ENV)

    def register(self, tags: dict[str, str] | None = None, **label: Any) -> str:
        """The definition of the errand, as the environment's stack has it."""
        (task,) = self.plan.errands.values()
        containers = [dict(each.definition) for each in task.containers]
        if label:
            containers[0]["dockerLabels"] = label
        answer = self.account.client("ecs").register_task_definition(
            family=task.family,
            containerDefinitions=containers,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu=str(task.cpu),
            memory=str(task.memory),
            tags=pairs(tags_of() if tags is None else tags, "key", "value"),
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def play(self, *looks: Row, starts: tuple[Row, ...] = ()) -> None:
        """Answer looks at the task, and the first requests to start it, in the place of ECS; the last look stays."""
        events, left, first = self.aws.client("ecs").meta.events, list(looks), list(starts)

        def asked(params: Row, **_: object) -> None:
            self.asked.append(params)

        def look(**_: object) -> Any:
            now = left.pop(0) if len(left) > 1 else left[0]
            return answered({"tasks": [now] if now else [], "failures": []})

        def start(**_: object) -> Any:
            return answered(first.pop(0) if first else {"tasks": [{"taskArn": TASK}], "failures": []})

        events.register("provide-client-params.ecs.RunTask", asked)
        events.register("before-call.ecs.RunTask", start)
        events.register("before-call.ecs.DescribeTasks", look)
        events.register("before-call.ecs.StopTask", lambda **_: answered({"task": {}}))

    @property
    def pace(self) -> Pace:
        clock: Callable[[], float] = lambda: self.time.at  # noqa: E731 - what is passed on
        patience = Patience(30.0, clock=clock, sleep=self.time.sleep)
        return Pace(whole=60.0, clock=clock, sleep=self.time.sleep, patience=patience)

    def due(self, **spare: Any) -> tuple[Due, ...]:
        return due(self.aws, WHOSE, HERE, **spare)

    def run(self) -> None:
        run(self.aws, WHOSE, self.due(), self.pace)

    @property
    def target(self) -> AwsTarget:
        return AwsTarget(self.aws, pace=self.time.pace(), errands=self.pace)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto():
        yield World()


def test_it_runs_where_the_environment_can_reach_the_instance_and_carries_its_tags(world: World) -> None:
    definition = world.register()
    world.play({}, {"lastStatus": "PENDING"}, DONE)
    (found,) = world.due()
    assert (found.family, found.errand.what) == (FAMILY, WHAT)
    world.run()
    (asked,) = world.asked
    assert (asked["taskDefinition"], asked["cluster"], asked["count"]) == (definition, world.account.cluster, 1)
    assert asked["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": world.account.subnets,
        "securityGroups": [world.group],
        "assignPublicIp": "ENABLED",
    }
    assert {each["key"]: each["value"] for each in asked["tags"]} == tags_of()
    assert asked["clientToken"]


def test_only_what_carries_all_tags_of_this_environment_and_is_active_is_an_errand(world: World) -> None:
    assert world.due() == ()
    for tags in ({}, tags_of(OTHER), tags_of(backend="b9999999999"), tags_of(target="aws:210987654321:eu-west-1")):
        world.register(tags)
        assert world.due() == (), tags
    world.register(other="label")
    assert world.due() == (), "no label that says what it does"
    arn = world.register()
    assert len(world.due()) == 1
    assert world.due(spare=lambda _labels: "its time is not over") == ()
    world.account.client("ecs").deregister_task_definition(taskDefinition=arn)
    assert all(each.definition != arn for each in world.due())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"containers": [{"name": CONTAINER, "exitCode": 3}]}, "exit code 3; psql: no password"),
        (
            {
                "containers": [{"name": CONTAINER, "reason": "CannotPullContainerError: none"}],
                "stoppedReason": "Task failed to start",
            },
            "it did not start, CannotPullContainerError: none, Task failed to start",
        ),
        ({"containers": []}, "it did not start"),
    ],
)
def test_one_that_fails_is_said_and_nothing_else_is_removed(world: World, row: Row, said: str) -> None:
    world.register()
    world.play({"lastStatus": "STOPPED", **row})

    if "psql" in said:
        where = {"logGroupName": GROUP, "logStreamName": f"understudy/{CONTAINER}/{TASK.rpartition('/')[2]}"}
        world.account.client("logs").create_log_stream(**where)
        events = [{"timestamp": int(time.time() * 1000), "message": "psql: no password"}]
        world.account.client("logs").put_log_events(**where, logEvents=events)
    with pytest.raises(LeftoversError) as error:
        world.target.give_back(WHOSE)
    assert f"Took away {WHAT}, and it failed: {said}. Nothing of the environment was removed" in str(error.value)
    before = len(world.aws.changes())
    swept = world.target.sweep(WHOSE)
    assert swept.removed == ()
    assert [(item.kind, said in reason) for item, reason in swept.failed] == [("errand", True)]
    assert world.aws.changes()[before:] == []


def test_one_that_does_not_end_is_stopped(world: World) -> None:
    world.register()
    world.play({"lastStatus": "RUNNING"})
    with pytest.raises(LeftoversError, match="its task had not ended after 60 s, and was stopped"):
        world.run()
    assert world.aws.changes() == ["ecs:StopTask"]


def test_where_fargate_has_no_room_it_is_asked_again_with_another_token(world: World) -> None:
    world.register()
    world.play(DONE, starts=(FULL, FULL))
    world.run()
    assert len({asked["clientToken"] for asked in world.asked}) == 3


def test_where_fargate_has_no_room_for_long_it_says_so(world: World) -> None:
    world.register()
    world.play(DONE, starts=(FULL,) * 40)
    with pytest.raises(LeftoversError, match="ECS starts no task for it: Capacity is unavailable"):
        world.run()


def test_what_an_update_keeps_is_left_and_what_it_moves_elsewhere_is_not(world: World) -> None:
    world.register()
    world.play(DONE)
    world.target.give_back(WHOSE, besides=[(FAMILY, WHAT)])
    assert world.asked == []
    world.target.give_back(WHOSE, besides=[(FAMILY, "the database on another instance")])
    assert len(world.asked) == 1


def test_what_is_swept_has_given_back_before(world: World) -> None:
    world.register()
    world.play(DONE)
    assert world.target.owed(WHOSE) == (WHAT,)
    swept = world.target.sweep(WHOSE)
    assert {item.kind for item in swept.removed} == {"task-definition", "log-group", "security-group"}
    calls = [call for call, _ in world.aws.calls]
    changed = [call for call in calls if call in {"ecs:RunTask", *world.aws.changes()}]
    assert changed[0] == "ecs:RunTask"
    assert world.target.owed(WHOSE) == ()


def test_one_that_cannot_be_read_or_has_no_way_to_the_instance_holds_all(world: World) -> None:
    world.register(**{ERRAND: json.dumps({"what": 1})})
    with pytest.raises(ToolError, match="is not readable"):
        world.due()
    world.register()
    world.account.client("ec2").delete_security_group(GroupId=world.group)
    with pytest.raises(ToolError, match="and the environment has none"):
        world.run()
    ((item, _),) = world.target.sweep(WHOSE).failed
    assert item.kind == "errand"


def test_who_does_not_answer_is_asked_again(world: World) -> None:
    world.register()
    world.play(DONE)
    times = iter(["ThrottlingException"])

    def fail(call: str, _asked: Row) -> str | None:
        return next(times, None) if call == "ecs:RunTask" else None

    world.aws.fail = fail
    world.run()
    first, second = [asked["clientToken"] for call, asked in world.aws.calls if call == "ecs:RunTask"]
    assert first == second, "one whose answer was lost is not started twice"
