"""The mocks' journals, read while the tests run: what a test removes from one is kept, and that it did is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

from understudy.errors import ExportError
from understudy.export.mocks import MockAddress, MockCounts, MockLog, fetch_mock_log

__all__ = ["EVERY", "MockWatch", "complaints", "joined"]

EVERY = 2.0
"""Seconds between two looks at all journals. What is asked and removed between two looks is not seen."""

_SHARE = 20
"""How many times as long as a look took is waited before the next: a large journal is fetched whole."""

_MOST = 10_000
"""Requests of one mock that are remembered beside its journal."""


class MockWatch:
    """Looks at every journal until it is closed; a mock that does not answer is asked again."""

    def __init__(self, mocks: Mapping[str, MockAddress], every: float = EVERY) -> None:
        self._mocks = dict(mocks)
        self._every = every
        self._seen: dict[str, MockLog] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mocks", daemon=True)
        if self._mocks:
            self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it looks."""
        return self._thread.is_alive()

    def seen(self, mock: str, requests: int) -> bool:
        """Whether so many requests of a mock have been seen by now."""
        return mock in self._seen and self._seen[mock].counts().requests >= requests

    def close(self) -> Mapping[str, MockLog]:
        """End, and give what was seen: mock -> all requests of its journal at any look."""
        self._done.set()
        if self._mocks:
            self._thread.join()
        return self._seen

    def _work(self) -> None:
        pause = self._every
        while not self._done.wait(pause):
            began = time.monotonic()
            for name, address in self._mocks.items():
                if self._done.is_set():
                    return
                try:
                    log = fetch_mock_log(address)
                except ExportError:
                    continue
                self._seen[name] = joined(self._seen[name], log)[0] if name in self._seen else log
            pause = max(self._every, _SHARE * (time.monotonic() - began))


def joined(before: MockLog, now: MockLog) -> tuple[MockLog, int]:
    """A journal with what was seen of it before, and how many of those requests it does not hold any more.

    Requests are known by the id that WireMock gives each (`id` of a served event, a UUID).
    """
    requests, lost = _joined(before.requests, now.requests)
    unmatched, _ = _joined(before.unmatched, now.unmatched)
    return MockLog(requests, unmatched), lost


def complaints(counts: Mapping[str, MockCounts]) -> Iterator[tuple[str, str]]:
    """(mock, what is to be said of it) for those whose journals are not as they were written."""
    for name, count in counts.items():
        if count.lost:
            yield name, f"{count.lost} requests were removed from its journal while the tests ran; they are kept here"


def _joined(before: Mapping[str, object], now: Mapping[str, object]) -> tuple[dict[str, object], int]:
    here = _entries(now)
    ids = {_id(entry) for entry in here}
    gone = [entry for entry in _entries(before) if _id(entry) is not None and _id(entry) not in ids]
    return {**now, "requests": [*here, *gone][: max(_MOST, len(here))]}, len(gone)


def _entries(journal: Mapping[str, object]) -> list[object]:
    found = journal.get("requests")
    return found if isinstance(found, list) else []


def _id(entry: object) -> object:
    """The id of a served event; unmatched requests are the bare request, known by what it was and when."""
    if not isinstance(entry, dict):
        return None
    known = entry.get("id")
    return known if isinstance(known, str) else repr(sorted(entry.items(), key=lambda pair: str(pair[0])))
