"""The login at the registry of an account: a user and a token, which are good for twelve hours and kept nowhere."""

from __future__ import annotations

import base64

from understudy.aws_failures import asking
from understudy.errors import UsageError
from understudy.targets.aws.session import AwsSession

__all__ = ["registry_login"]


def registry_login(aws: AwsSession, repository: str) -> tuple[str, str]:
    """The user and the token for a repository, `<account>.dkr.ecr.<region>.<domain>/<name>`.

    Raises:
        UsageError: the repository is none of the registry that AWS gives.
        ToolError: AWS gives no token.
    """
    account = repository.partition(".")[0]
    if not (account.isdigit() and repository.removeprefix(account).startswith(".dkr.ecr.") and "/" in repository):
        raise UsageError(
            f"The platform's registry is {repository!r}, which is no repository of Amazon ECR.",
            hint="It is named <account>.dkr.ecr.<region>.amazonaws.com/<name>, without a tag.",
        )
    ecr = aws.client("ecr")
    with asking("Asked AWS for a token of its registry"):
        given: str = ecr.get_authorization_token(registryIds=[account])["authorizationData"][0]["authorizationToken"]
    user, _, token = base64.b64decode(given).decode().partition(":")
    return user, token
