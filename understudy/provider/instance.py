"""Instances: what one provider connection of the engine shares - its cancellation and who has started."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

__all__ = ["Board", "Instance", "Instances"]

KEPT = 1024
"""Connections remembered; the engine makes one for each provider resource of each operation."""


class Board:
    """Which containers were started, and which never will be; those who wait are woken at each change."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._started: set[str] = set()
        self._failed: dict[str, str] = {}

    def started(self, name: str) -> None:
        """Say that a container was started."""
        with self._changed:
            self._started.add(name)
            self._failed.pop(name, None)
            self._changed.notify_all()

    def failed(self, name: str, why: str) -> None:
        """Say that a container will not be started in this operation."""
        with self._changed:
            if name not in self._started:
                self._failed[name] = why
            self._changed.notify_all()

    def wake(self) -> None:
        """Let all who wait look again, as after a cancellation."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, seconds: float, names: Iterable[str], stop: threading.Event) -> None:
        """Sleep until one of the containers started or failed, or `stop` was set, at most `seconds`."""
        wanted = frozenset(names)
        with self._changed:
            self._changed.wait_for(
                lambda: stop.is_set() or wanted & self._started or wanted & self._failed.keys(), seconds
            )

    def has_started(self, name: str) -> bool:
        """Whether the container was started in this operation."""
        return name in self._started

    def failure(self, name: str) -> str | None:
        """Why a container will not be started, if that is known."""
        return self._failed.get(name)


class Instance:
    """One connection of the engine. Cancelling it ends its own waiting calls, and nobody else's."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.board = Board()
        self.engine_address = ""
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._daemon = ""
        self._calls: set[threading.Event] = set()
        self._cancelled = False
        self._waiting = 0
        self._failure = ""
        self._quiet_since: float | None = None
        self._channel: grpc.Channel | None = None

    @contextmanager
    def call(self) -> Iterator[threading.Event]:
        """The stop event of one call, set at once when the instance is cancelled already."""
        stop = threading.Event()
        with self._lock:
            self._calls.add(stop)
            if self._cancelled:
                stop.set()
        try:
            yield stop
        finally:
            with self._lock:
                self._calls.discard(stop)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark the calling call as one that only waits for others."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def daemon(self, ask: Callable[[], str]) -> str:
        """The daemon's identity as `ask` gives it, asked once for this connection."""
        with self._asking:
            self._daemon = self._daemon or ask()
            return self._daemon

    def failed(self, why: str) -> None:
        """Remember that something of this operation failed."""
        with self._lock:
            self._failure = self._failure or why

    def stuck(self, seconds: float) -> str:
        """The first failure, once every call of this operation has only waited for `seconds`; else an empty text.

        The engine starts nothing that depends on a resource that failed, so what the calls wait for will not come.
        """
        now = time.monotonic()
        with self._lock:
            if not self._failure or len(self._calls) > self._waiting:
                self._quiet_since = None
                return ""
            self._quiet_since = self._quiet_since or now
            return self._failure if now - self._quiet_since >= seconds else ""

    def cancel(self) -> None:
        """Stop every call of this instance that runs, and those that still come."""
        with self._lock:
            self._cancelled = True
            calls = tuple(self._calls)
        for stop in calls:
            stop.set()
        self.board.wake()

    def log(self, urn: str, message: str) -> None:
        """Show a warning to the user through the engine; one that cannot be told is no reason to fail."""
        with self._lock:
            if self._channel is None and self.engine_address:
                self._channel = grpc.insecure_channel(self.engine_address)
            channel = self._channel
        if channel is None:
            return
        request = engine_pb2.LogRequest(severity=engine_pb2.LogSeverity.WARNING, message=message, urn=urn)
        try:
            engine_pb2_grpc.EngineStub(channel).Log(request, timeout=2)
        except grpc.RpcError:
            return

    def close(self) -> None:
        """Give up the connection to the engine."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


class Instances:
    """The instances by peer. A peer's first call makes one anew: its port may have been another's before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_peer: OrderedDict[str, Instance] = OrderedDict()

    def begin(self, peer: str) -> Instance:
        """A fresh instance for a connection that has just been made."""
        made = Instance(peer)
        with self._lock:
            former = [self._by_peer.pop(peer)] if peer in self._by_peer else []
            self._by_peer[peer] = made
            while len(self._by_peer) > KEPT:
                former.append(self._by_peer.popitem(last=False)[1])
        for instance in former:
            instance.close()
        return made

    def of(self, peer: str) -> Instance:
        """The instance of a connection."""
        with self._lock:
            found = self._by_peer.get(peer)
        return found or self.begin(peer)

    def close(self) -> None:
        """Cancel and close all."""
        with self._lock:
            instances = tuple(self._by_peer.values())
            self._by_peer.clear()
        for instance in instances:
            instance.cancel()
            instance.close()
