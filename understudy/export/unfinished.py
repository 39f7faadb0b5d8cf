"""What suites have come to while they run: in the record that is written by then, and in `junit.xml`, until the end."""

from __future__ import annotations

import threading

from understudy.export.folder import RunFolder
from understudy.files import write_file
from understudy.report import RunRecord
from understudy.suites.junit import render_junit
from understudy.suites.results import SuitesResult

__all__ = ["Unfinished"]


class Unfinished:
    """Takes results from the thread of the suites, and writes them from that of the checkpoints.

    `began` is the run's start by the monotonic clock.
    """

    def __init__(self, folder: RunFolder, began: float) -> None:
        self._folder = folder
        self._began = began
        self._result: SuitesResult | None = None
        self._lock = threading.Lock()

    def take(self, result: SuitesResult) -> None:
        """Keep what the suites have come to by now."""
        with self._lock:
            self._result = result

    def written(self, record: RunRecord) -> RunRecord:
        """A record with what there is by now, which `junit.xml` says too; one that has its suites stays as it is."""
        with self._lock:
            if self._result is None or record.suites:
                return record
            self._write(self._result)
            return record.with_suites(self._result, self._began)

    def over(self, result: SuitesResult) -> None:
        """Write the last word: what the suites wrote may have been written over by what came before it."""
        with self._lock:
            if self._result is not None:
                self._result = None
                self._write(result)

    def _write(self, result: SuitesResult) -> None:
        with self._folder.part("junit.xml while the run lasted", required=False):
            write_file(self._folder.path / "junit.xml", render_junit(result.suites))
