"""The export: everything that a run leaves behind, in one folder of its own."""

from __future__ import annotations

from understudy.export.folder import RUNS, FailedPart, RunFolder
from understudy.export.mocks import MockCounts, MockLog, fetch_mock_log

__all__ = ["RUNS", "FailedPart", "MockCounts", "MockLog", "RunFolder", "fetch_mock_log"]
