"""Errands of an environment, run as tasks by whoever removes it, before anything goes that they need."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import asking, aws_errors, failure_of
from understudy.errors import LeftoversError, ToolError
from understudy.stacks import aws_names
from understudy.stacks.aws.errands import FAMILY, Errand, errand_of
from understudy.stacks.aws.tasks import STREAMS
from understudy.stacks.identity import OWNERSHIP, Whose
from understudy.targets.aws.kinds import labels_of
from understudy.targets.aws.kinds_compute import described_definition
from understudy.targets.aws.order import judge
from understudy.targets.aws.patience import Patience
from understudy.targets.aws.session import AwsSession
from understudy.targets.aws.suite_streams import Stream
from understudy.targets.interface import Owned, Spare, spare_none
from understudy.targets.ownership import is_owned

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ecs import ECSClient

__all__ = ["Due", "Pace", "due", "run"]

_WORDS = 5
"""Lines of its log that are told of an errand that failed."""


@dataclass(frozen=True, slots=True)
class Due:
    """An errand that is to be run: its definition's ARN and family, what it does, in which container, whose tags."""

    definition: str
    family: str
    errand: Errand
    container: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long errands may take, in seconds, and by which clock.

    Attributes:
        whole: for all of them, from the first request to the last task's end: AWS starts a task within a minute or two.
        every: between two looks.
        last: for the last lines of one that failed, which CloudWatch Logs is handed after 5 s at the latest.
    """

    whole: float = 900.0
    every: float = 3.0
    last: float = 10.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    patience: Patience = field(default_factory=Patience)


def due(aws: AwsSession, whose: Whose, identity: str, spare: Spare = spare_none) -> tuple[Due, ...]:
    """The errands of an environment that were not run, or of which nobody knows; each may be run again.

    Args:
        aws: the session.
        whose: whose they are: the definition carries all tags.
        identity: of the target, just asked.
        spare: says of tags just read why the environment is to be kept.

    Raises:
        ToolError: ECS does not answer, or an errand cannot be read.
    """
    ecs: ECSClient = aws.client("ecs")
    found: list[Due] = []
    with asking(f"Looked for what environment {whose.environment} has on the platform's shared instances"):
        pages = ecs.get_paginator("list_task_definition_families").paginate(
            familyPrefix=f"{whose.environment}-{FAMILY}", status="ACTIVE"
        )
        for family in sorted(family for page in pages for family in page["families"]):
            made = _due(described_definition(aws, family), family)
            if made and judge([Owned("task-definition", "", family, made.labels)], whose, identity, spare).remove:
                found.append(made)
    return tuple(found)


def _due(answer: Mapping[str, Any] | None, family: str) -> Due | None:
    if answer is None or answer["taskDefinition"].get("status") != "ACTIVE":
        return None
    row = answer["taskDefinition"]
    try:
        found = errand_of(row["containerDefinitions"])
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(
            f"Read what {row['taskDefinitionArn']} has to do before its environment goes, and it is not readable: "
            f"{error}.",
            hint="Deregister it once you have taken away by hand what its command takes away.",
        ) from error
    if found is None:
        return None
    return Due(row["taskDefinitionArn"], family, *found, labels_of(answer.get("tags")))


def run(aws: AwsSession, whose: Whose, errands: Sequence[Due], pace: Pace | None = None) -> None:
    """Run errands side by side, and wait until each has ended well.

    Args:
        aws: the session.
        whose: whose they are.
        errands: what `due` gave.
        pace: how long it may take.

    Raises:
        LeftoversError: one failed, or did not end in time; what it should have taken away is named.
        ToolError: AWS refused, or does not answer.
    """
    at = pace or Pace()
    deadline = at.clock() + at.whole
    tasks = {_started(aws, whose, each, at, deadline): each for each in errands}
    rows: dict[str, Mapping[str, Any]] = {}
    while len(rows) < len(tasks):
        rows |= _stopped(aws, [arn for arn in tasks if arn not in rows], tasks, at)
        if len(rows) == len(tasks):
            break
        if at.clock() >= deadline:
            late = [arn for arn in tasks if arn not in rows]
            for arn in late:
                _stop(aws, arn, tasks[arn], at)
            raise _left(tasks[late[0]], f"its task had not ended after {at.whole:g} s, and was stopped")
        at.sleep(at.every)
    for arn, row in rows.items():
        if said := _failure(row, tasks[arn].container):
            lines = _last_lines(aws, whose, tasks[arn], arn, at)
            raise _left(tasks[arn], "; ".join(filter(None, [said, lines])))


def _left(errand: Due, why: str) -> LeftoversError:
    return LeftoversError(
        f"Took away {errand.errand.what}, and it failed: {why}. Nothing of the environment was removed, since "
        "afterwards nobody would know of it.",
        hint="See that the instance and the platform's secret are as the platform says, then remove the environment "
        f"again. Or take it away by hand, deregister the task definition {errand.family}, and remove it then.",
    )


def _started(aws: AwsSession, whose: Whose, errand: Due, pace: Pace, deadline: float) -> str:
    """Start a task; returns its ARN. Where Fargate has no room just now it is asked again until the deadline."""
    doing = f"Started the task that takes away {errand.errand.what}"
    group = pace.patience.of(doing, lambda: _group(aws, whose, errand.errand))
    ecs: ECSClient = aws.client("ecs")
    tags: Any = [{"key": key, "value": errand.labels[key]} for key in OWNERSHIP]

    def start(token: str) -> Any:  # noqa: ANN401 - as boto3 answers
        return ecs.run_task(
            cluster=errand.errand.cluster,
            taskDefinition=errand.definition,
            launchType="FARGATE",
            count=1,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(errand.errand.subnets),
                    "securityGroups": [group],
                    "assignPublicIp": "DISABLED" if errand.errand.private else "ENABLED",
                }
            },
            startedBy="understudy",
            tags=tags,
            clientToken=token,
        )

    while True:
        token = uuid.uuid4().hex  # one whose answer was lost is not started twice
        answer = pace.patience.of(doing, partial(start, token))
        if answer["tasks"]:
            return str(answer["tasks"][0]["taskArn"])
        if pace.clock() >= deadline:
            reasons = "; ".join(str(each.get("reason")) for each in answer.get("failures", ()))
            raise _left(errand, f"ECS starts no task for it: {reasons or 'it says nothing'}")
        pace.sleep(pace.every)


def _group(aws: AwsSession, whose: Whose, errand: Errand) -> str:
    """The id of the environment's security group, through which its tasks reach the instance."""
    ec2: EC2Client = aws.client("ec2")
    answer = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [errand.security_group]}])
    for row in answer["SecurityGroups"]:
        if is_owned(labels_of(row.get("Tags")), whose):
            return row["GroupId"]
    raise ToolError(
        f"Looked for the security group {errand.security_group}, through which {errand.what} is reached, and the "
        "environment has none.",
        hint="Take it away by hand, deregister the task definition that does, and remove the environment again.",
    )


