from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws.world import BACKEND, OTHER, OURS, WHOSE, Account, moto, session, tags_of, target

from understudy.errors import InterruptedRunError, NotFoundError, ProvisionError
from understudy.redact import Redactor
from understudy.stacks.aws_names import container
from understudy.stacks.identity import Whose
from understudy.targets.aws.endpoints import Endpoint, endpoints_of
from understudy.targets.aws.evidence import task_facts, tasks_of
from understudy.targets.aws.logs import AwsFollower, Event, LogReader
from understudy.targets.aws.readiness import service_standing, wait_ready

RUN = {"security-group", "task-definition", "target-group", "ecs-service", "ecs-task", "listener-rule"}
BEGIN = int(datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


def say(stream: str, *lines: str, at: int = 0, environment: str = OURS) -> None:
    logs = session().client("logs")
    group = f"/understudy/{environment}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group, tags=tags_of(environment))
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    if stream not in [row["logStreamName"] for row in streams]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now + at + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def follower(folder: Path, *secrets: str) -> AwsFollower:
    return AwsFollower(session(), WHOSE, folder, Redactor(secrets), every=0.01)


def test_endpoints_are_the_hosts_of_our_rules() -> None:
    account = Account()
    account.make(OURS, tags_of(), 1, RUN)
    account.make(OTHER, tags_of(OTHER), 2, RUN)
    aws = session()
    balancer = aws.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["DNSName"]
    assert endpoints_of(aws, WHOSE) == (Endpoint("web", 8080, f"{OURS}.preview.internal", balancer, 80, "http"),)
    assert target().endpoints(WHOSE) == {"web:8080": (f"{OURS}.preview.internal", 80)}
    assert target().endpoints(Whose("ecccccccccc", BACKEND)) == {}


def test_a_log_is_written_once_with_stamps_and_without_secrets(tmp_path: Path) -> None:
    following = follower(tmp_path, "hunter22")
    say("understudy/web/1", "began", "password hunter22")
    following.read()
    say("understudy/web/2", "second task", at=10)
    say("understudy/db/1", "ready", at=20)
    followed = following.finish()
    assert following.close(destroyed=False) == ()
    assert followed.problems == ()
    assert {path.name for path in followed.logs} == {"web.log", "db.log"}
    lines = (tmp_path / "web.log").read_text().splitlines()
    assert [line[31:] for line in lines] == ["began", "password [redacted]", "second task"] or "hunter22" not in str(
        lines
    )
    assert len(lines) == 3
    assert all(len(line.split(" ")[0]) == 30 for line in lines)
    assert (tmp_path / "web.log").stat().st_mode & 0o777 == 0o600


def test_a_thread_follows_until_it_is_closed(tmp_path: Path) -> None:
    following = follower(tmp_path / "logs").start()
    say("understudy/web/1", "began")
    end = threading.Event()
    for _ in range(1000):
        if (tmp_path / "logs" / "web.log").exists() or end.wait(0.02):
            break
    say("understudy/web/1", "ended", at=10)
    following.close(destroyed=False)
    assert (tmp_path / "logs" / "web.log").read_text().count("\n") == 2


def test_no_log_group_is_no_log_and_a_refusal_is_a_problem(tmp_path: Path) -> None:
    following = follower(tmp_path)
    assert following.finish().logs == ()
    say("understudy/web/1", "began")
    aws = session()
    aws.fail = lambda call, _asked: "AccessDenied" if call.startswith("logs:") else None
    refused = AwsFollower(aws, WHOSE, tmp_path, Redactor())
    (problem,) = refused.finish().problems
    assert "FilterLogEvents" in problem
    aws.fail = lambda _call, _asked: None
    assert [path.name for path in refused.finish().logs] == ["web.log"]


def test_a_stream_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    following = follower(tmp_path)
    say("understudy/../1", "one")
    say("..", "two", at=1)
    say("understudy/WEB/1", "three")
    say("understudy/web/1", "four")
    names = {path.name for path in following.finish().logs}
    assert names == {"log.log", "web.log"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_no_more_lines_are_read_than_the_limit() -> None:
    say("understudy/web/1", *(f"line {number}" for number in range(20)))
    reader = LogReader(session(), WHOSE, limit=5)
    assert [event.text for event in reader.read()] == [f"line {number}" for number in range(5)]
    assert reader.full
    assert list(reader.read()) == []


def test_a_stamp_is_as_docker_writes_it() -> None:
    assert Event("web", BEGIN + 7, "x").stamp == "2026-11-26T12:00:00.007000000Z"


def test_lines_are_those_of_the_services_asked_for() -> None:
    say("understudy/web/1", "one")
    say("understudy/db/1", "two", at=5)
    assert [(s, line[31:]) for s, line in target().lines(WHOSE, (), follow=False)] == [("web", "one"), ("db", "two")]
    assert [s for s, _ in target().lines(WHOSE, ("db",), follow=False)] == ["db"]
    say(f"understudy/{container('web.api')}/1", "three")
    assert [s for s, _ in target().lines(WHOSE, ("web.api",), follow=False)] == ["web.api"]


def test_a_service_that_said_nothing_is_known_and_one_that_is_not_there_is_named() -> None:
    Account().make(OURS, tags_of(), 1, RUN)
    assert list(target().lines(WHOSE, ("web",), follow=False)) == []
    with pytest.raises(NotFoundError, match="service 'webb'") as told:
        target().lines(WHOSE, ("web", "webb"), follow=False)
    assert told.value.hint == "It has: web."


def test_a_service_whose_container_is_in_another_s_task_is_known_before_it_says_anything() -> None:
    account = Account()
    account.make(OURS, tags_of(), 1, RUN)
    ecs = account.client("ecs")
    containers = [{"name": name, "image": "x:1", "memory": 8} for name in ("web", container("web.log"))]
    task = ecs.register_task_definition(family=f"{OURS}-web", containerDefinitions=containers)["taskDefinition"]
    ecs.update_service(cluster=account.cluster, service=f"{OURS}-web", taskDefinition=task["taskDefinitionArn"])
    assert list(target().lines(WHOSE, ("web.log",), follow=False)) == []
    with pytest.raises(NotFoundError, match="service 'log'"):
        target().lines(WHOSE, ("log",), follow=False)


def test_facts_are_of_tasks_that_run_and_of_those_that_stopped() -> None:
    account = Account()
    made = account.make(OURS, tags_of(), 1, RUN)
    account.make(OTHER, tags_of(OTHER), 2, RUN)
    aws = session()
    ident = made["ecs-task"].rpartition("/")[2]
    assert [row["taskArn"] for row in tasks_of(aws, WHOSE)] == [made["ecs-task"]]
    assert {facts.name.partition("/")[0] for facts in target().containers(WHOSE)} <= {ident}
    aws.client("ecs").stop_task(cluster=account.cluster, task=made["ecs-task"], reason="out of memory")
    (stopped,) = tasks_of(aws, WHOSE)
    assert stopped["stoppedReason"] == "out of memory"


def test_a_container_s_facts_say_how_it_ended() -> None:
    container = {"name": "web", "lastStatus": "STOPPED", "exitCode": 137, "reason": "OutOfMemoryError", "image": "i"}
    task = {
        "taskArn": "arn:aws:ecs:r:1:task/c/abc",
        "containers": [container],
        "stoppedReason": "Essential container in task exited",
        "stopCode": "EssentialContainerExited",
        "stoppedAt": datetime(2026, 11, 26, tzinfo=UTC),
    }
    (facts,) = task_facts(task)
    assert (facts.name, facts.service) == ("abc/web", "web")
    assert facts.facts["exit_code"] == 137
    assert facts.facts["error"] == "OutOfMemoryError"
    assert facts.facts["stop_code"] == "EssentialContainerExited"
    assert facts.facts["finished"] == "2026-11-26T00:00:00+00:00"


def service(rollout: str = "COMPLETED", **changed: Any) -> dict[str, Any]:
    first = {"status": "PRIMARY", "rolloutState": rollout, "rolloutStateReason": "tasks failed to start"}
    return {"status": "ACTIVE", "desiredCount": 1, "runningCount": 1, "deployments": [first], **changed}


@pytest.mark.parametrize(
    ("row", "ready", "dead"),
    [
        (service(), True, ""),
        (service(runningCount=0), False, ""),
        (service("IN_PROGRESS"), False, ""),
        (service(deployments=[*service()["deployments"], {"status": "ACTIVE"}]), False, ""),
        (service(deployments=[]), False, ""),
        (service("FAILED"), False, "tasks failed to start"),
        (service(status="DRAINING"), False, "DRAINING"),
    ],
)
def test_a_service_is_ready_once_it_is_steady(row: dict[str, Any], ready: bool, dead: str) -> None:  # noqa: FBT001 - a parameter of the test
    stands, told = service_standing(row)
    assert stands is ready
    assert (dead in told) if dead else not told


def test_waiting_ends_in_time_when_stopped_and_for_nothing() -> None:
    with pytest.raises(ProvisionError, match="no service"):
        target().wait_ready(WHOSE, 1)
    Account().make(OURS, tags_of(), 1, RUN)
    with pytest.raises(ProvisionError, match=r"Waited 0 s .* web is not"):
        target().wait_ready(WHOSE, 0)
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedRunError):
        wait_ready(session(), WHOSE, 60, stop)
