"""Readiness is probed, not waited for: ports over the network first, then the declared health check by exec."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from understudy.errors import ProvisionError

from .readiness_plan import GIVE_UP, STEADY, HealthProbe, Plan, ReadySpec, Step, fatal
from .readiness_probes import Prober

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["ReadySpec", "StoppedWaitingError", "last_lines", "wait_ready"]

_LOG = logging.getLogger(__name__)

LOOK_EVERY = 0.2
"""Seconds for which what Docker said of a container is taken as true while its ports are tried."""


@dataclass(frozen=True, slots=True)
class _Pace:
    """Pauses between probes: the first and the longest in seconds, and by how much one is longer than the last."""

    first: float
    growth: float
    longest: float


_BY_EXEC = _Pace(0.1, 1.25, 1.0)
"""A pause stays at a fifth of the time waited, as each exec takes processor time from the container."""

_BY_CONNECTION = _Pace(0.02, 1.5, 0.25)
"""A refused connection costs next to nothing."""


class StoppedWaitingError(ProvisionError):
    """The wait was given up because its caller asked for that."""


def wait_ready(
    client: DockerClient,
    container_id: str,
    timeout: float,
    stop: threading.Event | None = None,
    *,
    warn: Callable[[str], None] = _LOG.warning,
) -> float:
    """Wait until a container is ready, and return the seconds that took.

    Ready means that its ports accept a connection from the network and that after that its health check passes;
    with neither, that it runs for a second; for a job, that it has ended with 0. `warn` is told of unused ports.

    Raises:
        ProvisionError: it is dead for good, or not ready within `timeout` seconds; with its last log lines.
        StoppedWaitingError: `stop` was set.
    """
    from docker.errors import DockerException
    from urllib3.exceptions import HTTPError

    try:
        return _Wait(client, container_id, timeout, stop or threading.Event(), warn).until_ready()
    except (DockerException, HTTPError, OSError) as error:  # OSError: also all of requests
        raise ProvisionError(
            f"Waited for container {container_id} to be ready, and Docker did not answer: {error}."
        ) from error


class _Wait:
    """One wait for one container: looks, probes and pauses in turn."""

    def __init__(
        self,
        client: DockerClient,
        container: str,
        timeout: float,
        stop: threading.Event,
        warn: Callable[[str], None],
    ) -> None:
        self._client, self._container, self._timeout = client, container, timeout
        self._stop, self._warn = stop, warn
        self._began = time.monotonic()
        self._prober = Prober(client, container, deadline=self._began + timeout, stop=stop, warn=warn)
        self._facts, self._looked_at = self._inspect(), time.monotonic()
        self._restarts_before = self._restarts()
        self._plan = Plan(ReadySpec.of(self._facts))
        self._started_at, self._seen_since = "", 0.0
        self._last_probe = "none yet"

    def until_ready(self) -> float:
        pause = 0.0
        self._refuse_dead()
        while not self._settled():
            if self._advance():
                pause = 0.0
            if not self._complete():
                self._refuse_late()
                pace = _BY_CONNECTION if self._connects() else _BY_EXEC
                pause = min(pause * pace.growth or pace.first, pace.longest)
                self._stop.wait(min(pause, max(self._left(), 0.01)))
            self._look()
            self._refuse_dead()
        self._name_unused()
        return time.monotonic() - self._began

    def _look(self) -> None:
        """See how the container stands, before the last word on it in any case."""
        if self._complete() or not self._connects() or time.monotonic() - self._looked_at >= LOOK_EVERY:
            self._facts, self._looked_at = self._inspect(), time.monotonic()

    def _inspect(self) -> dict[str, Any]:
        from docker.errors import NotFound

        try:
            return dict(self._client.api.inspect_container(self._container))
        except NotFound as error:
            raise ProvisionError(
                f"Waited for container {self._container} to be ready, and it is not there (any more)."
            ) from error

    def _restarts(self) -> int:
        return int(self._facts.get("RestartCount", 0))

    @property
    def _name(self) -> str:
        return str(self._facts.get("Name", "")).lstrip("/")

    def _left(self) -> float:
        return self._began + self._timeout - time.monotonic()

    def _runs(self) -> bool:
        state = self._facts["State"]
        return bool(state.get("Running") and not state.get("Restarting") and not state.get("Paused"))

    def _probed(self) -> bool:
        """Whether what the plan knows is about the process that runs now; a job's end is all that counts."""
        return not self._plan.spec.job and self._runs() and self._facts["State"]["StartedAt"] == self._started_at

    def _ended_well(self) -> bool:
        state = self._facts["State"]
        return bool(self._plan.spec.job and state.get("Status") == "exited" and state.get("ExitCode") == 0)

    def _complete(self) -> bool:
        """Whether nothing is left to probe, and without anything to probe it has run long enough."""
        return self._probed() and self._plan.next() is Step.DONE and (self._plan.spec.probes or self._age() >= STEADY)

    def _age(self) -> float:
        """Seconds since the last start: as this machine's clock and the daemon's say, or as we have seen it run."""
        started = datetime.fromisoformat(self._started_at)
        return max(time.time() - started.timestamp(), time.monotonic() - self._seen_since)

    def _settled(self) -> bool:
        return self._ended_well() or self._complete()

    def _connects(self) -> bool:
        """Whether ports are waited for that can be tried from here."""
        waits = self._runs() and self._plan.next() is Step.PORTS
        return waits and bool(self._prober.addresses(self._facts))

    def _advance(self) -> bool:
        """Probe once what the plan asks for; whether that brought the plan on."""
        if self._plan.spec.job or not self._runs():
            return False
        if self._facts["State"]["StartedAt"] != self._started_at:
            self._started_at, self._seen_since = self._facts["State"]["StartedAt"], time.monotonic()
            self._plan.restarted()
        step, pending = self._plan.next(), self._plan.pending
        if step is not Step.DONE:
            with nullcontext(enter_result=True) if self._connects() else self._prober.slot() as granted:
                if granted:
                    self._probe(step)
        return self._plan.pending != pending

    def _probe(self, step: Step) -> None:
        plan, check = self._plan, self._plan.spec.check
        if step is Step.PORTS:
            accepting, now = self._prober.accepting(plan.pending, self._facts), time.monotonic()
            if plan.open and plan.completes(accepting, now):
                plan.recheck(self._prober.accepting(tuple(sorted(plan.open)), self._facts))
            plan.saw_ports(accepting, now)
            self._last_probe = f"ports that accept: {', '.join(map(str, sorted(plan.open))) or 'none'}"
        elif check is not None:
            code, output = self._prober.run(check.argv, check.timeout)
            plan.saw_check(passed=code == 0, now=time.monotonic())
            self._last_probe = self._told(check, code, output)

    def _told(self, check: HealthProbe, code: int | None, output: str) -> str:
        """What a run of the health check came to; one that only the end of the wait cut off says nothing new."""
        command = f"health check `{check.argv[0]} ...`"  # secrets may stand among its arguments
        if code is not None:
            return f"{command}: exit code {code} {output.strip()[-500:]}".rstrip()
        if not self._prober.over():
            return f"{command}: did not end within {check.timeout:g} s"
        return self._last_probe if command in self._last_probe else f"{command}: still running"

    def _refuse_dead(self) -> None:
        why = None if self._ended_well() else fatal(self._facts, self._restarts() - self._restarts_before)
        if why is not None:
            raise self._failure(why)

    def _refuse_late(self) -> None:
        if self._stop.is_set():
            raise StoppedWaitingError(f"Stopped waiting for container {self._name}: {self._plan.waiting_for()}.")
        if self._left() <= 0:
            raise self._failure(f"it was not within {self._timeout:g} s")

    def _name_unused(self) -> None:
        if self._plan.unused:
            ports = ", ".join(str(port) for port in self._plan.unused)
            self._warn(
                f"{self._name}: the image exposes {ports}, where nothing listened {GIVE_UP:g} s after the service "
                "was up; taken as unused. Declare the ports that are used with `expose` to have them waited for."
            )

    def _failure(self, why: str) -> ProvisionError:
        plan, status = self._plan, self._facts["State"].get("Status")
        return ProvisionError(
            f"Waited {time.monotonic() - self._began:.1f} s for container {self._name} to be ready, and {why}.\n"
            f"Waited for: {plan.waiting_for()}. State: {status}, {self._restarts()} restarts. "
            f"Last probe: {self._last_probe}.\n"
            f"Last log lines of {self._name}:\n{last_lines(self._client, self._container)}",
            hint=(
                "The image exposes these ports and the service declares none: declare those it uses with `expose`, "
                "or a `healthcheck` that says when it is up."
                if plan.spec.exposed and plan.pending and self._runs()
                else "Run the image by hand with the same command and environment; raise the time-out if it is slow."
            ),
        )


def last_lines(client: DockerClient, container_id: str, count: int = 20) -> str:
    """The last lines of a container's log, both streams; a note in brackets where they cannot be read."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        raw = client.api.logs(container_id, stdout=True, stderr=True, tail=count)
    except (DockerException, RequestException) as error:
        return f"(could not be read: {error})"
    return bytes(raw).decode("utf-8", "replace").rstrip() or "(empty)"
