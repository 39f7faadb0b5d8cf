"""Logs of an environment from CloudWatch Logs: read on from where they were, one file a service, without secrets."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import Why, asking, failure_of
from understudy.errors import NotFoundError, ToolError
from understudy.redact import Redactor
from understudy.stacks import aws_names
from understudy.stacks.aws.suites import STREAMS as SUITES
from understudy.stacks.aws.tasks import STREAMS as SERVICES
from understudy.stacks.identity import Whose
from understudy.targets.aws.evidence import services_of, task_facts, tasks_of
from understudy.targets.aws.kinds_compute import described_definition
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import ContainerFacts, Followed
from understudy.targets.log_file import LogFile

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

__all__ = ["EVERY", "LIMIT", "AwsFollower", "Event", "LogReader", "hold_services", "tail"]

EVERY = 5.0
"""Seconds between two readings while tests run: FilterLogEvents is limited to a few requests a second an account."""

LIMIT = 200_000
"""Events of one environment that are read; more are left in CloudWatch Logs, and the report says so."""

_LATE = 120_000
"""Milliseconds that an event may come late (CloudWatch Logs, "ingestion"): as far back is read again each time."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a service: its moment in milliseconds since the epoch, and its text without a line feed."""

    service: str
    at: int
    text: str

    @property
    def stamp(self) -> str:
        """RFC 3339 in UTC with nine digits, as Docker writes it."""
        moment = datetime.fromtimestamp(self.at / 1000, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.at % 1000:03d}000000Z"


@dataclass
class LogReader:
    """Reads the log group of one environment on, each event once; what suites say has a place of its own.

    Args:
        aws: the session.
        whose: whose logs they are.
        limit: events after which it reads no further.
    """

    aws: AwsSession
    whose: Whose
    limit: int = LIMIT
    taken: int = 0
    _from: int = 0
    _seen: dict[str, int] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether the limit is reached, so that what came later is not read."""
        return self.taken >= self.limit

    def read(self) -> Iterator[Event]:
        """What was not read yet; nothing where there is no log group.

        Raises:
            ToolError: CloudWatch Logs does not answer.
        """
        from botocore.exceptions import ClientError

        logs: CloudWatchLogsClient = self.aws.client("logs")
        paginator: Any = logs.get_paginator("filter_log_events")
        newest, group = self._from, aws_names.log_group(self.whose.environment)
        with asking(f"Read the logs of environment {self.whose.environment}"):
            try:
                for page in paginator.paginate(
                    logGroupName=group, logStreamNamePrefix=f"{SERVICES}/", startTime=self._from
                ):
                    for row in page["events"]:
                        if self.full:
                            return
                        if row["eventId"] not in self._seen and not row["logStreamName"].startswith(f"{SUITES}/"):
                            self._seen[row["eventId"]] = row["timestamp"]
                            newest = max(newest, row["timestamp"])
                            self.taken += 1
                            yield Event(_service(row["logStreamName"]), row["timestamp"], row["message"].rstrip("\n"))
            except ClientError as error:
                if failure_of(error).why is not Why.GONE:
                    raise
        self._from = max(newest - _LATE, 0)
        self._seen = {ident: at for ident, at in self._seen.items() if at >= self._from}


def _service(stream: str) -> str:
    """The service of a log stream: ECS names it `<prefix>/<container>/<task>`, and a container after its service."""
    parts = stream.split("/")
    return parts[1] if len(parts) > 1 else stream


def hold_services(aws: AwsSession, whose: Whose, services: tuple[str, ...]) -> None:
    """Hold that each of these is a service of the environment, or a container of its tasks or of what has spoken.

    Raises:
        NotFoundError: one is neither.
        ToolError: ECS or CloudWatch Logs does not answer.
    """
    if not services:
        return
    rows = services_of(aws, whose)
    names = {str(row["serviceName"]) for row in rows}
    wanted = [name for name in services if aws_names.service(whose.environment, name) not in names]
    there = _defined(aws, rows, whose) | _speaking(aws, whose) if wanted else set()
    for name in wanted:
        if aws_names.container(name) not in there:
            known = sorted({each.removeprefix(f"{whose.environment}-") for each in names} | there)
            raise NotFoundError(
                f"Looked for service {name!r} in environment {whose.environment}, and there is none.",
                hint=f"It has: {', '.join(known) or 'no service'}.",
            )


def _defined(aws: AwsSession, rows: Iterable[Mapping[str, Any]], whose: Whose) -> set[str]:
    """The containers of the tasks of ECS services: one is named after its service, which may share another's task."""
    with asking(f"Looked at the task definitions of environment {whose.environment}"):
        found = [described_definition(aws, str(row["taskDefinition"])) for row in rows]
    return {str(each["name"]) for one in found if one for each in one["taskDefinition"]["containerDefinitions"]}


