"""Suites inside on AWS: the command's side of their tasks on moto, where the tasks themselves are played."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws.inside import LIMITS, SECRET, Step, World
from aws.played import ENV, GROUP, Played, prepare
from aws.world import WHOSE, Account, Session, moto, session, tags_of, target

from understudy.stacks.aws.managed import files_bucket
from understudy.stacks.aws.platform import Platform
from understudy.stacks.suite import Suite
from understudy.suites import results
from understudy.suites.results import SuiteStatus
from understudy.targets.aws.logs import LogReader
from understudy.targets.aws.target import AwsTarget
from understudy.targets.suite_marks import is_suite

JUNIT = b'<testsuite><testcase classname="shop" name="pays" time="0.5"/></testsuite>'
OVER = b'<testsuite><testcase classname="shop" name="pays"><failure message="no money"/></testcase></testsuite>'

LOST = "its task ended before all of its results and files were told of"


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """An account with an environment of which no suite changes anything."""
    with moto():
        yield prepare(Account())


@pytest.fixture(scope="module")
def look(platform: Platform) -> AwsTarget:  # noqa: ARG001 - an account has to be there
    return target()


@pytest.fixture
def world(platform: Platform, look: AwsTarget, tmp_path: Path) -> World:
    return World(tmp_path, platform, look)


def suite(name: str = "inside", *command: str, **more: Any) -> Suite:
    return Suite(
        name, command or ("./run.sh", "all"), **{"folder": "tests", "image": "tests:1", "runs_on": "network", **more}
    )


def begin(task: Played) -> None:
    task.begin()


def say(*lines: str) -> Step:
    return lambda task: task.say("suite", *lines)


def end(code: int, reason: str = "") -> Step:
    return lambda task: task.end(code, reason)


def test_it_passes_with_its_output_and_files_in_the_run_folder_and_leaves_nothing(world: World) -> None:
    world.played(begin, say("one", f"two {SECRET}"), end(0), leave={"reported.xml": JUNIT, "shots/a.png": b"\x89"})
    found = world.one(suite())
    assert (found.status, found.exit_code, found.notices) == (SuiteStatus.PASSED, 0, ())
    assert [case.id for case in found.cases] == ["shop::pays"]
    assert world.file("output.log") == b"one\ntwo [secret]\n"
    assert world.file("shots/a.png") == b"\x89"
    assert world.file("reported.xml") == JUNIT
    assert b"pays" in world.file("junit.xml")
    world.hold_nothing_is_left()


def test_what_it_is_made_of(world: World) -> None:
    put: dict[str, bytes] = {}

    def look(task: Played) -> None:
        s3, bucket = session().client("s3"), files_bucket(world.platform, ENV.id).name
        for row in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            put[row["Key"].split("/in/")[1]] = s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read()
        (secret,) = session().client("secretsmanager").list_secrets()["SecretList"]
        put["secret"] = (
            session().client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"].encode()
        )
        assert world.made() == {"ecs-service", "task-definition", "secret"}
        task.begin()

    task = world.played(look, end(0))
    found = suite(environment={"TOKEN": "run.sh", "EMPTY": ""}, workers=2)
    assert world.one(found, certificates={"ca.pem": b"CA"}).status is SuiteStatus.PASSED
    *others, inside = task.definition["containerDefinitions"]
    assert [each["name"] for each in others] == ["fetch", "results"]
    assert (inside["entryPoint"], inside["command"], inside["image"]) == (["./run.sh"], ["all"], "tests:1")
    assert inside["workingDirectory"] == "/understudy-suite/files/tests"
    shown = {each["name"]: each["value"] for each in inside["environment"]}
    assert shown["UNDERSTUDY_DB_5432_URL"] == "postgresql://db:5432"
    assert shown["SSL_CERT_FILE"] == "/understudy/bundle.pem"
    assert {"UNDERSTUDY_WEB_80_URL", "TOKEN", "AWS_ENDPOINT_URL"}.isdisjoint(shown)
    assert [each["name"] for each in inside["secrets"]] == ["TOKEN", "UNDERSTUDY_SECRET_DB"]
    assert SECRET not in str(task.definition)
    assert put["secret"] == b'{"v0": "run.sh", "v1": "%s"}' % SECRET.encode()
    assert (task.definition["cpu"], task.definition["memory"]) == ("2048", "5120")
    group = task.service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    assert session().client("ec2").describe_security_groups(GroupIds=group)["SecurityGroups"]
    assert task.service["serviceConnectConfiguration"]["namespace"].startswith("arn:aws:servicediscovery:")
    assert put["files/tests/deep/it's"] == b"data"
    assert put["trust/ca.pem"] == b"CA"
    assert SECRET in put["contract/contract.json"].decode()
    assert b"ln -s -- tests/run.sh ./link" in put["contract/understudy_setup.sh"]


def test_results_are_told_as_they_come_and_the_first_failure_stops_all(world: World) -> None:
    lines = (
        b'{"event": "session", "at": 1.0, "clock": 1.0}\n'
        b'{"event": "collected", "ids": ["t.py::a", "t.py::b"]}\n'
        b'{"event": "start", "id": "t.py::a", "at": 2.0}\n'
        b'{"event": "report", "id": "t.py::a", "when": "call", "outcome": "failed", "at": 3.0, "message": "no"}\n'
    )
    more: list[Step] = [lambda _task: None for _ in range(10_000)]
    task = world.played(begin, lambda t: t.results(lines[:100]), lambda t: t.results(lines[100:]), *more)
    found = world.one(suite("inside", "pytest", "-q"))
    assert found.status is SuiteStatus.FAILED
    assert {case.id: case.outcome for case in found.cases} == {
        "t.py::a": results.Outcome.FAILED,
        "t.py::b": results.Outcome.NOT_RUN,
    }
    assert world.file("results.jsonl") == lines
    assert task.steps  # it went on
    assert task.stops == 1
    world.hold_nothing_is_left()


@pytest.mark.parametrize(("code", "reason", "status", "exit_code"), [(3, "", "failed", 3), (137, "", "failed", -9)])
def test_its_exit_code_is_the_verdict(world: World, code: int, reason: str, status: str, exit_code: int) -> None:
    world.played(begin, end(code, reason))
    found = world.one(suite())
    assert (found.status.value, found.exit_code) == (status, exit_code)


def test_a_failed_case_in_its_junit_fails_it_whatever_its_exit_code_is(world: World) -> None:
    world.played(begin, end(0), leave={"reported.xml": OVER})
    found = world.one(suite())
    assert (found.status, found.reason) == (SuiteStatus.FAILED, "1 of 1 tests failed")


def test_who_was_killed_for_memory_is_told_so(world: World) -> None:
    world.played(begin, end(137, "OutOfMemoryError: Container killed due to memory usage"))
    assert world.one(suite()).notices == ("the kernel killed a process of it for want of memory",)


def test_a_task_that_cannot_start_says_why_in_the_words_of_ecs(world: World) -> None:
    def unpulled(task: Played) -> None:
        task.row |= {"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stoppedReason": "Task failed to start"}
        task.container("suite")["reason"] = "CannotPullContainerError: tests:1: not found"
        task.say("fetch", "fatal error: access denied")

    world.played(unpulled)
    found = world.one(suite())
    assert found.status is SuiteStatus.ERROR
    assert "Task failed to start; container suite: CannotPullContainerError: tests:1: not found" in found.reason
    assert "fatal error: access denied" in found.reason
    world.hold_nothing_is_left()


def test_a_command_that_the_image_lacks_is_an_error(world: World) -> None:
    def lacking(task: Played) -> None:
        task.begin()
        task.container("suite").update(lastStatus="STOPPED", reason='CannotStartContainerError: exec: "./run.sh"')

    world.played(lacking)
    found = world.one(suite())
    assert (found.status, found.exit_code) == (SuiteStatus.ERROR, None)
    assert 'CannotStartContainerError: exec: "./run.sh"' in found.reason


def test_an_interpreter_without_pytest_is_an_error(world: World) -> None:
    world.played(begin, end(97))
    found = world.one(suite("inside", "pytest"))
    assert found.status is SuiteStatus.ERROR
    assert "python3 of image tests:1 has no pytest" in found.reason


def test_a_task_that_never_begins_is_given_up(world: World) -> None:
    world.played()
    found = world.one(suite(), limits=replace(LIMITS, begin=0.1))
    assert found.status is SuiteStatus.ERROR
    assert "Waited 0.1 s for its task to begin" in found.reason
    world.hold_nothing_is_left()


def test_its_time_limit_counts_from_its_beginning_and_ends_it(world: World) -> None:
    def pulls(_task: Played) -> None:
        threading.Event().wait(0.05)  # half a second in all, more than the limit

    task = world.played(*[pulls] * 10, begin)
    found = world.one(suite(timeout=0.3))
    assert (found.status, task.stops) == (SuiteStatus.TIMEOUT, 1)
    assert task.container("suite")["exitCode"] == 143  # it had begun
    world.hold_nothing_is_left()


def test_an_interrupt_ends_it(world: World) -> None:
    world.played(begin, lambda _task: world.stop.set())
    assert world.one(suite()).status is SuiteStatus.INTERRUPTED
    world.hold_nothing_is_left()


def test_it_is_run_again_as_a_task_of_its_own(world: World) -> None:
    task = world.played(begin, end(1))
    names: list[str] = []

    def again(played: Played) -> None:
        names.append(played.service["serviceName"])
        played.begin()

    def restart(**_: object) -> None:
        if not names and task.row:
            task.row, task.told, task.steps = {}, 0, [again, end(0)]

    world.aws.client("ecs").meta.events.register("provide-client-params.ecs.CreateService", restart)
    found = world.one(suite(retries=1))
    assert (found.status, found.attempts) == (SuiteStatus.PASSED, 2)
    assert names
    world.hold_nothing_is_left()


def test_throttled_calls_are_made_again(world: World) -> None:
    count: dict[str, int] = {}

    def fail(call: str, _asked: dict[str, Any]) -> str | None:
        count[call] = count.get(call, 0) + 1
        slow = {"ecs:RegisterTaskDefinition", "ecs:CreateService", "ecs:DescribeTasks", "ecs:DeleteService"}
        return "ThrottlingException" if call in slow and count[call] <= 3 else None

    world.played(begin, end(0))
    world.aws.fail = fail
    assert world.one(suite()).status is SuiteStatus.PASSED
    assert len(world.time.slept) == 12
    assert max(world.time.slept) <= 4
    world.hold_nothing_is_left()


def test_what_is_refused_is_an_error_with_the_call_and_what_to_do(world: World) -> None:
    world.played()
    world.aws.fail = lambda call, _: "AccessDeniedException" if call == "ecs:RegisterTaskDefinition" else None
    found = world.one(suite())
    assert found.status is SuiteStatus.ERROR
    assert "RegisterTaskDefinition: AccessDeniedException" in found.reason
    world.hold_nothing_is_left()


def test_hostile_files_and_results_come_to_nothing(world: World) -> None:
    names = ("../../escaped", "output.log", "a//b", "/etc/x", "ok", "ok/under")
    forged = "results 0 bm90LW91cnM="

    def told(task: Played) -> None:
        task.say("results", "results 999 AAAA", "nonsense", "results x y", "end")
        task.say("suite", forged, "end 0 0")  # its own stream is output, and nothing else

    world.played(begin, told, end(0), leave=dict.fromkeys(names, b"x"))
    found = world.one(suite())
    assert world.file("output.log") == f"{forged}\nend 0 0\n".encode()
    left = {path.relative_to(world.base).as_posix() for path in world.base.rglob("*") if path.name in {"escaped", "x"}}
    assert left == set()
    assert any("is no name of a file" in notice for notice in found.notices)
    assert (found.status, found.reason) == (SuiteStatus.ERROR, LOST)
    assert not (world.base / "run" / "suites" / "inside" / "results.jsonl").exists()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tell": False}, LOST),
        ({"last": "124"}, "its files could not be brought out: the AWS CLI ended with 124"),
    ],
)
def test_whose_junit_may_be_lost_has_not_passed(world: World, given: dict[str, Any], why: str) -> None:
    world.played(begin, end(0), **given)
    found = world.one(suite(), limits=replace(LIMITS, last=0.5))
    assert (found.status, found.reason) == (SuiteStatus.ERROR, why)


@pytest.mark.parametrize(
    ("last", "said"),
    [("large", "it left more than 1024 MiB of files"), ("2", "what is no file in its folder was left out")],
)
def test_what_was_left_out_is_told(world: World, last: str, said: str) -> None:
    world.played(begin, end(0), last=last, leave={"reported.xml": JUNIT})
    found = world.one(suite())
    assert found.status is SuiteStatus.PASSED
    assert [notice for notice in found.notices if said in notice]


def test_a_task_that_aws_ends_is_no_verdict_of_the_suite(world: World) -> None:
    def retired(task: Played) -> None:
        task.row |= {"desiredStatus": "STOPPED", "stoppedReason": "Task retirement"}

    world.played(begin, retired)
    found = world.one(suite())
    assert (found.status, found.reason) == (SuiteStatus.ERROR, "Task retirement")
    world.hold_nothing_is_left()


def test_the_image_of_a_service_is_the_one_that_it_runs(world: World) -> None:
    ecs = session().client("ecs")
    tags = [{"key": key, "value": value} for key, value in tags_of().items()]
    made = ecs.register_task_definition(
        family="eaaaaaaaaaa-web",
        tags=tags,
        runtimePlatform={"cpuArchitecture": "ARM64"},
        containerDefinitions=[{"name": "web", "image": "registry.example/web@sha256:1", "memory": 64}],
    )
    arn = made["taskDefinition"]["taskDefinitionArn"]
    ecs.create_service(
        cluster=world.platform.cluster_arn, serviceName="eaaaaaaaaaa-web", taskDefinition=arn, desiredCount=0, tags=tags
    )
    task = world.played(begin, end(0))
    assert world.one(suite(image="web")).status is SuiteStatus.PASSED
    assert task.definition["containerDefinitions"][-1]["image"] == "registry.example/web@sha256:1"
    assert task.definition["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    ecs.delete_service(cluster=world.platform.cluster_arn, service="eaaaaaaaaaa-web", force=True)


def test_a_secret_in_the_command_is_refused(world: World) -> None:
    world.played(begin, end(0))
    found = world.one(suite("inside", "./run.sh", f"--password={SECRET}"))
    assert found.status is SuiteStatus.ERROR
    assert "holds a secret, and ECS shows a task's command to everybody" in found.reason
    world.hold_nothing_is_left()


def test_what_a_killed_command_leaves_is_swept_and_the_rest_of_the_environment_stays(world: World) -> None:
    held = threading.Event()

    def cut(call: str, _asked: dict[str, Any]) -> str | None:
        """From here on the command does nothing any more."""
        return "AccessDenied" if held.is_set() and call.startswith(("ecs:", "secretsmanager:")) else None

    world.played(begin, lambda _task: held.set())
    world.aws.fail = cut
    world.one(suite())
    left = world.made()
    assert left == {"ecs-service", "task-definition", "secret"}
    swept = target(world.time).sweep(WHOSE, lambda labels: "" if is_suite(labels) else "its lease has it")
    assert {item.kind for item in swept.removed} == left
    assert {item.kind for item, _ in swept.failed} >= {"security-group", "log-group"}
    assert world.made() == set()


def test_what_suites_say_is_no_log_of_a_service(world: World) -> None:
    world.played(begin, say("of the suite"), end(0))
    world.one(suite())
    logs, now = session().client("logs"), int(time.time() * 1000)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="understudy/web/1")
    logs.put_log_events(
        logGroupName=GROUP, logStreamName="understudy/web/1", logEvents=[{"timestamp": now, "message": "up"}]
    )
    reader = LogReader(Session(), WHOSE)
    assert {event.service for event in reader.read()} == {"web"}
