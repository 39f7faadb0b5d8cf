"""Secrets, parameters, log groups, and the roles and policies of IAM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from understudy.stacks.aws_names import LOG_PREFIX, ROLE_PATH, SECRET_PREFIX
from understudy.targets.aws.kinds import Kind, each, labels_of
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned
from understudy.targets.ownership import ENVIRONMENT

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_ssm import SSMClient

__all__ = ["SETTINGS"]

_GOING = timedelta(hours=1)
"""A secret whose end is nearer than this is being removed by force; one that waits for days is still there."""


def _secret_candidates(aws: AwsSession, _environment: str | None) -> Iterator[str]:
    secrets: SecretsManagerClient = aws.client("secretsmanager")
    paginator: Any = secrets.get_paginator("list_secrets")
    named = [{"Key": "name", "Values": [SECRET_PREFIX]}]
    for page in paginator.paginate(Filters=named, IncludePlannedDeletion=True):
        yield from (row["ARN"] for row in page["SecretList"])


def _secrets(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    secrets: SecretsManagerClient = aws.client("secretsmanager")
    for row in each(lambda arn: secrets.describe_secret(SecretId=arn), ids):
        ends: datetime | None = row.get("DeletedDate")  # the stub says that there always is one
        if ends is None or ends - datetime.now(UTC) > _GOING:
            yield Owned("secret", row["ARN"], row["Name"], labels_of(row.get("Tags")))


def _remove_secret(aws: AwsSession, item: Owned) -> None:
    secrets: SecretsManagerClient = aws.client("secretsmanager")
    secrets.delete_secret(SecretId=item.id, ForceDeleteWithoutRecovery=True)


def _parameter_candidates(aws: AwsSession, environment: str | None) -> Iterator[str]:
    ssm: SSMClient = aws.client("ssm")
    asked: dict[str, Any] = {"Key": f"tag:{ENVIRONMENT}"}
    if environment:
        asked["Values"] = [environment]
    paginator: Any = ssm.get_paginator("describe_parameters")
    return (row["Name"] for page in paginator.paginate(ParameterFilters=[asked]) for row in page["Parameters"])


def _parameters(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    """SSM names its objects by ids that are no ARNs, and tells of one that is gone as of an invalid id."""
    from botocore.exceptions import ClientError

    ssm: SSMClient = aws.client("ssm")
    for name in ids:
        try:
            tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "InvalidResourceId":
                raise
            continue
        yield Owned("parameter", name, name, labels_of(tags))


def _remove_parameter(aws: AwsSession, item: Owned) -> None:
    ssm: SSMClient = aws.client("ssm")
    ssm.delete_parameter(Name=item.id)


def _log_candidates(aws: AwsSession, _environment: str | None) -> Iterator[str]:
    logs: CloudWatchLogsClient = aws.client("logs")
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=LOG_PREFIX)
    return (row["logGroupName"] for page in pages for row in page["logGroups"])


def _logs(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    logs: CloudWatchLogsClient = aws.client("logs")
    for name in ids:
        rows = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        row = next((row for row in rows if row["logGroupName"] == name), None)
        if row is not None:
            arn = row["arn"].removesuffix(":*")
            for answer in each(lambda arn: logs.list_tags_for_resource(resourceArn=arn), [arn]):
                yield Owned("log-group", name, name, dict(answer["tags"]))


def _remove_log(aws: AwsSession, item: Owned) -> None:
    logs: CloudWatchLogsClient = aws.client("logs")
    logs.delete_log_group(logGroupName=item.id)


def _role_candidates(aws: AwsSession, _environment: str | None) -> Iterator[str]:
    iam: IAMClient = aws.client("iam")
    pages = iam.get_paginator("list_roles").paginate(PathPrefix=ROLE_PATH)
    return (row["RoleName"] for page in pages for row in page["Roles"])


def _roles(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    iam: IAMClient = aws.client("iam")

    def tags(name: str) -> tuple[str, dict[str, str]]:
        pages = iam.get_paginator("list_role_tags").paginate(RoleName=name)
        return name, labels_of(tag for page in pages for tag in page["Tags"])

    return (Owned("role", name, name, labels) for name, labels in each(tags, ids))


def _remove_role(aws: AwsSession, item: Owned) -> None:
    iam: IAMClient = aws.client("iam")
    for attached in iam.get_paginator("list_attached_role_policies").paginate(RoleName=item.id):
        for row in attached["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=item.id, PolicyArn=row["PolicyArn"])
    for inline in iam.get_paginator("list_role_policies").paginate(RoleName=item.id):
        for name in inline["PolicyNames"]:
            iam.delete_role_policy(RoleName=item.id, PolicyName=name)
    for profiles in iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=item.id):
        for profile in profiles["InstanceProfiles"]:
            named = profile["InstanceProfileName"]
            iam.remove_role_from_instance_profile(RoleName=item.id, InstanceProfileName=named)
    iam.delete_role(RoleName=item.id)


def _policy_candidates(aws: AwsSession, _environment: str | None) -> Iterator[str]:
    iam: IAMClient = aws.client("iam")
    pages = iam.get_paginator("list_policies").paginate(Scope="Local", PathPrefix=ROLE_PATH)
    return (row["Arn"] for page in pages for row in page["Policies"])


def _policies(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    iam: IAMClient = aws.client("iam")

    def tags(arn: str) -> tuple[str, dict[str, str]]:
        pages = iam.get_paginator("list_policy_tags").paginate(PolicyArn=arn)
        return arn, labels_of(tag for page in pages for tag in page["Tags"])

    return (Owned("policy", arn, arn.rpartition("/")[2], labels) for arn, labels in each(tags, ids))


def _remove_policy(aws: AwsSession, item: Owned) -> None:
    iam: IAMClient = aws.client("iam")
    for page in iam.get_paginator("list_policy_versions").paginate(PolicyArn=item.id):
        older: list[Mapping[str, Any]] = [row for row in page["Versions"] if not row["IsDefaultVersion"]]
        for row in older:
            iam.delete_policy_version(PolicyArn=item.id, VersionId=row["VersionId"])
    iam.delete_policy(PolicyArn=item.id)


SETTINGS = (
    Kind("secret", "secretsmanager", r"secret:.+", _secret_candidates, _secrets, _remove_secret),
    Kind("parameter", "ssm", r"parameter(?:(/.+/.+)|/([^/]+))", _parameter_candidates, _parameters, _remove_parameter),
    Kind("log-group", "logs", r"log-group:([^:]+)(?::\*)?", _log_candidates, _logs, _remove_log),
    Kind("role", "iam", r"role/(?:.*/)?([^/]+)", _role_candidates, _roles, _remove_role, everywhere=True),
    Kind("policy", "iam", r"policy/.+", _policy_candidates, _policies, _remove_policy, everywhere=True),
)