def _speaking(aws: AwsSession, whose: Whose) -> set[str]:
    """The services' containers that have a log stream; none where there is no log group."""
    from botocore.exceptions import ClientError

    logs: CloudWatchLogsClient = aws.client("logs")
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupName=aws_names.log_group(whose.environment), logStreamNamePrefix=f"{SERVICES}/"
    )
    with asking(f"Listed the log streams of environment {whose.environment}"):
        try:
            return {_service(row["logStreamName"]) for page in pages for row in page["logStreams"]}
        except ClientError as error:
            if failure_of(error).why is not Why.GONE:
                raise
            return set()


def tail(
    aws: AwsSession, whose: Whose, services: tuple[str, ...], stop: threading.Event | None
) -> Iterator[tuple[str, str]]:
    """(service, line with its time stamp) of the named services or of all, by moments.

    Args:
        aws: the session.
        whose: whose logs they are.
        services: those wanted; none: all.
        stop: what is to come is waited for until this is set; None: it is not.

    Raises:
        ToolError: CloudWatch Logs does not answer.
    """
    reader = LogReader(aws, whose)
    wanted = {aws_names.container(name): name for name in services}
    while True:
        for event in reader.read():
            if not services or event.service in wanted:
                yield wanted.get(event.service, event.service), f"{event.stamp} {event.text}"
        if stop is None or reader.full or stop.wait(EVERY):
            return


class AwsFollower:
    """Follows the logs of one environment into `folder/<service>.log`; each step may be made by hand.

    Args:
        aws: the session.
        whose: whose logs they are.
        folder: where the files go.
        redactor: takes out secrets.
        every: seconds between two readings of the thread that `start` begins.
    """

    def __init__(
        self, aws: AwsSession, whose: Whose, folder: Path, redactor: Redactor, *, every: float = EVERY
    ) -> None:
        self._aws = aws
        self._whose = whose
        self._folder = folder
        self._redactor = redactor
        self._every = every
        self._reader = LogReader(aws, whose)
        self._files: dict[str, LogFile] = {}
        self._problems: dict[str, None] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cloudwatch", daemon=True)

    def start(self) -> AwsFollower:
        """Begin to read in a thread of its own.

        Raises:
            OSError: the folder cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self.read()

    def read(self) -> None:
        """Write what has come by now; what fails is among the problems, and is tried again the next time."""
        with self._lock:
            try:
                for event in self._reader.read():
                    self._file(event.service).take(1, f"{event.stamp} {event.text}\n".encode())
            except (ToolError, OSError) as error:
                self._problems[f"logs of {self._whose.environment}: {error}"] = None
            if self._reader.full:
                self._problems[
                    f"logs of {self._whose.environment}: only the first {self._reader.limit} lines were read"
                ] = None

    def _file(self, service: str) -> LogFile:
        """The file of a service; streams whose names come to the same file share it."""
        name = _file_name(self._redactor.text(service)).lower()
        if name not in self._files:
            self._files[name] = LogFile(self._folder / f"{name}.log", self._redactor)
        return self._files[name]

    def finish(self) -> Followed:
        """As `Follower.finish`."""
        self.read()
        facts: tuple[ContainerFacts, ...] = ()
        try:
            facts = tuple(one for task in tasks_of(self._aws, self._whose) for one in task_facts(task))
        except ToolError as error:
            self._problems[str(error)] = None
        return Followed(tuple(file.path for file in self._files.values()), facts, (), tuple(self._problems))

    def close(self, *, destroyed: bool) -> tuple[str, ...]:
        """As `Follower.close`: of what was destroyed the log group may be gone too, and then there is no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        before = set(self._problems)
        if not destroyed:
            self.read()
        for file in self._files.values():
            try:
                file.close()
            except OSError as error:
                self._problems[f"{file.path.name}: {error}"] = None
        return tuple(problem for problem in self._problems if problem not in before)


def _file_name(service: str) -> str:
    """A service as a file's name: whoever may write logs may name a stream anything."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", service).lstrip(".")[:100] or "log"
