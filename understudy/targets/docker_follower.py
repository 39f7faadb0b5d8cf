"""The containers of one environment, followed from their creation: their logs, their last state, what they use."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.errors import ToolError
from understudy.redact import Redactor
from understudy.stacks.identity import Whose
from understudy.targets.docker_evidence import container_facts, service_of
from understudy.targets.docker_inventory import label_filter, list_all
from understudy.targets.docker_logs import GoneError, Messages, UnreadableError
from understudy.targets.docker_tails import Tails
from understudy.targets.docker_usage import Meter
from understudy.targets.interface import ContainerFacts, Followed, Owned, Sampler, Usage
from understudy.targets.log_file import LogFile
from understudy.targets.ownership import is_owned
from understudy.targets.suite_marks import is_suite

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["MOST", "DockerFollower"]

MOST = 128
"""Logs that are followed at once, each by a thread; those of further containers are read at the end."""

_EVENTS = ("start", "die", "oom", "health_status", "destroy")
_SAMPLE = 2.0
"""Seconds between two samples of a container's use; with more than 20 containers a tenth of their number."""

_LAST_SAMPLES = 2.0
"""Seconds at the end in which containers are sampled once more: a daemon under load took 0.4 s for each."""

_FIRST = 0.3
_PARALLEL = 8
_PATIENCE = 10.0
_AGAIN = 0.2


@dataclass
class _Kept:
    """What is known of one container, dead or alive."""

    item: Owned
    log: LogFile
    tty: bool = False
    facts: ContainerFacts | None = None
    meter: Meter = field(default_factory=Meter)
    running: bool = False
    removed: bool = False
    again: bool = False
    messages: Messages | None = None
    thread: threading.Thread | None = None
    problem: str = ""
    silent: bool = False


