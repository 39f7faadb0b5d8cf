"""What of an environment a suite inside stands on: its security group, its namespace, the image of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.aws_failures import asking
from understudy.errors import ToolError
from understudy.stacks import aws_names
from understudy.stacks.identity import Whose
from understudy.targets.aws.evidence import services_of
from understudy.targets.aws.listers import kind_named
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned
from understudy.targets.ownership import is_owned

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient

__all__ = ["group_of", "image_of", "namespace_of"]


def group_of(aws: AwsSession, whose: Whose) -> str:
    """The id of the environment's security group.

    Raises:
        ToolError: there is none, or several, or AWS does not say.
    """
    return _one(aws, whose, "security-group", aws_names.security_group(whose.environment, "tasks")).id


def namespace_of(aws: AwsSession, whose: Whose) -> str:
    """The ARN of the environment's namespace.

    Raises:
        ToolError: as `group_of`.
    """
    return _one(aws, whose, "namespace", aws_names.namespace(whose.environment)).id


def _one(aws: AwsSession, whose: Whose, kind: str, name: str) -> Owned:
    known = kind_named(kind)
    with asking(f"Looked for the {kind} of environment {whose.environment}"):
        there = list(known.look(aws, sorted(set(known.candidates(aws, whose.environment)))))
    found = [item for item in there if item.name == name and is_owned(item.labels, whose)]
    if len(found) != 1:
        raise ToolError(f"Looked for the {kind} {name} of environment {whose.environment}, and found {len(found)}.")
    return found[0]


def image_of(aws: AwsSession, whose: Whose, service: str) -> tuple[str, str]:
    """The image that a service of the environment runs, and its architecture as ECS calls it.

    Raises:
        ToolError: there is no such service, or ECS does not say.
    """
    name = aws_names.service(whose.environment, service)
    ecs: ECSClient = aws.client("ecs")
    for row in services_of(aws, whose):
        if row["serviceName"] == name:
            with asking(f"Asked for the image of service {service}"):
                found = ecs.describe_task_definition(taskDefinition=row["taskDefinition"])["taskDefinition"]
            images = {each["name"]: each["image"] for each in found["containerDefinitions"]}
            architecture = found.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")
            return images[aws_names.container(service)], architecture
    raise ToolError(f"it runs in the image of service {service!r}, and environment {whose.environment} has none")
