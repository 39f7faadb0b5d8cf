"""A watch on the containers of an environment: Docker's event stream, read beside the tests and never waited for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from understudy.stacks.identity import Whose
from understudy.targets.docker_evidence import service_of
from understudy.targets.docker_inventory import label_filter, list_all
from understudy.targets.interface import Owned
from understudy.targets.readiness import last_lines
from understudy.targets.suite_marks import is_suite
from understudy.targets.vitals import KILLED_GRACE, STOPPED_GRACE, failing_since, grace, moment, verdict
from understudy.targets.watching import Death, How

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["DockerWatch", "docker_watch"]

SILENCE = 3.0
"""Seconds for which a daemon may not answer before what runs on it counts as lost."""

_AGAIN = 0.2
_OUTPUT = 2000
_STOP = "15"
_EVENTS = ("die", "health_status", "kill", "oom", "start")


@contextlib.contextmanager
def docker_watch(client: DockerClient, whose: Whose) -> Iterator[DockerWatch]:
    """A watch for as long as the context lasts; a daemon that does not answer is a death that it reports."""
    watch = DockerWatch(client, whose)
    watch.start()
    try:
        yield watch
    finally:
        watch.close()


class DockerWatch:
    """Every death is noticed in threads of its own; whoever asks gets what is known."""

    def __init__(self, client: DockerClient, whose: Whose) -> None:
        self._client = client
        self._whose = whose
        self._lock = threading.Lock()
        self._deaths: dict[str, Death] = {}
        self._signals: dict[str, str] = {}
        self._restarts: Counter[str] = Counter()
        self._skew = 0.0
        self._since = ""
        self._stream: Any = None
        self._closed = threading.Event()

    def start(self) -> None:
        """Begin to watch; returns at once."""
        threading.Thread(target=self._follow, name="watch", daemon=True).start()

    def close(self) -> None:
        """End the watch."""
        self._closed.set()
        with contextlib.suppress(Exception):  # a stream that has ended may refuse to be closed
            self._stream.close()

    def deaths(self) -> Sequence[Death]:
        """What died by now, in the order in which it was noticed."""
        with self._lock:
            return tuple(self._deaths.values())

    def settle(self, seconds: float) -> Sequence[Death]:
        """Look at every container once more, for at most `seconds`."""
        look = threading.Thread(target=self._last_look, name="watch-last", daemon=True)
        look.start()
        look.join(seconds)
        if look.is_alive():
            self._lost(f"Docker did not answer within {seconds:g} s")
        return self.deaths()

    def _last_look(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - requests, urllib3 and docker-py each have their own errors
            self._lost(f"Docker does not answer: {error}")
        for container in tuple(self._deaths):
            self._explain(container)

    def _follow(self) -> None:
        """Read events until the watch is closed; a stream that breaks is opened again where it broke."""
        silent_since = None
        while not self._closed.is_set():
            try:
                self._begin()
                silent_since = None
                for event in self._stream:
                    self._hear(event)
                if self._closed.is_set():
                    return
                raise ConnectionError("its event stream ended")  # noqa: TRY301 - an end is a failure like any other
            except Exception as error:  # noqa: BLE001 - as above; and a thread that dies would see nothing any more
                now = time.monotonic()
                silent_since = silent_since or now
                if now - silent_since >= SILENCE:
                    self._lost(f"Docker has not answered for {SILENCE:g} s: {error}")
            self._closed.wait(_AGAIN)

    def _begin(self) -> None:
        """Open the stream, from where it broke or from now on, and see what had died before."""
        if not self._since:
            asked = time.time()
            now = moment(self._client.info()["SystemTime"]) or asked
            self._skew = now - (asked + time.time()) / 2
            self._since = f"{now:.9f}"
        wanted = {"type": "container", "event": list(_EVENTS), "label": label_filter(self._whose)}
        since = cast("int", self._since)  # Docker reads nanoseconds too, which the stubs do not know
        self._stream = self._client.api.events(since=since, filters=wanted, decode=True)
        self._look(unheard=_STOP)

    def _look(self, *, unheard: str = "") -> None:
        """See what is dead; what was stopped on purpose may be started again still.

        `unheard` is the signal that an exited container may have got before anybody listened.
        """
        for item in list_all(self._client, self._whose, ("container",)):
            if not is_suite(item.labels):
                name = service_of(item)
                left = self._check(item.id, name, item.name, patience=KILLED_GRACE, unheard=unheard)
                self._look_again(item.id, name, item.name, left)

    def _hear(self, event: Mapping[str, Any]) -> None:
        self._since = _after(event["timeNano"])
        at = event["timeNano"] / 1e9 - self._skew
        container, attributes = event["Actor"]["ID"], event["Actor"]["Attributes"]
        item = Owned("container", container, attributes.get("name", container), attributes)
        action, service, name = str(event["Action"]), service_of(item), item.name
        if is_suite(attributes):  # its end is what it is there for
            return
        if action == "start":
            self._signals.pop(container, None)
        elif action == "kill":
            self._signals.setdefault(container, str(attributes.get("signal", "")))
        elif action == "oom":
            reason = "ran out of memory, and was killed for it"
            self._die(container, Death(service, name, How.MEMORY, at, reason, _clock(at)))
        elif action == "health_status: unhealthy":
            self._die(container, self._sick(container, service, name, at))
        elif action == "die":
            self._restarts[container] += container not in self._signals
            self._note_exit(container, int(attributes.get("exitCode", -1)))
            left = self._check(container, service, name, patience=0.0, at=at)
            self._look_again(container, service, name, left)

    def _look_again(self, container: str, service: str, name: str, seconds: float) -> None:
        """See once more, after some seconds (0: never), whether a container has been started again."""
        if seconds:
            again = threading.Timer(seconds, self._after_grace, (container, service, name))
            again.daemon = True
            again.start()

    def _sick(self, container: str, service: str, name: str, at: float) -> Death:
        health = self._client.api.inspect_container(container)["State"].get("Health") or {}
        began = failing_since(health)
        output = str(((health.get("Log") or [{}])[-1]).get("Output") or "").strip()[-_OUTPUT:]
        said = f": {output}" if output else ""
        since = at if began is None else began - self._skew
        return Death(service, name, How.UNHEALTHY, since, f"turned unhealthy{said}", _clock(at), health=output)

    def _check(
        self,
        container: str,
        service: str,
        name: str,
        *,
        patience: float,
        at: float | None = None,
        unheard: str = "",
    ) -> float:
        """Take note of a container that is dead; how long one has whose grace is longer than `patience` seconds."""
        from docker.errors import NotFound

        now = time.time()
        try:
            facts = self._client.api.inspect_container(container)
        except NotFound:
            self._die(container, Death(service, name, How.REMOVED, now, "was removed", _clock(now)))
            return 0.0
        found = verdict(facts, self._restarts[container])
        if found is None:
            return 0.0
        left = grace(facts, self._signals.get(container, unheard))
        if left > patience:
            return left
        how, reason = found
        state = facts["State"]
        ended = moment(state.get("FinishedAt") or "")
        died = now if ended is None else ended - self._skew
        death = Death(service, name, how, died, reason, _clock(at or now), exit_code=state.get("ExitCode"))
        self._die(container, death)
        return 0.0

    def _after_grace(self, container: str, service: str, name: str) -> None:
        with contextlib.suppress(Exception):  # a daemon that does not answer is noticed by the stream
            if not self._closed.is_set():
                self._check(container, service, name, patience=STOPPED_GRACE)

    def _note_exit(self, container: str, code: int) -> None:
        """The exit code of what was killed for memory comes after that."""
        with self._lock:
            known = self._deaths.get(container)
            if known is not None and known.exit_code is None:
                self._deaths[container] = replace(known, exit_code=code)

    def _die(self, container: str, death: Death) -> None:
        with self._lock:
            known = self._deaths.setdefault(container, death)
        if known is death:
            self._explain(container)

    def _explain(self, container: str) -> None:
        """Put the last log lines beside a death, after it was made known: they may take their time."""
        if not container or self._deaths[container].log:
            return
        log = last_lines(self._client, container)
        with self._lock:
            self._deaths[container] = replace(self._deaths[container], log=log)

    def _lost(self, reason: str) -> None:
        now = time.time()
        self._die("", Death("", "", How.UNKNOWN, now - SILENCE, reason, _clock(now)))


def _clock(at: float) -> float:
    """A moment since the epoch by the monotonic clock; the clocks agree well enough over the seconds in question."""
    return time.monotonic() - max(0.0, time.time() - at)


def _after(nanoseconds: int) -> str:
    """The moment after one of an event, as Docker reads it."""
    seconds, rest = divmod(nanoseconds + 1, 10**9)
    return f"{seconds}.{rest:09}"
