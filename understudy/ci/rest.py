"""A REST API over urllib: JSON both ways, bounded patience where it limits or fails, the token never shown."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from time import sleep, time
from urllib.parse import urlencode, urlsplit

from understudy.errors import ExportError, UsageError

__all__ = ["ApiError", "Reply", "Rest"]

_PATIENCE = 120.0
"""Seconds that one request waits in all for a service that limits or fails."""

_ATTEMPTS = 5
_TIMEOUT = 30.0
_LARGEST = 64 << 20
_LIMITED = frozenset({403, 429})
_FAILING = frozenset({500, 502, 503, 504})


class ApiError(ExportError):
    """A service refused a request or did not answer; `status` is its answer's, 0 where there was none."""

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its JSON, and its headers."""

    data: object
    headers: Message


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirection is an answer like any other: following it would carry the token to another host."""

    def redirect_request(self, *_arguments: object, **_more: object) -> None:
        """Follow nothing."""


class Rest:
    """Requests below one base URL, with the same headers, one of which holds the token."""

    def __init__(self, base: str, headers: Mapping[str, str], *, hints: Mapping[int, str]) -> None:
        """`hints`: status -> what to do about it.

        Raises:
            UsageError: the URL is not HTTPS (HTTP counts for this machine alone), or a header is no header.
        """
        parts = urlsplit(base)
        if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"})):
            raise UsageError(f"The API's URL is {base!r}, and a token is sent over HTTPS only.")
        if not all(re.fullmatch(r"[\x20-\x7e]+", value) for value in headers.values()):
            raise UsageError("The token has characters that no token has.", hint="Look for a line feed at its end.")
        self._base = base.rstrip("/")
        self._headers = {"User-Agent": "understudy", "Content-Type": "application/json", **headers}
        self._hints = hints
        self._opener = urllib.request.build_opener(_NoRedirects())

    def get(self, path: str, **query: str | int) -> Reply:
        """Ask, again where the service limits or fails.

        Raises:
            ApiError: there is no answer, or it is a refusal.
        """
        return self._patiently("GET", f"{path}?{urlencode(query)}" if query else path, None, again=True)

    def send(self, method: str, path: str, data: object) -> Reply:
        """Change something. What is only limited is sent again; what failed too, unless that would make a second one.

        Raises:
            ApiError: there is no answer, or it is a refusal.
        """
        return self._patiently(method, path, json.dumps(data).encode(), again=method != "POST")

    def _patiently(self, method: str, path: str, body: bytes | None, *, again: bool) -> Reply:
        left = _PATIENCE
        for attempt in range(_ATTEMPTS):
            try:
                return self._once(method, path, body)
            except urllib.error.HTTPError as error:
                said = _said(error)
                limited = _limited(error, said)
                wait = max(limited or 0.0, float(2**attempt))
                if (limited is None and not (again and error.code in _FAILING)) or not self._worth(attempt, wait, left):
                    raise self._refused(method, path, error, said) from None
            except (OSError, HTTPException, ValueError) as error:
                wait = float(2**attempt)
                if not again or not self._worth(attempt, wait, left):
                    raise ApiError(f"{method} {self._base}{path}: {type(error).__name__}: {error}.") from None
            left -= wait
            sleep(wait)
        raise AssertionError(path)

    def _worth(self, attempt: int, wait: float, left: float) -> bool:
        return attempt + 1 < _ATTEMPTS and wait <= left

    def _once(self, method: str, path: str, body: bytes | None) -> Reply:
        request = urllib.request.Request(self._base + path, body, self._headers, method=method)  # noqa: S310 - its scheme is held above
        with self._opener.open(request, timeout=_TIMEOUT) as answer:
            text = answer.read(_LARGEST + 1)
            if len(text) > _LARGEST:
                raise ValueError(f"the answer is larger than {_LARGEST} bytes")
            return Reply(json.loads(text) if text else None, answer.headers)

    def _refused(self, method: str, path: str, error: urllib.error.HTTPError, said: str) -> ApiError:
        text = f"{method} {self._base}{path}: {error.code} {error.reason}" + (f": {said}" if said else "")
        return ApiError(f"{text}.", status=error.code, hint=self._hints.get(error.code, ""))


def _said(error: urllib.error.HTTPError) -> str:
    try:
        data = json.loads(error.read(1 << 16))
    except (OSError, HTTPException, ValueError):
        return ""
    return str(data.get("message", ""))[:500] if isinstance(data, dict) else ""


def _limited(error: urllib.error.HTTPError, said: str) -> float | None:
    """The seconds to wait where the service limits requests; None where it does not.

    As "Rate limits for the REST API" says: `retry-after`, else until `x-ratelimit-reset` where nothing remains, else
    a minute. A 403 that says nothing of a limit is a refusal.
    """
    if error.code not in _LIMITED:
        return None
    after = error.headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        return float(after)
    reset = error.headers.get("x-ratelimit-reset", "")
    if error.headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit():
        return max(0.0, float(reset) - time())
    return 60.0 if error.code == 429 or "rate limit" in said.lower() else None  # noqa: PLR2004 - RFC 6585
