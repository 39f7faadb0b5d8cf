"""Each kind of failure of AWS in words: answers as AWS words them, and connections that really fail."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore import exceptions as botocore
from botocore.config import Config
from botocore.exceptions import ClientError

from understudy.aws_failures import Why, asking, failure_of, tool_error
from understudy.errors import ToolError

SILENT = Config(connect_timeout=0.2, read_timeout=0.2, retries={"total_max_attempts": 1})


def answer(code: str, status: int = 400, message: str = "m", tries: int = 1) -> ClientError:
    about = {"HTTPStatusCode": status, "RetryAttempts": tries - 1}
    said: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}
    return ClientError(said, "DeleteThing")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        *((answer(code), Why.EXPIRED) for code in ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId")),
        *((answer(code), Why.EXPIRED) for code in ("SignatureDoesNotMatch", "InvalidSignatureException")),
        *((answer(code), Why.DENIED) for code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")),
        *((answer(code), Why.THROTTLED) for code in ("Throttling", "ThrottlingException", "RequestLimitExceeded")),
        *((answer(code), Why.BUSY) for code in ("DependencyViolation", "ResourceInUse", "InvalidDBInstanceState")),
        *((answer(code), Why.BUSY) for code in ("DeleteConflict", "BucketNotEmpty", "InvalidDBClusterStateFault")),
        *((answer(code), Why.GONE) for code in ("InvalidGroup.NotFound", "NoSuchEntity", "DBInstanceNotFound")),
        *((answer(code), Why.GONE) for code in ("ResourceNotFoundException", "NoSuchBucket", "TargetGroupNotFound")),
        (answer("AWS.SimpleQueueService.NonExistentQueue"), Why.GONE),
        (answer("ClusterNotFoundException"), Why.GONE),
        (answer("NoSuchKey", 404), Why.GONE),
        (answer("404", 404), Why.OTHER),
        (answer("403", 403), Why.DENIED),
        (answer("SlowDown", 503), Why.THROTTLED),
        (answer("InternalError", 500), Why.SERVER),
        (answer("InvalidAction"), Why.UNKNOWN),
        (answer("RequestTimeTooSkewed", 403), Why.CLOCK),
        (answer("ValidationError"), Why.OTHER),
        (botocore.NoCredentialsError(), Why.MISSING),
        (botocore.ProfileNotFound(profile="p"), Why.MISSING),
        (botocore.NoRegionError(), Why.REGION),
        (botocore.InvalidRegionError(region_name="eu west"), Why.STRANGE_REGION),
        (botocore.ConnectTimeoutError(endpoint_url="u"), Why.TIMEOUT),
        (botocore.ReadTimeoutError(endpoint_url="u"), Why.TIMEOUT),
        (botocore.EndpointConnectionError(endpoint_url="u"), Why.UNREACHABLE),
        (botocore.ProxyConnectionError(proxy_url="u"), Why.UNREACHABLE),
        (botocore.SSLError(endpoint_url="u", error="e"), Why.TLS),
        (botocore.SSOTokenLoadError(error_msg="e"), Why.EXPIRED),
        (botocore.UnauthorizedSSOTokenError(), Why.EXPIRED),
        (botocore.TokenRetrievalError(provider="sso", error_msg="e"), Why.EXPIRED),
        (botocore.CredentialRetrievalError(provider="p", error_msg="e"), Why.EXPIRED),
        (botocore.IncompleteReadError(actual_bytes=1, expected_bytes=2), Why.UNREACHABLE),
        (ConnectionResetError("reset"), Why.UNREACHABLE),
        (botocore.DataNotFoundError(data_path="p"), Why.OTHER),
    ],
    ids=lambda value: str(getattr(value, "name", value))[:40],
)
def test_errors_are_told_apart(error: Exception, why: Why) -> None:
    assert failure_of(error).why is why


@pytest.mark.parametrize(
    ("error", "again"),
    [
        *((answer(code, 503), True) for code in ("SlowDown", "InternalError", "ServiceUnavailable")),
        *((answer(code), True) for code in ("RequestTimeout", "BadDigest", "OperationAborted", "Throttling")),
        (answer("TooManyRequests", 429), True),
        *((answer(code, 403), False) for code in ("AccessDenied", "ExpiredToken", "NoSuchBucket")),
        (botocore.ReadTimeoutError(endpoint_url="u"), True),
        (botocore.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), True),
        (botocore.ResponseStreamingError(error="cut"), True),
        (botocore.SSLError(endpoint_url="u", error="UNEXPECTED_EOF_WHILE_READING"), True),
        (botocore.SSLError(endpoint_url="u", error="CERTIFICATE_VERIFY_FAILED"), False),
        (botocore.NoCredentialsError(), False),
        (botocore.ParamValidationError(report="r"), False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_another_try_may_help(error: Exception, *, again: bool) -> None:
    assert failure_of(error).again is again


def test_a_refusal_names_the_action_as_aws_does_and_else_the_operation() -> None:
    said = (
        "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecs:DeleteService on resource: * "
        "because no identity-based policy allows the ecs:DeleteService action"
    )
    with (
        pytest.raises(ToolError, match=r"^Deleted a thing, and the credentials do not permit it: ") as raised,
        asking("Deleted a thing"),
    ):
        raise answer("AccessDeniedException", 400, said)
    assert raised.value.hint == "Give the role or user the permission for ecs:DeleteService."
    assert said in str(raised.value)
    unnamed = tool_error("Deleted a thing", answer("AccessDenied", 403, "Access Denied"))
    assert unnamed.hint == "Give the role or user the permission for DeleteThing."


def test_who_asks_may_know_better_what_to_do() -> None:
    error = tool_error("Read it", answer("AccessDenied"), {Why.DENIED: "See docs/aws.md."})
    assert error.hint == "See docs/aws.md."
    assert "aws sso login" in tool_error("Read it", answer("ExpiredToken"), {Why.DENIED: "no"}).hint


def test_a_throttled_call_says_how_often_it_was_made() -> None:
    error = tool_error("Listed the queues", answer("ThrottlingException", 400, "Rate exceeded", tries=6))
    assert error.args[0] == (
        "Listed the queues, and AWS takes no more requests for now: DeleteThing: ThrottlingException (Rate exceeded) "
        "after 6 tries."
    )
    assert "quota" in error.hint


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "opens-nothing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "opens-nothing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def asked(url: str | None = None, region: str = "eu-west-1") -> ToolError:
    """What a person is told of a real call to where nothing good is."""
    with pytest.raises(ToolError) as raised, asking("Asked AWS whose the credentials are"):
        boto3.Session().client("sts", endpoint_url=url, region_name=region, config=SILENT).get_caller_identity()
    return raised.value


@pytest.mark.usefixtures("keys")
def test_no_credentials_say_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    error = asked("http://127.0.0.1:1")
    assert "and there are no credentials: Unable to locate credentials." in error.args[0]
    assert "AWS_PROFILE" in error.hint


@pytest.mark.usefixtures("keys")
def test_where_nobody_listens_the_endpoint_is_named() -> None:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{there.getsockname()[1]}"
        error = asked(url)
    assert "and AWS does not answer: " in error.args[0]
    assert url in error.args[0]
    assert "AWS_ENDPOINT_URL" in error.hint


@pytest.mark.usefixtures("keys")
def test_who_takes_a_call_and_says_nothing_is_out_of_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        error = asked(f"http://127.0.0.1:{there.getsockname()[1]}")
    assert "and AWS does not answer in time: Read timeout" in error.args[0]
    assert "network" in error.hint


@pytest.mark.usefixtures("keys")
def test_a_region_that_no_partition_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever resolves names where this runs: nobody is reached through a proxy that is not there either."""

    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    strange = asked(region="eu-middle-7")
    assert "and the region is none that is known: 'eu-middle-7'; " in strange.args[0]
    assert "AWS_REGION" in strange.hint
    assert "and AWS does not answer: " in asked(region="eu-west-1").args[0]


@contextmanager
def encrypted() -> Iterator[str]:
    """A server whose certificate is of an authority that nobody here knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client hangs up, as it is meant to
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.usefixtures("keys")
def test_a_certificate_that_nobody_trusts_is_no_silence() -> None:
    with encrypted() as url:
        error = asked(url)
    assert "and the encrypted connection failed: " in error.args[0]
    assert "CERTIFICATE_VERIFY_FAILED" in error.args[0]
    assert "AWS_CA_BUNDLE" in error.hint
