"""A suite's process in a task of ECS: made, watched, ended and removed by a thread of its own; nobody waits for AWS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from understudy.errors import ToolError, UnderstudyError
from understudy.stacks import aws_names
from understudy.stacks.aws.suites import ALL_FILES, FETCH, STREAMS, SUITE, TELL, SuitePlan
from understudy.targets.aws.patience import Patience
from understudy.targets.aws.session import AwsSession
from understudy.targets.aws.suite_calls import Calls
from understudy.targets.aws.suite_files import bring_out, clear
from understudy.targets.aws.suite_streams import Results, Stream
from understudy.targets.suite_marks import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Limits", "SuiteTask"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what may take, in seconds.

    Attributes:
        every: between two looks.
        begin: for the command to begin: an image may be large.
        last: for what was said last, and for files, once the task stops.
        quiet: without a line, until nothing more is expected; CloudWatch Logs is handed lines after 5 s at the latest.
        gone: for the service to be gone.
    """

    every: float = 2.0
    begin: float = 600.0
    last: float = 180.0
    quiet: float = 6.0
    gone: float = 120.0


_SKIPPED = "2"
"""The AWS CLI's exit code where it left out what is no file (AWS CLI, Return codes)."""


class SuiteTask:
    """A suite's command in a task of its own; when the command ends, so does all that it started.

    Args:
        aws: the session.
        make: says what to make; called in a thread of its own, it may ask AWS.
        out: where both streams go, as CloudWatch Logs has them; closed at the end.
        folder: where results and the suite's own files go.
        meaning: exit code -> why the command did not start.
        limits: how long what may take.
        patience: with AWS.
    """

    def __init__(
        self,
        aws: AwsSession,
        make: Callable[[], SuitePlan],
        out: BinaryIO,
        folder: Path,
        *,
        meaning: Mapping[int, str],
        limits: Limits | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._aws, self._make, self._out, self._folder = aws, make, out, folder
        self._meaning, self._limits, self._patience = meaning, limits or Limits(), patience or Patience()
        self._halt, self._over = threading.Event(), threading.Event()
        self._made = time.monotonic()
        self._began: float | None = None
        self._ended: float | None = None
        self._code: int | None = None
        self._results = Results()
        self._streams: dict[str, Stream] = {}
        self.problem = self.unknown = ""
        self.notices: tuple[str, ...] = ()
        self._life = threading.Thread(target=self._live, name="suite-task", daemon=True)
        self._life.start()

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, negative for a signal; None while it runs, or where it did not start."""
        return self._code

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._halt.is_set()

    @property
    def idle(self) -> float:
        """Seconds before the command began and since it ended: AWS has those for itself."""
        now = time.monotonic()
        if self._began is None:
            return now - self._made
        return self._began - self._made + (0.0 if self._ended is None else now - self._ended)

    def stop(self) -> None:
        """Have ECS stop the task: SIGTERM to the command, and SIGKILL after 2 s. A second call changes nothing."""
        self._halt.set()

    def gone(self) -> bool:
        """Whether the command has ended, and what CloudWatch Logs and S3 have of it is here."""
        return self._over.is_set()

    def survivors(self) -> tuple[int, ...]:
        """None that this machine knows: what does not end is the task's, which goes with it."""
        return ()

    def close(self) -> None:
        """Wait until all that was made for it is removed; what could not be is the environment's, and goes with it."""
        self.stop()
        self._life.join(self._limits.last + 2 * self._limits.gone)

    def _live(self) -> None:
        with ExitStack() as made:
            try:
                self._run(made)
            except Exception as error:  # noqa: BLE001 - in a thread nobody else hears of it
                said = str(error) if isinstance(error, UnderstudyError) else f"{type(error).__name__}: {error}"
                self.problem = self.problem or said
            self._out.close()
            self._over.set()

    def _run(self, made: ExitStack) -> None:
        plan = self._make()
        if self._halt.is_set():
            return
        calls = Calls(self._aws, plan, self._patience)
        made.callback(self._remove, calls)
        calls.make()
        self._follow(calls)
        calls.end()
        if self._began is None:
            self._never_began(calls)
            return
        self._collect(calls, plan)
        self._judge(calls)

    def _remove(self, calls: Calls) -> None:
        """Remove all that was made for it; what stays carries the environment's tags, or lies in its bucket."""
        calls.remove(self._limits.gone)
        with suppress(ToolError):
            clear(self._aws, calls.plan.bucket, calls.plan.left)

    def _follow(self, calls: Calls) -> None:
        """Until the command has ended, the task has, or it is told to."""
        while not self._halt.wait(self._limits.every):
            calls.look()
            if self._began is None and calls.container(SUITE).get("lastStatus") in {"RUNNING", "STOPPED"}:
                self._began = time.monotonic()
            self._read(calls)
            ended = calls.container(SUITE).get("lastStatus") == "STOPPED"
            if ended or calls.stopping:
                self._ended = time.monotonic()
                if not ended or "exitCode" not in calls.container(SUITE):
                    self.unknown = calls.why_stopped() or "its task ended, and ECS says no reason"
                return
            if self._began is None and time.monotonic() > self._made + self._limits.begin:
                said = calls.last_event() or "ECS says nothing"
                raise ToolError(f"Waited {self._limits.begin:g} s for its task to begin, and it did not: {said}")
        self._ended = time.monotonic()

    def _never_began(self, calls: Calls) -> None:
        """Say why, unless it was told to end before."""
        if self._halt.is_set():
            return
        said = calls.why_stopped()
        lines: Sequence[str] = ()
        with suppress(UnderstudyError):
            lines = calls.patience.of("Read what was said", self._stream(calls, FETCH).read)[-3:]
        self.problem = "; ".join(filter(None, [said, *lines])) or "its task ended, and ECS says no reason"

    def _read(self, calls: Calls) -> bool:
        """Take over what was said since; whether there was anything."""
        if not calls.task:
            return False
        said = calls.patience.of("Read the output of a suite", self._stream(calls, SUITE).read)
        told = calls.patience.of("Read the results of a suite", self._stream(calls, TELL).read)
        for line in said:
            self._out.write(line.encode("utf-8", "surrogateescape") + b"\n")
        data = b"".join(map(self._results.take, told))
        if data:
            with (self._folder / "results.jsonl").open("ab") as out:
                out.write(data)
        return bool(said or told)

    def _stream(self, calls: Calls, container: str) -> Stream:
        if container not in self._streams:
            group = aws_names.log_group(calls.plan.environment.id)
            name = f"{STREAMS}/{container}/{calls.task.rpartition('/')[2]}"
            self._streams[container] = Stream(self._aws, group, name)
        return self._streams[container]

    def _collect(self, calls: Calls, plan: SuitePlan) -> None:
        """What came late, once the task stops: until its end was told and nothing came for a while."""
        deadline = time.monotonic() + self._limits.last
        quiet = time.monotonic()
        notices: list[str] = []
        while time.monotonic() < deadline:
            if self._read(calls):
                quiet = time.monotonic()
            calls.look()
            silent = time.monotonic() - quiet > self._limits.quiet
            if silent and (self._results.end or (calls.stopped and time.monotonic() - quiet > 3 * self._limits.quiet)):
                break
            time.sleep(min(self._limits.every, 1.0))
        if self._results.broken or not self._results.end:
            self._lost("its task ended before all of its results and files were told of")
        elif self._results.end == "large":
            notices.append(f"it left more than {ALL_FILES >> 20} MiB of files: only its JUnit XML was brought out")
        elif self._results.end == _SKIPPED:
            notices.append("what is no file in its folder was left out")
        elif self._results.end != "0":
            self._lost(f"its files could not be brought out: the AWS CLI ended with {self._results.end}")
        notices += bring_out(self._aws, plan.bucket, plan.left, self._folder, ALL_FILES)
        self.notices = tuple(notices)

    def _lost(self, why: str) -> None:
        self.unknown = self.unknown or why

    def _judge(self, calls: Calls) -> None:
        row = calls.container(SUITE)
        reason = str(row.get("reason") or "")
        if row.get("exitCode") is None:
            if not self._halt.is_set():
                self.problem = self.unknown
            return
        code = int(row["exitCode"])
        self.problem = self._meaning.get(code, "")
        if "OutOfMemory" in reason:
            self.notices += ("the kernel killed a process of it for want of memory",)
        self._code = exit_code_of(code)
