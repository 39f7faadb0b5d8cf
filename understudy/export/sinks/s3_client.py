"""boto3 at its seam: one client, and every foreign error as ours with whether another try may help."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from understudy import __version__
from understudy.errors import UsageError
from understudy.export.sinks.interface import SinkError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["THREADS", "make_client", "sink_error"]

THREADS = 4
"""Requests to one bucket at once."""

_CONNECT, _READ = 10, 30
"""Seconds: for a connection, and for the next bytes on one."""

_AGAIN = frozenset({408, 429})
_AGAIN_CODES = frozenset({"RequestTimeout", "BadDigest", "XAmzContentSHA256Mismatch", "OperationAborted"})
"""Answers of the 4xx kind after which another try may help (Amazon S3 API Reference, "Error Responses")."""


def make_client() -> S3Client:
    """A client with the credentials, region and endpoint that AWS's own variables, files and roles give.

    Everywhere but at AWS itself the bucket stands in the path: an emulator's host has no name for each bucket.

    Raises:
        UsageError: boto3 is missing, there are no credentials, or the settings are not usable.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise UsageError(
            "Looked for boto3, which sends evidence to S3, and it is not installed.",
            hint="Install it with `pip install 'understudy[s3]'`.",
        ) from error
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_READ,
        retries={"total_max_attempts": 1},  # the budget of the sink tries again
        max_pool_connections=2 * THREADS,
        request_checksum_calculation="when_required",  # SHA-256 is given with each object
        user_agent_extra=f"understudy/{__version__}",
    )
    try:
        session = boto3.Session()
        if session.get_credentials() is None:
            raise UsageError(
                "Looked for credentials for S3 where the AWS SDK looks, and found none.",
                hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role.",
            )
        client = session.client("s3", config=config)
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            path_style = config.merge(Config(s3={"addressing_style": "path"}))
            client = session.client("s3", config=path_style)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"Made a client for S3, and it failed: {error}.") from error
    return client


def sink_error(what: str, error: Exception) -> SinkError:
    """A boto3 error as ours; `what` was tried, in words."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        IncompleteReadError,
        ResponseStreamingError,
    )

    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        again = status >= 500 or status in _AGAIN or code in _AGAIN_CODES  # noqa: PLR2004 - the server's own errors
        message = str(error.response.get("Error", {}).get("Message", ""))
        told = f"{status} {code}" if code != str(status) else code
        return SinkError(f"{what}: {told}{f' ({message})' if message else ''}", again=again, code=code)
    again = isinstance(error, (HTTPClientError, IncompleteReadError, ResponseStreamingError, OSError))
    kind = "" if isinstance(error, BotoCoreError) else f"{type(error).__name__}: "
    return SinkError(f"{what}: {kind}{error}", again=again)
