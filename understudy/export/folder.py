"""The run folder: evidence written atomically, redacted, one part's failure never another's."""

from __future__ import annotations

import contextlib
import importlib.resources
import json
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from understudy.errors import ExportError, UnderstudyError, UsageError
from understudy.export.mock_watch import joined
from understudy.export.mocks import MockAddress, MockCounts, MockLog, fetch_mock_log
from understudy.files import append_line, write_file
from understudy.progress import Progress
from understudy.redact import Redactor
from understudy.report import ChangeRecord, ReceiptRecord, RunRecord, utc
from understudy.report.cleaning import cleaned
from understudy.report.codec import RecordError, decode, encode
from understudy.report.summary import summary
from understudy.stacks.clone import Change
from understudy.stacks.identity import Whose
from understudy.suites.running import file_name
from understudy.targets.interface import ContainerFacts, Followed, Follower, Receipt, Target

__all__ = ["RUNS", "FailedPart", "RunFolder", "hold_no_link", "runs_of"]

RUNS = "understudy-runs"
"""The folder that holds a project's run folders, each `<UTC stamp>-<environment id>`, and `latest`."""

_MOST = 1000


@dataclass(frozen=True, slots=True)
class FailedPart:
    """A part of the evidence that could not be had, and why; without a required one the export has failed."""

    part: str
    required: bool
    message: str

    def __str__(self) -> str:
        return f"{self.part}: {self.message}"


def hold_no_link(base: Path) -> None:
    """Hold that `base`/understudy-runs is no link: a commit may bring one, and evidence would go where it chose.

    Raises:
        UsageError: it is one.
    """
    if (base / RUNS).is_symlink():
        raise UsageError(
            f"Looked at {base / RUNS} for run folders, and it is a link, which is not followed.",
            hint="Remove it; --runs FOLDER names another place.",
        )


def runs_of(base: Path) -> Path:
    """`base`/understudy-runs, made if it is not there, and out of git's sight.

    Raises:
        ExportError: it cannot be made.
        UsageError: it is a link.
    """
    runs = base / RUNS
    hold_no_link(base)
    try:
        runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (runs / ".gitignore").exists():
            write_file(runs / ".gitignore", b"*\n")
    except OSError as error:
        raise ExportError(
            f"Made a run folder in {runs}, and it failed: {error}.", hint="Name a folder that can be written."
        ) from error
    return runs


