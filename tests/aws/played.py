"""A suite's task on moto, which starts none: what ECS, its log driver and its containers would do is played."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from aws.world import BACKEND, HERE, LATER, OURS, Account, Session, pairs, session, tags_of

from understudy.stacks import aws_names
from understudy.stacks.aws.managed import files_bucket
from understudy.stacks.aws.platform import Platform
from understudy.stacks.aws.suites import FETCH, STREAMS, SUITE, TELL
from understudy.stacks.identity import Environment

__all__ = ["ENV", "GROUP", "Played", "answered", "platform_of", "prepare"]

ENV = Environment(OURS, HERE, "shop", LATER, BACKEND)
GROUP = f"/understudy/{OURS}"

Row = dict[str, Any]


def platform_of(account: Account) -> Platform:
    return Platform(
        account="123456789012",
        region="eu-west-1",
        vpc_id=account.vpc,
        subnet_ids=tuple(account.subnets),
        cluster_arn=account.cluster,
        listener_arn="arn:listener",
        execution_role_arn="arn:aws:iam::123456789012:role/execution",
        alb_arn="arn:alb",
        alb_dns_name="alb.example",
        alb_security_group_id="sg-alb",
        bucket="state",
    )


def prepare(account: Account) -> Platform:
    """The platform, with what of an environment suites stand on."""
    platform, tags = platform_of(account), tags_of()
    made = account.client("ec2").create_security_group(GroupName=f"{OURS}-tasks", Description="-", VpcId=account.vpc)
    account.client("ec2").create_tags(Resources=[made["GroupId"]], Tags=pairs(tags))
    account.client("servicediscovery").create_http_namespace(Name=aws_names.namespace(OURS), Tags=pairs(tags))
    account.client("logs").create_log_group(logGroupName=GROUP, tags=tags)
    s3, bucket = account.client("s3"), files_bucket(platform, OURS).name
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": platform.region})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs(tags)})
    return platform


@dataclass
class Played:
    """One task. `steps` are done one at each look of the command at it; when it is stopped, `leave` is what it left.

    `tell` False: the container that tells of results is killed before its last words.
    """

    aws: Session
    steps: list[Callable[[Played], None]] = field(default_factory=list)
    leave: dict[str, bytes] = field(default_factory=dict)
    last: str = "0"
    tell: bool = True
    row: Row = field(default_factory=dict)
    definition: Row = field(default_factory=dict)
    service: Row = field(default_factory=dict)
    told: int = 0
    stops: int = 0
    own: Session = field(default_factory=session)

    def __post_init__(self) -> None:
        events = self.aws.client("ecs").meta.events
        answers = {
            "ListTasks": self._list,
            "DescribeTasks": self._describe,
            "StopTask": self._stop,
        }
        for name, answer in answers.items():
            events.register(f"before-call.ecs.{name}", answer)
        events.register("provide-client-params.ecs.RegisterTaskDefinition", self._register)
        events.register("provide-client-params.ecs.CreateService", self._create)

    def _register(self, params: Row, **_: object) -> None:
        self.definition = params

    def _create(self, params: Row, **_: object) -> None:
        self.service = params

    def _list(self, **_: object) -> Any:
        if self.service and not self.row:
            names = [each["name"] for each in self.definition["containerDefinitions"]]
            self.row = {
                "taskArn": f"arn:aws:ecs:eu-west-1:123456789012:task/platform/{uuid.uuid4().hex}",
                "lastStatus": "PENDING",
                "desiredStatus": "RUNNING",
                "containers": [{"name": name, "lastStatus": "PENDING"} for name in names],
            }
        return answered({"taskArns": [self.row["taskArn"]] if self.row else []})

    def _describe(self, **_: object) -> Any:
        if self.steps:
            self.steps.pop(0)(self)
        return answered({"tasks": [self.row], "failures": []})

    def _stop(self, **_: object) -> Any:
        """ECS stops who depends first: the suite, then the container that tells of it."""
        self.stops += 1
        if self.container(SUITE)["lastStatus"] == "RUNNING":
            self.end(143)
        if self.container(TELL)["lastStatus"] == "RUNNING" and self.tell:
            files = aws_bucket(self.definition)
            for name, content in self.leave.items():
                self.own.client("s3").put_object(Bucket=files[0], Key=f"{files[1]}{name}", Body=content)
            self.say(TELL, f"end {self.told} {self.last}")
        self.row |= {"lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
        return answered({"task": self.row})

    def container(self, name: str) -> Row:
        return next(row for row in self.row["containers"] if row["name"] == name)

    def begin(self) -> None:
        """The files were fetched, and the suite runs."""
        self.container(FETCH).update(lastStatus="STOPPED", exitCode=0)
        self.container(TELL)["lastStatus"] = self.container(SUITE)["lastStatus"] = "RUNNING"
        self.row["lastStatus"] = "RUNNING"

    def end(self, code: int, reason: str = "") -> None:
        """The suite's command has ended."""
        self.container(SUITE).update(lastStatus="STOPPED", exitCode=code, reason=reason)

    def say(self, container: str, *lines: str) -> None:
        """Lines in a container's log stream."""
        logs = self.own.client("logs")
        stream = f"{STREAMS}/{container}/{self.row['taskArn'].rpartition('/')[2]}"
        known = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
        if stream not in [row["logStreamName"] for row in known]:
            logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        now = int(datetime.now(UTC).timestamp() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)

    def results(self, data: bytes) -> None:
        """Results, as the container that tells of them does."""
        self.say(TELL, f"results {self.told} {base64.b64encode(data).decode()}")
        self.told += len(data)


def aws_bucket(definition: Row) -> tuple[str, str]:
    """Bucket and prefix of what a suite leaves, as the script of its task has them."""
    script = next(c for c in definition["containerDefinitions"] if c["name"] == TELL)["command"][-1]
    place = next(word for word in script.split() if word.startswith("s3://"))
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    return bucket, prefix


def answered(parsed: Row) -> Any:
    """What a handler before a call gives in the place of AWS's answer."""
    return SimpleNamespace(status_code=200, headers={}, raw=None), {
        **parsed,
        "ResponseMetadata": {"HTTPStatusCode": 200},
    }