class DockerFollower:
    """Follows them from `start` to `finish`; without a start it looks once. A thread calls `sample`.

    Raises:
        OSError: the folder for the logs cannot be made.
    """

    def __init__(self, client: DockerClient, whose: Whose, folder: Path, redactor: Redactor, sample: Sampler) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._client = client
        self._whose = whose
        self._folder = folder
        self._redactor = redactor
        self._sample = sample
        self._lock = threading.RLock()
        self._kept: dict[str, _Kept] = {}
        self._names: set[str] = set()
        self._done = threading.Event()
        self._tails = Tails(client)
        self._news = threading.Event()
        self._problems: list[str] = []
        self._events: Any = None
        self._last_samples = 0.0
        self._threads: list[threading.Thread] = []

    def start(self) -> DockerFollower:
        """Follow what is there and what comes."""
        for work in (self._follow_events, self._measure):
            thread = threading.Thread(target=work, name="follower", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    # ---- what comes

    def _follow_events(self) -> None:
        """Docker's events from now on, and after a break from there on; what is there already comes first."""
        from docker.errors import DockerException

        wanted = {"type": "container", "event": list(_EVENTS), "label": label_filter(self._whose)}
        since = time.time() - 1
        while not self._done.is_set():
            with contextlib.suppress(DockerException, OSError, ToolError):
                self._events = self._client.api.events(since=int(since), filters=wanted, decode=True)
                self._list()
                for event in () if self._done.is_set() else self._events:
                    since = float(event.get("time") or since)
                    self._hear(event)
            self._done.wait(_AGAIN)

    def _hear(self, event: Mapping[str, Any]) -> None:
        actor = event.get("Actor") or {}
        labels = dict(actor.get("Attributes") or {})
        if not is_owned(labels, self._whose) or is_suite(labels):
            return
        kept = self._keep(Owned("container", str(actor["ID"]), str(labels.get("name", "")), labels))
        what = str(event.get("Action", ""))
        if what == "destroy":
            kept.removed, kept.running = True, False
            return
        self._look(kept)
        if what == "start":
            self._follow(kept)

    def _list(self) -> None:
        for item in self._listed():
            kept = self._keep(item)
            self._look(kept)
            if kept.running:
                self._follow(kept)

    def _listed(self) -> tuple[Owned, ...]:
        found = list_all(self._client, self._whose, ("container",))
        return tuple(item for item in found if not is_suite(item.labels))

    def _keep(self, item: Owned) -> _Kept:
        with self._lock:
            if item.id not in self._kept:
                path = self._folder / self._name(item)
                self._kept[item.id] = _Kept(item, LogFile(path, self._redactor))
            return self._kept[item.id]

    def _name(self, item: Owned) -> str:
        """Distinct also where case does not count; the second of a name gets its container's id."""
        service = self._redactor.text(service_of(item))
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", service).lstrip(".")[:100] or "container"
        if plain.lower() in self._names:
            plain = f"{plain}-{item.id[:12]}"
        self._names.add(plain.lower())
        return f"{plain}.log"

    def _look(self, kept: _Kept) -> None:
        """Keep the state as it is now; of a container that is gone the last one stays."""
        facts = container_facts(self._client, kept.item)
        if facts is None:
            kept.removed, kept.running = True, False
            return
        kept.facts, kept.tty = facts, bool(facts.facts.get("tty"))
        kept.running = facts.facts["state"] in {"running", "paused"}
        if kept.running:
            self._news.set()

    # ---- logs

    def _follow(self, kept: _Kept) -> None:
        with self._lock:
            kept.again = True
            alive = sum(1 for each in self._kept.values() if each.thread is not None)
            if kept.thread is None and alive < MOST and not self._done.is_set():
                kept.thread = threading.Thread(target=self._write, args=(kept,), name="log", daemon=True)
                kept.thread.start()

    def _write(self, kept: _Kept) -> None:
        """One container's log, until it has ended and no new start of it was heard of."""
        while True:
            with self._lock:
                if self._done.is_set() or not kept.again or kept.problem or kept.silent:
                    kept.thread = None
                    return
                kept.again = False
            try:
                self._read(kept, follow=True)
                self._look(kept)
                kept.again = kept.again or kept.running
            except (GoneError, ToolError):
                kept.again = False
            except UnreadableError as error:
                _silence(kept, error)
            except Exception:  # noqa: BLE001 - the connection broke: the log is read on, and at last at the end
                kept.again = True
            self._done.wait(_AGAIN)

    def _read(self, kept: _Kept, *, follow: bool) -> None:
        messages = Messages(self._client, kept.item.id, tty=kept.tty, follow=follow, since=kept.log.resume())
        kept.messages = messages
        if self._done.is_set() and follow:
            messages.close()
        for stream, message in messages:
            try:
                kept.log.take(stream, message)
            except OSError as error:
                kept.problem = f"{kept.log.path.name} could not be written: {error}"
                messages.close()
                return

    # ---- use

    def _measure(self) -> None:
        pause = _FIRST
        while not self._done.wait(pause):
            with self._lock:
                running = [kept for kept in self._kept.values() if kept.running]
            for kept in running:
                if self._done.is_set():
                    return
                self._take_sample(kept)
            pause = max(_SAMPLE, len(running) / 10)
            if self._news.is_set():  # something has just started: a job may be over before the next round
                self._news.clear()
                pause = _FIRST

    def _take_sample(self, kept: _Kept) -> None:
        from docker.errors import DockerException

        try:
            raw = self._client.api.stats(kept.item.id, stream=False, one_shot=True)
        except (DockerException, OSError, ValueError):
            return
        taken = kept.meter.take(raw)
        if taken is not None:
            self._sample({"service": service_of(kept.item), "container": kept.item.name, **taken})

    # ---- the end

    def finish(self) -> Followed:
        """Read every log as far as it goes, look at every container once more, and say what was seen."""
        self._done.set()
        with contextlib.suppress(Exception):  # it has ended, or its transport cannot be ended from here
            self._events.close()
        with self._lock:
            threads = [*self._threads, *(kept.thread for kept in self._kept.values() if kept.thread)]
            for kept in self._kept.values():
                if kept.messages is not None:
                    kept.messages.close()
        limit = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, limit - time.monotonic()))
        try:
            found = self._listed()
        except ToolError as error:
            found = ()
            self._problems.append(str(error))
        for item in found:
            try:
                self._keep(item)
            except OSError as error:
                self._problems.append(f"{service_of(item)}: its log could not be written: {error}")
        self._last_samples = time.monotonic() + _LAST_SAMPLES
        everything = sorted(self._kept.values(), key=lambda kept: kept.item.name)
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="logs") as pool:
            list(pool.map(self._end, everything))
        problems = (f"{service_of(kept.item)}: {kept.problem}" for kept in everything if kept.problem)
        return Followed(
            logs=tuple(kept.log.path for kept in everything),
            containers=tuple(_facts(kept) for kept in everything if kept.facts),
            usage=tuple(_usage(kept) for kept in everything),
            problems=(*self._problems, *problems),
        )

    def close(self, *, destroyed: bool) -> tuple[str, ...]:
        """End the logs of containers that were still there."""
        return self._tails.close(destroyed=destroyed)

    def _end(self, kept: _Kept) -> None:
        """The last of one container. Nothing that fails here is raised: it is the container's problem."""
        for step in self._last_steps(kept):
            try:
                step()
            except GoneError:
                kept.removed = True
            except UnreadableError as error:
                _silence(kept, error)
            except Exception as error:  # noqa: BLE001 - one container's failure is no other's
                kept.problem = kept.problem or f"{type(error).__name__}: {error}"

    def _last_steps(self, kept: _Kept) -> Iterator[Any]:
        yield lambda: self._look(kept)
        if kept.running and time.monotonic() < self._last_samples:
            yield lambda: self._take_sample(kept)
        if kept.thread is not None and kept.thread.is_alive():
            kept.problem = kept.problem or "its reader did not end, so the log may lack its end"
            return
        if not (kept.problem or kept.silent or kept.removed):
            yield lambda: self._read(kept, follow=False)
        if _goes_on(kept):
            yield kept.log.settle
        if _goes_on(kept):
            yield lambda: self._tails.follow(service_of(kept.item), kept.item.id, kept.log, tty=kept.tty)
        else:
            yield kept.log.close


def _goes_on(kept: _Kept) -> bool:
    """Whether the container can say more, and its log take it."""
    return kept.running and not (kept.problem or kept.silent or kept.removed)


def _silence(kept: _Kept, error: UnreadableError) -> None:
    """Say in its file why a log cannot be read; a log driver that keeps nothing is no fault of the export."""
    kept.silent = True
    if "does not support reading" not in str(error):
        kept.problem = str(error)
    try:
        kept.log.note(str(error))
    except OSError as failure:
        kept.problem = f"{kept.log.path.name} could not be written: {failure}"


def _facts(kept: _Kept) -> ContainerFacts:
    assert kept.facts is not None  # noqa: S101 - for the type checker: the caller asked
    return replace(kept.facts, facts={**kept.facts.facts, "removed": kept.removed})


def _usage(kept: _Kept) -> Usage:
    limit = kept.facts.facts.get("memory_limit") if kept.facts else None
    return kept.meter.usage(service_of(kept.item), kept.item.name, limit if isinstance(limit, int) else None)
