"""What an error of boto3 means: one table from AWS's codes and botocore's classes to a kind, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from understudy.errors import ToolError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

__all__ = ["Failure", "Why", "asking", "aws_errors", "failure_of", "tool_error"]


class Why(StrEnum):
    """The kinds of failure that are told apart."""

    GONE = "it is not there"
    BUSY = "something still uses it, or it is changing"
    THROTTLED = "AWS takes no more requests for now"
    DENIED = "the credentials do not permit it"
    EXPIRED = "the credentials are over or not valid"
    MISSING = "there are no credentials"
    CLOCK = "this machine's clock is not that of AWS"
    REGION = "no region is named"
    STRANGE_REGION = "the region is none that is known"
    UNKNOWN = "AWS does not know that action there"
    SERVER = "AWS failed"
    FOREIGN = "what answered is not AWS"
    TIMEOUT = "AWS does not answer in time"
    TLS = "the encrypted connection failed"
    UNREACHABLE = "AWS does not answer"
    OTHER = "it failed"


_NETWORK = "Look at the network, the proxy variables, the region's name and AWS_ENDPOINT_URL."

_HINTS: Mapping[Why, str] = {
    Why.THROTTLED: "Try again later, or ask AWS for a higher quota of requests.",
    Why.EXPIRED: "Sign in again (`aws sso login`), or give new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
    "AWS_SESSION_TOKEN. An account in which the region is not enabled answers like this too.",
    Why.MISSING: "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.",
    Why.CLOCK: "Set the clock: AWS takes no request whose time is 15 minutes off.",
    Why.REGION: "Set AWS_REGION, or a region in the profile.",
    Why.STRANGE_REGION: "Look at AWS_REGION and the profile's region; a region newer than the installed botocore needs "
    "a newer one.",
    Why.SERVER: "Try again later; https://health.aws.amazon.com says what AWS knows of it.",
    Why.FOREIGN: "Something between here and AWS answered in its place, such as a proxy or a sign-in page, or "
    "AWS_ENDPOINT_URL names a server that is none of AWS's: look at HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL.",
    Why.TIMEOUT: _NETWORK,
    Why.TLS: "A proxy that reads along needs its certificate named: AWS_CA_BUNDLE is the file that has it.",
    Why.UNREACHABLE: _NETWORK,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What one error says.

    `text` is AWS's own words with the operation. `again`: another try may help. `code` is AWS's, `status` HTTP's (0: no
    answer). `action` is the IAM action that was refused, as far as AWS names it, else the operation.
    """

    why: Why
    text: str
    again: bool = False
    code: str = ""
    status: int = 0
    action: str = ""

    def said(self, doing: str) -> str:
        """The sentence for a person: `doing` is what was tried, in the past (`Listed the queues`)."""
        return f"{doing}, and {self.why}: {self.text}."

    @property
    def hint(self) -> str:
        """What to do about it; empty: nothing general can be said."""
        if self.why is Why.DENIED:
            return f"Give the role or user the permission for {self.action}." if self.action else ""
        return _HINTS.get(self.why, "")


_GONE = re.compile(
    r"(NotFound|NotFoundException|NotFoundFault|NoSuchEntity|NoSuchBucket|NoSuchKey|NoSuchUpload|NonExistentQueue"
    r"|QueueDoesNotExist|ServiceNotActiveException)$"
)
"""The endings that services give to what is not there; a plain 404 is none, since anything between may send it."""

_BUSY = re.compile(
    r"^(DependencyViolation|ResourceInUse(Exception)?|ResourceInUseFault|DeleteConflict|BucketNotEmpty"
    r"|OperationAborted|ConcurrentModification(Exception)?|UpdateInProgressException|OperationInProgress"
    r"|Invalid(DBInstance|DBCluster|DBSnapshot|DBClusterSnapshot|CacheCluster|ReplicationGroup|User)State(Fault)?)$"
)


