"""What a mock was asked: WireMock's journal, fetched within a time and a size."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass

from understudy.errors import ExportError

__all__ = ["LARGEST", "TIME_LIMIT", "MockAddress", "MockCounts", "MockLog", "fetch_mock_log"]

TIME_LIMIT = 10.0
"""Seconds for both journals of one mock together."""

LARGEST = 64 << 20
"""Bytes of a journal above which it is refused."""

_OK = 200
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class MockCounts:
    """How often a mock was asked, how often it had no answer, and how many requests were removed from its journal."""

    requests: int
    unmatched: int
    lost: int = 0


@dataclass(frozen=True, slots=True)
class MockLog:
    """Both journals as WireMock gives them (its admin API, `/__admin/requests` and `/__admin/requests/unmatched`)."""

    requests: dict[str, object]
    unmatched: dict[str, object]

    def counts(self) -> MockCounts:
        """The lengths of the journals."""
        return MockCounts(_length(self.requests), _length(self.unmatched))


def _length(journal: dict[str, object]) -> int:
    entries = journal.get("requests")
    return len(entries) if isinstance(entries, list) else 0


@dataclass(frozen=True, slots=True)
class MockAddress:
    """Where a mock answers. `authority`: the certificate (PEM) that it is verified with; empty: it speaks HTTP."""

    host: str
    port: int
    authority: str = ""


def fetch_mock_log(at: MockAddress, *, time_limit: float = TIME_LIMIT, largest: int = LARGEST) -> MockLog:
    """Fetch both journals from a mock. No proxy is used and no redirection followed.

    Raises:
        ExportError: the mock does not answer in time, or not as WireMock does.
    """
    deadline = time.monotonic() + time_limit
    requests, unmatched = (
        _fetch(at, path, deadline, largest) for path in ("/__admin/requests", "/__admin/requests/unmatched")
    )
    return MockLog(requests, unmatched)


def _fetch(at: MockAddress, path: str, deadline: float, largest: int) -> dict[str, object]:
    what = f"Fetched a mock's requests from {at.host}:{at.port}{path}"
    connection = http.client.HTTPConnection(at.host, at.port)
    try:
        if at.authority:
            context = ssl.create_default_context(cadata=at.authority)
            connection = http.client.HTTPSConnection(at.host, at.port, context=context)
        connection.timeout = _left(deadline)
        connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
        response = connection.getresponse()
        if response.status != _OK:
            raise ExportError(f"{what}, and the answer was {response.status}.")
        journal = json.loads(_read(response, deadline, largest))
    except TimeoutError as error:
        raise ExportError(f"{what}, and it took too long.") from error
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise ExportError(f"{what}, and it failed: {type(error).__name__}: {error}.") from error
    finally:
        connection.close()
    if not isinstance(journal, dict):
        raise ExportError(f"{what}, and the answer is no JSON object.")
    return journal


def _read(response: http.client.HTTPResponse, deadline: float, largest: int) -> bytes:
    data = bytearray()
    while chunk := response.read1(_CHUNK):
        data += chunk
        _left(deadline)
        if len(data) > largest:
            raise ValueError(f"larger than {largest} bytes")
    return bytes(data)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
