"""S3's errors as a sink's."""

from __future__ import annotations

from understudy.export.sinks.interface import SinkError
from understudy.s3_client import explain

__all__ = ["THREADS", "sink_error"]

THREADS = 4
"""Requests to one bucket at once."""


def sink_error(what: str, error: Exception) -> SinkError:
    """A boto3 error as ours; `what` was tried, in words."""
    failed = explain(error)
    return SinkError(f"{what}: {failed.text}", again=failed.again, code=failed.code)