class RunFolder:
    """One run's folder. Methods that collect or write record what fails in `failures`; `finish` raises for it.

    `redactor` may be replaced by one that knows more, as secrets become known.
    """

    def __init__(self, path: Path, redactor: Redactor | None = None) -> None:
        self.path = path
        self.redactor = redactor or Redactor()
        self.failures: list[FailedPart] = []
        self._lock = threading.Lock()
        self._appending = threading.Lock()

    @classmethod
    def create(cls, base: Path, environment: str, now: datetime, redactor: Redactor | None = None) -> RunFolder:
        """Make a new folder under `base`/understudy-runs, never one that is there, and let `latest` name it.

        Raises:
            ExportError: it cannot be made.
        """
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        runs = runs_of(base)
        try:
            folder = cls(_new_folder(runs, f"{stamp}-{environment}"), redactor)
        except OSError as error:
            raise ExportError(
                f"Made a run folder in {runs}, and it failed: {error}.",
                hint="Name a folder that can be written.",
            ) from error
        with folder.part("latest", required=False):
            _point(runs / "latest", folder.path.name)
        return folder

    @property
    def name(self) -> str:
        """The folder's name, which is the run's id."""
        return self.path.name

    @contextlib.contextmanager
    def part(self, name: str, *, required: bool = True) -> Iterator[None]:
        """What fails in here is recorded under `name` and goes no further."""
        try:
            yield
        except (UnderstudyError, OSError, ValueError, TypeError) as error:
            message = self.redactor.text(str(error) or type(error).__name__)
            with self._lock:
                self.failures.append(FailedPart(name, required, message))

    def write_json(self, name: str, data: object, *, required: bool = True) -> None:
        """Write JSON-ready data, redacted, to a file of the folder."""
        with self.part(name, required=required):
            self._write(name, json.dumps(self.redactor.data(data), indent=1, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str, *, required: bool = True) -> None:
        """Write text, redacted, to a file of the folder."""
        with self.part(name, required=required):
            self._write(name, self.redactor.text(text))

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(path, text.encode("utf-8", "backslashreplace"))

    def event(self, progress: Progress, offset: float | None = None) -> None:
        """Append a progress event to `events.jsonl`, from any thread. The first failure is recorded, and ends it.

        `offset` is seconds from the run's start.
        """
        line = {
            "at": utc(progress.at),
            "offset": offset,
            "phase": progress.phase.value,
            "state": progress.state.value,
            "subject": progress.subject,
            "detail": progress.detail,
            "seconds": progress.seconds,
        }
        self.append("events.jsonl", line)

    def append(self, name: str, line: Mapping[str, object], *, required: bool = True) -> None:
        """Append a JSON line, redacted, to a file of the folder, in one writing; the first failure ends the file."""
        if any(failure.part == name for failure in self.failures):
            return
        with self.part(name, required=required), self._appending:
            append_line(self.path / name, json.dumps(self.redactor.data(dict(line))).encode())

    def write_changes(self, changes: Iterable[Change]) -> None:
        """Write `changes.json`: every difference from production."""
        self.write_json("changes.json", {"schema": 1, "changes": [encode(ChangeRecord.of(each)) for each in changes]})

    def write_receipt(self, receipt: Receipt) -> None:
        """Write `receipt.json`."""
        self.write_json("receipt.json", {"schema": 1, **encode(ReceiptRecord.of(receipt))})

    def write_run(self, record: RunRecord, *, checked: bool = True) -> None:
        """Hold a record against its published schema and write it as `run.json`; again and again, if need be.

        Not `checked`, it is written without being held against the schema, which takes longer than the writing.

        Raises:
            ExportError: it does not fit the schema, or cannot be written.
        """
        data = record.to_data()
        if checked:
            _validate(data)
        try:
            text = json.dumps(cleaned(RunRecord, data, self.redactor.data), indent=1, allow_nan=False)
            self._write("run.json", text + "\n")
        except (OSError, ValueError, TypeError) as error:
            raise ExportError(f"Wrote {self.path / 'run.json'}, and it failed: {error}.") from error

    def write_summary(self, record: RunRecord) -> RunRecord:
        """Write `summary.md`, and return the record without the secrets, of which it is made.

        Raises:
            ExportError: a secret is a word of the record itself, so that nothing can be shown without it.
        """
        try:
            clean = decode(RunRecord, cleaned(RunRecord, record.to_data(), self.redactor.data))
        except RecordError as error:
            raise ExportError(
                f"Took the secrets out of the run record to summarise it, and it failed: {error}"
            ) from error
        self.write_text("summary.md", summary(clean), required=False)
        return clean

    def follow(self, target: Target, whose: Whose, began: float) -> Follower | None:
        """Begin to write the containers' logs to `logs/`, and what they use to `usage.jsonl`; None: it failed.

        `began` is the run's start by the monotonic clock.
        """

        def sample(line: Mapping[str, object]) -> None:
            at, offset = utc(time.time()), time.monotonic() - began
            self.append("usage.jsonl", {"at": at, "offset": offset, **line}, required=False)

        with self.part("logs"):
            return target.follow(whose, self.path / "logs", self.redactor, sample)
        return None

    def collect_containers(self, follower: Follower | None) -> Followed:
        """Write `containers.json`, the state of every container; the facts come back redacted.

        The logs are whole as far as they go; those of containers that are still there go on until `end_logs`.
        """
        followed = follower.finish() if follower else Followed()
        found = tuple(self._clean(facts) for facts in followed.containers)
        for problem in followed.problems:
            with self.part("logs"):
                raise ExportError(problem)
        data = [{"name": each.name, "service": each.service, "facts": each.facts} for each in found]
        self.write_json("containers.json", {"schema": 1, "containers": data})
        return replace(followed, containers=found)

    def end_logs(self, follower: Follower | None, *, destroyed: bool) -> None:
        """End the logs; of what was `destroyed`, with the lines that it printed meanwhile."""
        for problem in follower.close(destroyed=destroyed) if follower else ():
            with self.part("last log lines", required=False):
                raise ExportError(problem)

    def _clean(self, facts: ContainerFacts) -> ContainerFacts:
        data = self.redactor.data(dict(facts.facts))
        return ContainerFacts(facts.name, facts.service, data if isinstance(data, dict) else {})

    def collect_mocks(
        self, mocks: Mapping[str, MockAddress], seen: Mapping[str, MockLog] = MappingProxyType({})
    ) -> dict[str, MockCounts]:
        """Write `mocks/<name>.json`, what each mock (name -> where it answers) was asked, and return the counts.

        `seen` is what was in the journals while the tests ran: what is not there any more is written all the same.
        """
        counts: dict[str, MockCounts] = {}
        for name, address in mocks.items():
            with self.part(f"mocks/{name}"):
                log, lost = joined(seen.get(name, MockLog({}, {})), fetch_mock_log(address))
                counts[name] = replace(log.counts(), lost=lost)
                data = {"schema": 1, "mock": name, "lost": lost, "requests": log.requests, "unmatched": log.unmatched}
                self.write_json(f"mocks/{file_name(name)}.json", data)
        return counts

    def files(self) -> tuple[str, ...]:
        """Every file of the folder, as paths relative to it, sorted; none whose path no system call takes."""
        found = []
        for parent, _, names in os.walk(self.path):
            for path in (Path(parent, name) for name in names):
                with contextlib.suppress(OSError):  # a suite may nest folders deeper than PATH_MAX
                    if stat.S_ISREG(path.lstat().st_mode):
                        found.append(path.relative_to(self.path).as_posix())
        return tuple(sorted(found))

    def finish(self, since: int = 0) -> None:
        """Hold that all required parts are there, the first `since` failures aside.

        Raises:
            ExportError: some are not; it names them all.
        """
        missing = [failure for failure in self.failures[since:] if failure.required]
        if missing:
            parts = "; ".join(map(str, missing))
            raise ExportError(
                f"Exported the evidence to {self.path}, and {len(missing)} of its parts failed: {parts}.",
                hint="What could be written is there.",
            )


def _new_folder(runs: Path, name: str) -> Path:
    for number in range(1, _MOST):
        path = runs / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return path
    raise FileExistsError(f"{_MOST} folders are called {name} already")


def _point(link: Path, target: str) -> None:
    """Let a symbolic link name its target, in one step; two runs at once leave one of both."""
    staged = link.with_name(f".latest-{target}")
    staged.unlink(missing_ok=True)
    staged.symlink_to(target)
    try:
        staged.replace(link)
    finally:
        staged.unlink(missing_ok=True)


def _validate(data: dict[str, object]) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    published = importlib.resources.files("understudy").joinpath("schemas/run.schema.json")
    schema = json.loads(published.read_text(encoding="utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(data))
    if error:
        raise ExportError(
            f"Held the run record against its schema, and it does not fit: {error.json_path}: {error.message}"
        )
