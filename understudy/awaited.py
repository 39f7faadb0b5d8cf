"""What of an environment is ready while it is still being made: when each suite may start, and what it waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from understudy.components.names import RELAY
from understudy.components.plan import make_plan
from understudy.engine.events import EngineEvent, Op, ResourceDone
from understudy.stacks.clone import Clone
from understudy.stacks.needs import behind
from understudy.stacks.topology import Suite
from understudy.targets.watching import Death, How, Watch

__all__ = ["Awaited", "OfReady", "Wait"]

_CONTAINER = "docker:index/container:Container"
_MADE = frozenset({Op.CREATE, Op.UPDATE, Op.REPLACE, Op.CREATE_REPLACEMENT, Op.SAME})


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that a suite waited for: a service, a mock or the relay; when it was ready, by `time.monotonic`.

    `seconds` is from the moment on which suites waited for the environment.
    """

    name: str
    ready: float
    seconds: float


class Awaited:
    """What is ready by now. It is the gate that suites start through; any thread may ask and tell.

    Args:
        clone: what is made.
        environment: its id.
        early: a container is ready as soon as the engine has created it, as the embedded provider sees to; else
            nothing counts as ready before all of it is.
        clock: `time.monotonic`.
    """

    def __init__(
        self, clone: Clone, environment: str, *, early: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        plan = make_plan(clone, environment)
        containers = {**plan.containers, **{name: (container,) for name, container in plan.mocks.items()}}
        if plan.routes:
            containers = {RELAY: (plan.relay,), **containers}
        self._relay = (RELAY,) if plan.routes else ()
        self._topology = clone.topology
        self._early, self._clock, self._began = early, clock, clock()
        self._left = {name: set(own) for name, own in containers.items()}
        self._ready = {name: self._began for name, own in containers.items() if not own}
        self._lock = threading.Lock()
        self._complete: float | None = None
        self._failed = ""

    def hear(self, event: EngineEvent) -> None:
        """Take in that the engine has done something."""
        if not self._early or not isinstance(event, ResourceDone) or event.type != _CONTAINER or event.op not in _MADE:
            return
        with self._lock:
            for name, left in self._left.items():
                left.discard(str(event.outputs.get("name")))
                if not left:
                    self._ready.setdefault(name, self._clock())

    def complete(self, waited: Mapping[str, float], since: float) -> None:
        """Take in that all of it is ready: service -> seconds that it was waited for, from `since` on."""
        with self._lock:
            for name in self._left:
                self._ready.setdefault(name, since + waited.get(name, 0.0))
            self._complete = self._clock()

    def fail(self, why: str) -> None:
        """Take in that it will never be ready."""
        self._failed = self._failed or why

    def is_open(self, suite: Suite) -> bool:
        """Whether all that the suite needs is ready; of one that names no needs: whether everything is."""
        with self._lock:
            return self._complete is not None or bool(
                suite.needs and all(name in self._ready for name in self._names(suite))
            )

    def broken(self) -> str:
        """Why the environment will never be there; empty: it may be."""
        return self._failed

    def ready_since(self, name: str) -> float | None:
        """When a service, mock or the relay was ready; None: it is not. Of anything else: when all of it was."""
        with self._lock:
            return self._ready.get(name) if name in self._left else self._complete

    def waits(self, suite: Suite) -> tuple[Wait, ...]:
        """What the suite waited for and has got, in the order in which it was ready."""
        with self._lock:
            found = [
                Wait(n, at, at - self._began) for n in self._names(suite) if (at := self._ready.get(n)) is not None
            ]
        return tuple(sorted(found, key=lambda wait: wait.ready))

    def _names(self, suite: Suite) -> tuple[str, ...]:
        if not suite.needs:
            return tuple(self._left)
        return (*self._relay, *behind(self._topology, suite))


class OfReady:
    """A watch that sees what died after it was ready: before that, it is for the provisioning to say what failed."""

    def __init__(self, watch: Watch, awaited: Awaited) -> None:
        self._watch, self._awaited = watch, awaited

    def deaths(self) -> Sequence[Death]:
        """See Watch."""
        return self._grown(self._watch.deaths())

    def settle(self, seconds: float) -> Sequence[Death]:
        """See Watch."""
        return self._grown(self._watch.settle(seconds))

    def _grown(self, deaths: Sequence[Death]) -> Sequence[Death]:
        return tuple(death for death in deaths if death.how is How.UNKNOWN or self._was_ready(death))

    def _was_ready(self, death: Death) -> bool:
        since = self._awaited.ready_since(death.service)
        return since is not None and since <= death.clock