def _stopped(
    aws: AwsSession, arns: Sequence[str], tasks: Mapping[str, Due], pace: Pace
) -> dict[str, Mapping[str, Any]]:
    """Of these tasks those that have ended, as ECS describes them."""
    ecs: ECSClient = aws.client("ecs")

    def look(arn: str) -> Any:  # noqa: ANN401 - as boto3 answers
        return ecs.describe_tasks(cluster=tasks[arn].errand.cluster, tasks=[arn])

    found: dict[str, Mapping[str, Any]] = {}
    for arn in arns:
        doing = f"Looked at the task that takes away {tasks[arn].errand.what}"
        rows = pace.patience.of(doing, partial(look, arn))["tasks"]
        if rows and rows[0].get("lastStatus") in {"STOPPED", "DELETED"}:
            found[arn] = rows[0]
    return found


def _stop(aws: AwsSession, arn: str, errand: Due, pace: Pace) -> None:
    ecs: ECSClient = aws.client("ecs")
    pace.patience.of(
        f"Stopped the task that takes away {errand.errand.what}",
        lambda: ecs.stop_task(cluster=errand.errand.cluster, task=arn, reason="It did not end in time"),
    )


def _failure(row: Mapping[str, Any], container: str) -> str:
    """Why a task that has ended did not do its errand; empty: it did."""
    mine: Mapping[str, Any] = next((each for each in row.get("containers", ()) if each.get("name") == container), {})
    if mine.get("exitCode") == 0:
        return ""
    code = f"exit code {mine['exitCode']}" if mine.get("exitCode") is not None else "it did not start"
    return ", ".join(filter(None, [code, str(mine.get("reason") or ""), str(row.get("stoppedReason") or "")]))


def _last_lines(aws: AwsSession, whose: Whose, errand: Due, arn: str, pace: Pace) -> str:
    """What its container said last; of none, or where CloudWatch Logs does not answer, nothing."""
    name = f"{STREAMS}/{errand.container}/{arn.rpartition('/')[2]}"
    stream, deadline = Stream(aws, aws_names.log_group(whose.environment), name), pace.clock() + pace.last
    try:
        while not (lines := stream.read()) and pace.clock() < deadline:
            pace.sleep(pace.every)
    except aws_errors() as error:
        return f"its log could not be read: {failure_of(error).text}"
    return " / ".join(line.strip() for line in lines[-_WORDS:])
