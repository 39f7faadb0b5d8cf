"""What runs on ECS: services, tasks and task definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from understudy.targets.aws.kinds import Kind, Together, batches, labels_of, may_be_ours
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient

__all__ = ["COMPUTE", "cluster_of", "described_definition", "described_services", "described_tasks", "task_arns"]

_SERVICES, _TASKS, _DEFINITIONS = 10, 100, 10
"""The most that one DescribeServices, DescribeTasks or DeleteTaskDefinitions takes (ECS API Reference)."""


def cluster_of(arn: str) -> str:
    """The cluster in the ARN of a service or task (`…:service/<cluster>/<name>`)."""
    return arn.split("/")[-2]


def _clusters(aws: AwsSession) -> list[str]:
    ecs: ECSClient = aws.client("ecs")
    pages = ecs.get_paginator("list_clusters").paginate()
    return [arn for page in pages for arn in page["clusterArns"]]


def _service_candidates(aws: AwsSession, environment: str | None) -> Iterator[str]:
    ecs: ECSClient = aws.client("ecs")
    for cluster in _clusters(aws):
        for page in ecs.get_paginator("list_services").paginate(cluster=cluster):
            yield from (arn for arn in page["serviceArns"] if may_be_ours(arn.rpartition("/")[2], environment))


def task_arns(aws: AwsSession, *statuses: str) -> Iterator[str]:
    """The ARNs of all tasks of the account and region with one of these desired statuses; ECS forgets them in an hour.

    Raises:
        botocore.exceptions.ClientError: ECS refused.
    """
    ecs: ECSClient = aws.client("ecs")
    paginator: Any = ecs.get_paginator("list_tasks")
    for cluster in _clusters(aws):
        for status in statuses:
            for page in paginator.paginate(cluster=cluster, desiredStatus=status):
                yield from page["taskArns"]


def _described(
    arns: Sequence[str], size: int, ask: Callable[[str, Sequence[str]], Mapping[str, Any]], key: str
) -> Iterator[Mapping[str, Any]]:
    """Describe by clusters and batches; a missing one is left out, and any other failure is raised."""
    from botocore.exceptions import ClientError

    for cluster in sorted({cluster_of(arn) for arn in arns}):
        for some in batches([arn for arn in arns if cluster_of(arn) == cluster], size):
            try:
                answer = ask(cluster, some)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "ClusterNotFoundException":
                    continue
                raise
            for failure in answer.get("failures", ()):
                if failure.get("reason") != "MISSING":
                    said: Any = {"Error": {"Code": str(failure.get("reason")), "Message": str(failure.get("arn"))}}
                    raise ClientError(said, "Describe")
            yield from answer[key]


def described_services(aws: AwsSession, arns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Services with their tags, those that are no more (INACTIVE) left out.

    Raises:
        botocore.exceptions.ClientError: ECS refused.
    """
    ecs: ECSClient = aws.client("ecs")

    def ask(cluster: str, some: Sequence[str]) -> Mapping[str, Any]:
        return ecs.describe_services(cluster=cluster, services=some, include=["TAGS"])

    return (row for row in _described(arns, _SERVICES, ask, "services") if row["status"] != "INACTIVE")


