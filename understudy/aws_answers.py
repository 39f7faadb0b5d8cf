"""What answers in the place of AWS is found out before botocore reads it, which takes a page for an empty list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.model import OperationModel

__all__ = ["hold_answers"]

_BEGINS = {"json": b"{", "query": b"<", "ec2": b"<"}
"""The protocols whose answers begin so, where they are not empty; S3's (`rest-xml`) may hold anything."""

_PAGE = (b"<html", b"<!doctype html")
_ELSEWHERE = frozenset({302, 303})
"""No call of AWS's is answered so; a sign-in page sends there."""

_SERVER = 500
_LONGEST = 80
"""Characters of a foreign answer that are shown."""

_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


def hold_answers(session: Session) -> None:
    """Have the clients that a session makes from now on refuse what is no answer of AWS's.

    Such is a page of HTML, a text where JSON or XML is due, or what leads elsewhere, as proxies and sign-in pages send
    it. botocore reads one with the status 200 as an answer that names nothing, and what is there would count as gone.
    With a status from 500 on it is an error that is tried again, as botocore does it with some pages, and with what S3
    answers and is no XML.

    A client raises botocore's ResponseParserError, with one line that has operation, status and the page's title.
    """
    session.events.register("before-parse", _hold)


def _hold(
    operation_model: OperationModel,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: object,
) -> None:
    from botocore.parsers import ResponseParserError

    body, status = response_dict["body"], response_dict["status_code"]
    if not isinstance(body, bytes):  # the stream of an object, which may be a page
        return
    if not _is_foreign(body, status, operation_model.service_model.resolved_protocol):
        return
    said = _said(body)
    if status < _SERVER:
        raise ResponseParserError(f"{operation_model.name}: HTTP {status}{said and f' ({said})'}")
    response_dict["body"] = b""
    customized_response_dict["Error"] = {"Code": str(status), "Message": said}


def _is_foreign(body: bytes, status: int, protocol: str) -> bool:
    if status in _ELSEWHERE:
        return True
    began, due = body[:1000].lstrip().lower(), _BEGINS.get(protocol, b"")
    return began.startswith(_PAGE) or (began != b"" and not began.startswith(due))


def _said(body: bytes) -> str:
    """The title of a page, or how it begins."""
    text = body.decode("utf-8", "replace")
    title = _TITLE.search(text)
    return " ".join((title[1] if title else text).split())[:_LONGEST]
