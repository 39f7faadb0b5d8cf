"""What a suite's task says, from CloudWatch Logs: a stream read on, and the results that the lines of one carry."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import Why, failure_of
from understudy.targets.aws.session import AwsSession

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

__all__ = ["Results", "Stream"]

_PAGES = 20
"""Pages of at most 1 MiB that one look reads, so that what else is looked at has its turn."""

_RESULTS = re.compile(r"results (\d{1,12}) ([A-Za-z0-9+/]{0,20000}={0,2})", re.ASCII)
_END = re.compile(r"end (\d{1,12}) (large|\d{1,3})", re.ASCII)


class Stream:
    """One log stream, each line once; one that is not there yet has none."""

    def __init__(self, aws: AwsSession, group: str, name: str) -> None:
        self._aws, self._group, self._name = aws, group, name
        self._token = ""

    def read(self) -> list[str]:
        """The lines that were not read yet, 20 pages of them at most.

        Raises:
            botocore.exceptions.ClientError: CloudWatch Logs refused.
        """
        from botocore.exceptions import ClientError

        logs: CloudWatchLogsClient = self._aws.client("logs")
        found: list[str] = []
        for _ in range(_PAGES):
            where: dict[str, Any] = {"nextToken": self._token} if self._token else {}
            try:
                page = logs.get_log_events(
                    logGroupName=self._group, logStreamName=self._name, startFromHead=True, **where
                )
            except ClientError as error:
                if failure_of(error).why is Why.GONE:
                    return found
                raise
            found += [row.get("message", "") for row in page["events"]]
            before, self._token = self._token, page.get("nextForwardToken", "")
            if self._token == before or (not page["events"] and not before):
                break
        return found


class Results:
    """A suite's results from the lines of the container that tells of them.

    `end` is how that container ended: the exit code of what brought the suite's files out, or `large`; empty before.
    `broken` says that lines are missing, so that nothing after them counts.
    """

    def __init__(self) -> None:
        self.end = ""
        self.broken = False
        self._at = 0

    def take(self, line: str) -> bytes:
        """The results that a line carries; one that is none carries nothing."""
        if found := _END.fullmatch(line.strip()):
            self.end = found[2]
            self.broken = self.broken or int(found[1]) != self._at
        elif found := _RESULTS.fullmatch(line.strip()):
            if int(found[1]) != self._at:
                self.broken = True
            if not self.broken:
                data = _decoded(found[2])
                self._at += len(data)
                return data
        return b""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