def described_tasks(aws: AwsSession, arns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Tasks with their tags, stopped ones too.

    Raises:
        botocore.exceptions.ClientError: ECS refused.
    """
    ecs: ECSClient = aws.client("ecs")

    def ask(cluster: str, some: Sequence[str]) -> Mapping[str, Any]:
        return ecs.describe_tasks(cluster=cluster, tasks=some, include=["TAGS"])

    return _described(arns, _TASKS, ask, "tasks")


def _services(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    for row in described_services(aws, ids):
        yield Owned("ecs-service", row["serviceArn"], row["serviceName"], labels_of(row.get("tags")))


def _remove_service(aws: AwsSession, item: Owned) -> None:
    ecs: ECSClient = aws.client("ecs")
    cluster = cluster_of(item.id)
    row = next(iter(described_services(aws, [item.id])), None)
    if row is None or row["status"] == "DRAINING":
        return
    if row["desiredCount"]:
        ecs.update_service(cluster=cluster, service=item.id, desiredCount=0)
    ecs.delete_service(cluster=cluster, service=item.id, force=True)


def _task_candidates(aws: AwsSession, _environment: str | None) -> Iterable[str]:
    return task_arns(aws, "RUNNING")


def _tasks(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    for row in described_tasks(aws, ids):
        if row["lastStatus"] not in {"STOPPED", "DELETED"}:
            yield Owned("ecs-task", row["taskArn"], row["taskArn"].rpartition("/")[2], labels_of(row.get("tags")))


def _remove_task(aws: AwsSession, item: Owned) -> None:
    ecs: ECSClient = aws.client("ecs")
    ecs.stop_task(cluster=cluster_of(item.id), task=item.id, reason="The environment is being removed")


def _definition_candidates(aws: AwsSession, environment: str | None) -> Iterator[str]:
    ecs: ECSClient = aws.client("ecs")
    pages = ecs.get_paginator("list_task_definition_families").paginate(familyPrefix=environment or "e", status="ALL")
    families = [family for page in pages for family in page["families"] if may_be_ours(family, environment)]
    for family in families:
        for status in ("ACTIVE", "INACTIVE"):
            for some in _revisions(ecs, family, status):
                yield from (arn for arn in some if arn.rpartition("/")[2].rpartition(":")[0] == family)


def _revisions(ecs: ECSClient, family: str, status: Any) -> Iterator[list[str]]:  # noqa: ANN401 - boto3's literal
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    return (page["taskDefinitionArns"] for page in pages)


def _definitions(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    """Active and deregistered ones. One that is being deleted (DELETE_IN_PROGRESS) counts as gone.

    AWS keeps it for as long as a task or a service refers to it, begins nothing with it, and ends it by itself; nobody
    can take that back (Amazon ECS API Reference, DeleteTaskDefinitions).
    """
    for arn in ids:
        answer = described_definition(aws, arn)
        status = answer and answer["taskDefinition"].get("status")
        if answer and status != "DELETE_IN_PROGRESS":
            labels = labels_of(answer.get("tags"))
            yield Owned("task-definition", arn, arn.rpartition("/")[2], labels, deregistered=status == "INACTIVE")


def described_definition(aws: AwsSession, name: str) -> Mapping[str, Any] | None:
    """A task definition and its tags, by its ARN, or of a family the newest active one; None: there is none.

    Raises:
        botocore.exceptions.ClientError: ECS refused.
    """
    from botocore.exceptions import ClientError

    ecs: ECSClient = aws.client("ecs")
    try:
        return ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
    except ClientError as error:
        if "Unable to describe" in error.response.get("Error", {}).get("Message", ""):  # ECS's way to say: none
            return None
        raise


def _deregister(aws: AwsSession, item: Owned) -> None:
    ecs: ECSClient = aws.client("ecs")
    if ecs.describe_task_definition(taskDefinition=item.id)["taskDefinition"].get("status") == "ACTIVE":
        ecs.deregister_task_definition(taskDefinition=item.id)


def _delete_definitions(aws: AwsSession, arns: Sequence[str]) -> Mapping[str, str]:
    """AWS deletes only what is deregistered, and names in its answer what it does not delete."""
    ecs: ECSClient = aws.client("ecs")
    failures = ecs.delete_task_definitions(taskDefinitions=arns).get("failures", ())
    return {each.get("arn", ""): ": ".join(filter(None, (each.get("reason"), each.get("detail")))) for each in failures}


COMPUTE = (
    Kind("ecs-service", "ecs", r"service/[^/]+/[^/]+", _service_candidates, _services, _remove_service),
    Kind("ecs-task", "ecs", r"task/[^/]+/[^/]+", _task_candidates, _tasks, _remove_task),
    Kind(
        *("task-definition", "ecs", r"task-definition/[^/]+"),
        *(_definition_candidates, _definitions, _deregister),
        together=Together(_DEFINITIONS, _delete_definitions),
    ),
)
