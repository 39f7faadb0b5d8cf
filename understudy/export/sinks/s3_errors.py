"""S3's errors as a sink's."""

from __future__ import annotations

from understudy.aws_failures import failure_of
from understudy.export.sinks.interface import SinkError

__all__ = ["THREADS", "sink_error"]

THREADS = 4
"""Requests to one bucket at once."""


def sink_error(what: str, error: Exception) -> SinkError:
    """A boto3 error as ours; `what` was tried, in words."""
    failure = failure_of(error)
    return SinkError(failure.said(what).removesuffix("."), again=failure.again, code=failure.code)
