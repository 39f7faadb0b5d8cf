"""What answers in the place of AWS - a proxy's page, a sign-in, nonsense - is never read as an answer of AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from s3_server import Answering, credentials, serve_handler

from understudy.aws_failures import Why, asking, aws_errors, failure_of
from understudy.errors import ToolError
from understudy.production_aws_calls import open_session
from understudy.s3_client import S3Access, make_client
from understudy.targets.aws.session import AwsAccess, AwsSession

LISTINGS = {"ec2": "describe_vpcs", "sts": "get_caller_identity", "ecs": "list_clusters", "s3": "list_buckets"}
"""A call of each protocol that is spoken: ec2's own, query, JSON, S3's."""

BLOCKED = "<html><head><title>403\n Forbidden</title></head><body><h1>Blocked by policy</h1><br></body></html>"
WELL_FORMED = "<html lang='en'><head><title>Sign in</title></head><body></body></html>"
WERKZEUG = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<p>a & b"


@dataclass
class Answer:
    """What the server says to everything; `asked` counts."""

    url: str
    status: int = 200
    body: str = ""
    asked: int = 0
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/html"})


@pytest.fixture(scope="module")
def server() -> Iterator[Answer]:
    told = Answer("")

    class Handler(Answering):
        def handle_request(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.asked += 1
            self.answer(told.status, told.headers, told.body.encode())

    with serve_handler(Handler) as port:
        told.url = f"http://127.0.0.1:{port}"
        yield told


@pytest.fixture
def there(server: Answer, monkeypatch: pytest.MonkeyPatch) -> Answer:
    for name, value in credentials(server.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    server.asked = 0
    return server


@pytest.fixture(scope="module")
def clients() -> dict[int, AwsSession]:
    """By the tries of a request; making a client costs more than all that is asked here."""
    return {tries: AwsSession(AwsAccess("eu-west-1"), attempts=tries) for tries in (1, 3)}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits between the tries of a request; here it does not."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


def asked(aws: AwsSession, service: str) -> Any:
    return getattr(aws.client(service), LISTINGS[service])()


def failing(aws: AwsSession, service: str) -> tuple[Why, str]:
    with pytest.raises(aws_errors()) as raised:
        asked(aws, service)
    failure = failure_of(raised.value)
    return failure.why, failure.text


PAGES = [
    (200, BLOCKED, "HTTP 200 (403 Forbidden)"),
    (200, WELL_FORMED, "HTTP 200 (Sign in)"),
    (200, WERKZEUG, "HTTP 200 (500 Internal Server Error)"),
    (302, "", "HTTP 302"),
    (403, BLOCKED, "HTTP 403 (403 Forbidden)"),
    (404, WELL_FORMED, "HTTP 404 (Sign in)"),
]


@pytest.mark.parametrize("service", LISTINGS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page[2])
def test_a_page_is_no_answer_in_any_protocol(
    there: Answer, clients: dict[int, AwsSession], service: str, page: tuple[int, str, str]
) -> None:
    there.status, there.body, said = page
    broken = service == "s3" and there.status == 200 and there.body != WELL_FORMED
    why, text = failing(clients[1], service)
    assert why is (Why.SERVER if broken else Why.FOREIGN)
    assert text.partition(": ")[2] == said.replace("HTTP 200", "500" if broken else "HTTP 200")


@pytest.mark.parametrize("service", ["ec2", "ecs"])
@pytest.mark.parametrize("body", ["upstream connect error", '"no"', "[1]"])
def test_a_text_where_json_or_xml_is_due_is_no_answer(
    there: Answer, clients: dict[int, AwsSession], service: str, body: str
) -> None:
    there.status, there.body = 200, body
    assert failing(clients[1], service)[0] is Why.FOREIGN


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("service", LISTINGS)
@pytest.mark.parametrize("page", [(503, BLOCKED), (500, WERKZEUG), (502, WELL_FORMED)], ids=["503", "500", "502"])
def test_a_page_of_a_server_that_failed_is_tried_again_and_has_a_reason(
    there: Answer, clients: dict[int, AwsSession], service: str, page: tuple[int, str]
) -> None:
    there.status, there.body = page
    why, text = failing(clients[3], service)
    assert why is Why.SERVER
    assert f": {there.status} (" in text
    assert text.endswith(") after 3 tries")
    assert there.asked == 3


def test_what_a_person_is_told_names_the_call_the_page_and_what_to_look_at(
    there: Answer, clients: dict[int, AwsSession]
) -> None:
    there.status, there.body = 403, BLOCKED + "x" * 10_000
    with pytest.raises(ToolError) as raised:
        clients[1].account()
    assert raised.value.args[0] == (
        "Asked AWS whose the credentials are, and what answered is not AWS: GetCallerIdentity: HTTP 403 "
        "(403 Forbidden)."
    )
    for name in ("HTTPS_PROXY", "NO_PROXY", "AWS_ENDPOINT_URL"):
        assert name in raised.value.hint


def test_what_botocore_cannot_read_is_told_without_all_of_it(there: Answer, clients: dict[int, AwsSession]) -> None:
    there.status, there.body = 200, "<Cut>" + "x" * 10_000
    with pytest.raises(ToolError) as raised, asking("Listed the VPCs"):
        asked(clients[1], "ec2")
    assert raised.value.args[0].startswith("Listed the VPCs, and what answered is not AWS: Unable to parse response")
    assert len(raised.value.args[0]) < 300


def test_every_session_is_held_to_it(there: Answer) -> None:
    there.status, there.body = 200, WELL_FORMED
    with pytest.raises(aws_errors()) as raised:
        open_session({"AWS_REGION": "eu-west-1"}).client("sqs").list_queues()
    assert failure_of(raised.value).why is Why.FOREIGN
    with pytest.raises(aws_errors()) as raised:
        make_client("of a test", 1, S3Access("eu-west-1")).list_objects_v2(Bucket="some")
    assert failure_of(raised.value).why is Why.FOREIGN


def test_what_an_object_holds_is_its_own(there: Answer) -> None:
    there.status, there.body = 200, WELL_FORMED
    answer = make_client("of a test", 1, S3Access("eu-west-1")).get_object(Bucket="some", Key="report.html")
    assert answer["Body"].read().decode() == WELL_FORMED
