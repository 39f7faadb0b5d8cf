"""boto3 at its seam: a client for what a bucket is used for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from understudy import __version__
from understudy.aws_failures import failure_of
from understudy.aws_sessions import made_session
from understudy.errors import UsageError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["S3Access", "is_amazon", "make_client"]

_CONNECT, _READ = 10, 30
"""Seconds: for a connection, and for the next bytes on one."""


@dataclass(frozen=True, slots=True)
class S3Access:
    """How a bucket is reached, where that is said; what is empty is looked for where the AWS SDK looks.

    `endpoint` is a URL; `path_style`: the bucket stands in the path, as everywhere but at AWS itself it always does.
    """

    region: str = ""
    endpoint: str = ""
    profile: str = ""
    path_style: bool = False


def make_client(purpose: str, connections: int, access: S3Access | None = None) -> S3Client:
    """A client that tries each request once.

    Args:
        purpose: what boto3 is wanted for, in words, for messages.
        connections: how many requests there are at once.
        access: how the bucket is reached.

    Raises:
        UsageError: boto3 is missing, there are no credentials, or the settings are not usable.
    """
    try:
        import boto3  # noqa: F401 - made_session needs it
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise UsageError(
            f"Looked for boto3, which {purpose}, and it is not installed.",
            hint="Install it with `pip install 'understudy[s3]'`.",
        ) from error
    access = access or S3Access()
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_READ,
        retries={"total_max_attempts": 1},  # who asks tries again
        max_pool_connections=connections,
        request_checksum_calculation="when_required",  # the sinks give SHA-256 with each object
        user_agent_extra=f"understudy/{__version__}",
    )
    path_style = config.merge(Config(s3={"addressing_style": "path"}))
    region, endpoint = access.region or None, access.endpoint or None
    try:
        session = made_session(profile=access.profile)
        if session.get_credentials() is None:
            raise UsageError(
                "Looked for credentials for S3 where the AWS SDK looks, and found none.",
                hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role.",
            )
        styled = path_style if access.path_style else config
        client = session.client("s3", region_name=region, endpoint_url=endpoint, config=styled)
        if styled is config and not is_amazon(client):
            client = session.client("s3", region_name=region, endpoint_url=endpoint, config=path_style)
    except (BotoCoreError, ValueError) as error:
        failure = failure_of(error)
        raise UsageError(failure.said("Made a client for S3"), hint=failure.hint) from error
    return client


def is_amazon(client: S3Client) -> bool:
    """Whether the server is AWS's own."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
