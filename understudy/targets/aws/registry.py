"""The repository of images on AWS: what its name has to be, and its login: a token of twelve hours, kept nowhere."""

from __future__ import annotations

import base64
import re

from understudy.aws_failures import asking
from understudy.errors import UsageError
from understudy.targets.aws.session import AwsSession

__all__ = ["hold_repository", "registry_login"]

_NAME = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/[a-z0-9][a-z0-9._/-]*")
"""A repository without a tag or digest (Amazon ECR User Guide, "Amazon ECR private registries")."""


def hold_repository(repository: str, region: str) -> None:
    """Hold that images can be pushed to a repository with a token of this region.

    Raises:
        UsageError: it is none of Amazon ECR, has a tag, or is of another region.
    """
    named = _NAME.fullmatch(repository)
    if named is None:
        raise UsageError(
            f"The platform's registry is {repository!r}, which is no repository of Amazon ECR: nothing was made.",
            hint="It is named <account>.dkr.ecr.<region>.amazonaws.com/<name>, without a tag.",
        )
    if named[1] != region:
        raise UsageError(
            f"The platform's registry is {repository!r}, of {named[1]}, and the platform is of {region}: "
            "nothing was made.",
            hint="AWS gives a token for the registry of one region: name a repository of the platform's.",
        )


def registry_login(aws: AwsSession, repository: str) -> tuple[str, str]:
    """A new user and token for a repository that `hold_repository` lets through.

    Raises:
        ToolError: AWS gives no token.
    """
    ecr = aws.client("ecr")
    account = repository.partition(".")[0]
    with asking("Asked AWS for a token of its registry"):
        given: str = ecr.get_authorization_token(registryIds=[account])["authorizationData"][0]["authorizationToken"]
    user, _, token = base64.b64decode(given).decode().partition(":")
    return user, token