def _codes(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CODES: Mapping[Why, frozenset[str]] = {
    Why.THROTTLED: _codes(
        "Throttling ThrottlingException ThrottledException TooManyRequestsException SlowDown RequestLimitExceeded "
        "RequestThrottled RequestThrottledException BandwidthLimitExceeded PriorRequestNotComplete"
    ),
    Why.DENIED: _codes(
        "AccessDenied AccessDeniedException UnauthorizedOperation AuthorizationError NotAuthorized UnauthorizedAccess "
        "403"  # S3 answers HEAD without a body, and botocore takes the status for the code
    ),
    Why.EXPIRED: _codes(
        "ExpiredToken ExpiredTokenException RequestExpired InvalidClientTokenId InvalidToken AuthFailure "
        "UnrecognizedClientException InvalidAccessKeyId SignatureDoesNotMatch InvalidSignatureException"
    ),
    Why.CLOCK: _codes("RequestTimeTooSkewed RequestInTheFuture"),
    Why.UNKNOWN: _codes("InvalidAction UnknownOperationException NotImplemented UnsupportedOperation"),
}

_AGAIN_STATUS = frozenset({408, 429})
_AGAIN_CODES = frozenset({"RequestTimeout", "BadDigest", "XAmzContentSHA256Mismatch", "OperationAborted"})
"""Answers of the 4xx kind after which another try may help (Amazon S3 API Reference, "Error Responses")."""

_REFUSED_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
"""How AWS names the action (IAM User Guide, "Troubleshoot access denied error messages")."""


def aws_errors() -> tuple[type[Exception], ...]:
    """What a call by boto3 raises where AWS refuses it, does not answer, or something else answers in its place."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return (BotoCoreError, ClientError, ResponseParserError, OSError)


def failure_of(error: Exception) -> Failure:
    """What an error of boto3, or of what is below it, says."""
    from botocore.exceptions import ClientError

    return _answered(error) if isinstance(error, ClientError) else _unanswered(error)


def _unanswered(error: Exception) -> Failure:
    """The first row whose classes it is of counts: botocore's own of a connection are several kinds at once."""
    from botocore import exceptions as botocore
    from botocore.parsers import ResponseParserError

    rows: tuple[tuple[Why, tuple[type[Exception], ...]], ...] = (
        (Why.REGION, (botocore.NoRegionError,)),
        (Why.STRANGE_REGION, (botocore.InvalidRegionError, botocore.UnknownRegionError)),
        (Why.MISSING, (botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.ProfileNotFound)),
        (Why.EXPIRED, (botocore.SSOError, botocore.TokenRetrievalError, botocore.CredentialRetrievalError)),
        (Why.FOREIGN, (ResponseParserError,)),
        (Why.TLS, (botocore.SSLError,)),
        (Why.TIMEOUT, (botocore.ConnectTimeoutError, botocore.ReadTimeoutError, TimeoutError)),
        (
            Why.UNREACHABLE,
            (botocore.HTTPClientError, botocore.ConnectionError, botocore.IncompleteReadError, OSError),
        ),
    )
    why = next((why for why, classes in rows if isinstance(error, classes)), Why.OTHER)
    text = str(error).rstrip(".")
    if why is Why.FOREIGN:  # botocore's words have all of what came after the first line
        return Failure(why, text.partition("\n")[0].rstrip(":"))
    if why is Why.UNREACHABLE and (region := _strange_region(error)):
        return Failure(Why.STRANGE_REGION, f"{region!r}; {text}")
    if not isinstance(error, botocore.BotoCoreError):
        text = f"{type(error).__name__}: {text}"
    certificate = why is Why.TLS and "CERTIFICATE_VERIFY_FAILED" in text
    return Failure(why, text, why in {Why.TLS, Why.TIMEOUT, Why.UNREACHABLE} and not certificate)


def _strange_region(error: Exception) -> str:
    """The region in the name of AWS's own host that was not reached, where no partition has one of that name."""
    from botocore.exceptions import EndpointConnectionError
    from botocore.session import get_session

    if not isinstance(error, EndpointConnectionError):
        return ""
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname or ""
    found = re.search(r"\.([a-z]{2,}(?:-[a-z]+)+-\d+)\.amazonaws\.com(?:\.cn)?$", host)
    if found is None:
        return ""
    core = get_session()
    known = (core.get_available_regions("ec2", each) for each in core.get_available_partitions())
    return "" if any(found[1] in regions for regions in known) else found[1]


def _answered(error: ClientError) -> Failure:
    said, about = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(said.get("Code") or ""), str(said.get("Message") or "").strip().rstrip(".")
    status, tries = about.get("HTTPStatusCode", 0), about.get("RetryAttempts", 0) + 1
    why = next((kind for kind, codes in _CODES.items() if code in codes), Why.OTHER)
    if why is Why.OTHER:
        why = Why.GONE if _GONE.search(code) else Why.BUSY if _BUSY.match(code) else Why.OTHER
    if why is Why.OTHER and code == "InvalidParameterValue" and "in use" in message:  # EC2, of a network interface
        why = Why.BUSY
    if why is Why.OTHER and status >= 500:  # noqa: PLR2004 - the server's own errors
        why = Why.SERVER
    text = f"{error.operation_name}: {code or f'HTTP {status}'}{f' ({message})' if message else ''}"
    text += f" after {tries} tries" if tries > 1 else ""
    again = (
        why in {Why.THROTTLED, Why.SERVER} or status >= 500 or status in _AGAIN_STATUS or code in _AGAIN_CODES  # noqa: PLR2004 - as above
    )
    named = _REFUSED_ACTION.search(message)
    action = (named[1] if named else error.operation_name) if why is Why.DENIED else ""
    return Failure(why, text, again, code, status, action)


_NONE: Mapping[Why, str] = MappingProxyType({})


def tool_error(doing: str, error: Exception, hints: Mapping[Why, str] = _NONE) -> ToolError:
    """The error for a person: what was tried, what AWS said, and what to do.

    Args:
        doing: what was tried, in words, in the past: `Listed the queues`.
        error: what came of it.
        hints: what to do where that is more than the table knows.
    """
    failure = failure_of(error)
    return ToolError(failure.said(doing), hint=hints.get(failure.why, failure.hint))


@contextmanager
def asking(doing: str) -> Iterator[None]:
    """What boto3 raises inside becomes a ToolError that says what was tried.

    Raises:
        ToolError: AWS did not answer, or refused.
    """
    try:
        yield
    except aws_errors() as error:
        raise tool_error(doing, error) from error
