"""What an error of boto3 means for us: one table from AWS's codes to gone, busy, throttled, refused, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from understudy.errors import ToolError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

__all__ = ["Failure", "Why", "asking", "failure_of", "tool_error"]


class Why(StrEnum):
    """The kinds of failure that are treated differently."""

    GONE = "it is not there"
    BUSY = "something still uses it, or it is changing"
    THROTTLED = "AWS takes no more requests for now"
    DENIED = "the credentials do not permit it"
    EXPIRED = "the credentials are over or not valid"
    MISSING = "there are no credentials"
    REGION = "no region is named"
    UNREACHABLE = "AWS does not answer"
    OTHER = "it failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """What one error says: its kind, in words, AWS's own code and the operation that was refused."""

    why: Why
    text: str
    code: str = ""
    operation: str = ""


_GONE = re.compile(
    r"(NotFound|NotFoundException|NotFoundFault|NoSuchEntity|NoSuchBucket|NoSuchUpload|NonExistentQueue"
    r"|QueueDoesNotExist|ServiceNotActiveException)$"
)
"""The endings that services give to what is not there; a plain 404 is none, since anything between may send it."""

_BUSY = re.compile(
    r"^(DependencyViolation|ResourceInUse(Exception)?|ResourceInUseFault|DeleteConflict|BucketNotEmpty"
    r"|OperationAborted|ConcurrentModification(Exception)?|UpdateInProgressException|OperationInProgress"
    r"|Invalid(DBInstance|DBCluster|DBSnapshot|DBClusterSnapshot|CacheCluster|ReplicationGroup|User)State(Fault)?)$"
)

_CODES = {
    Why.THROTTLED: {
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "SlowDown"),
        *("RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "BandwidthLimitExceeded"),
    },
    Why.DENIED: {
        *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"),
        *("NotAuthorized", "UnauthorizedAccess"),
    },
    Why.EXPIRED: {
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "InvalidToken"),
        *("UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure"),
    },
}

_HINTS = {
    Why.THROTTLED: "Try again later, or ask AWS for a higher quota of requests.",
    Why.DENIED: "Give the role or user the permission for that action.",
    Why.EXPIRED: "Sign in again (`aws sso login`), or give new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
    "AWS_SESSION_TOKEN.",
    Why.MISSING: "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.",
    Why.REGION: "Set AWS_REGION, or a region in the profile.",
    Why.UNREACHABLE: "Look at the network, the region's name and AWS_ENDPOINT_URL.",
}


def failure_of(error: Exception) -> Failure:
    """What an error of boto3, or of what is below it, says."""
    from botocore import exceptions as botocore

    if isinstance(error, botocore.ClientError):
        return _answered(error)
    kinds: tuple[tuple[Why, tuple[type[Exception], ...]], ...] = (
        (Why.REGION, (botocore.NoRegionError,)),
        (Why.MISSING, (botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.ProfileNotFound)),
        (
            Why.EXPIRED,
            (botocore.SSOError, botocore.TokenRetrievalError, botocore.CredentialRetrievalError),
        ),
        (Why.UNREACHABLE, (botocore.HTTPClientError, botocore.ConnectionError, OSError)),
    )
    for why, classes in kinds:
        if isinstance(error, classes):
            return Failure(why, str(error))
    return Failure(Why.OTHER, f"{type(error).__name__}: {error}")


def _answered(error: ClientError) -> Failure:
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    why = next((kind for kind, codes in _CODES.items() if code in codes), Why.OTHER)
    if why is Why.OTHER:
        why = Why.GONE if _GONE.search(code) else Why.BUSY if _BUSY.match(code) else Why.OTHER
    if why is Why.OTHER and status >= 500:  # noqa: PLR2004 - the server's own errors
        why = Why.UNREACHABLE
    text = f"{error.operation_name}: {code}{f' ({message})' if message else ''}"
    return Failure(why, text, code, error.operation_name)


def tool_error(doing: str, error: Exception) -> ToolError:
    """The error for a person: what was tried, what AWS said, and what to do.

    Args:
        doing: what was tried, in words, in the past: `Listed the queues`.
        error: what came of it.
    """
    failure = failure_of(error)
    return ToolError(f"{doing}, and {failure.why}: {failure.text}.", hint=_HINTS.get(failure.why, ""))


@contextmanager
def asking(doing: str) -> Iterator[None]:
    """What boto3 raises inside becomes a ToolError that says what was tried.

    Raises:
        ToolError: AWS did not answer, or refused.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, OSError) as error:
        raise tool_error(doing, error) from error
