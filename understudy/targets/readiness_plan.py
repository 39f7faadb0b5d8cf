"""What ready means for one container, as a state machine without effects: ports first, then its health check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from understudy.stacks.identity import LABEL

__all__ = ["GIVE_UP", "MAX_RESTARTS", "STEADY", "HealthProbe", "Plan", "ReadySpec", "Step", "fatal"]

MAX_RESTARTS = 5
"""Restarts within one wait after which a container counts as dead."""

GIVE_UP = 5.0
"""Seconds after which an exposed port that nobody declared, and that still refuses, is taken as unused."""

STEADY = 1.0
"""Seconds that a container with nothing to probe has to run: one that cannot work mostly ends within them."""

DEFAULT_TIMEOUT = 30.0
"""Seconds that Docker gives a health check that names no timeout (moby 20.10, daemon/health.go)."""

_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class HealthProbe:
    """The declared health check as an argument vector, with the seconds that one run may take."""

    argv: tuple[str, ...]
    timeout: float = DEFAULT_TIMEOUT

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> HealthProbe | None:
        """The check of a container's `Config`, where Docker has merged the image's and the container's own."""
        declared = config.get("Healthcheck") or {}
        test = declared.get("Test") or []
        seconds = (declared.get("Timeout") or 0) / _NANOSECONDS or DEFAULT_TIMEOUT
        match test:
            case ["CMD", *argv] if argv:
                return cls(tuple(argv), seconds)
            case ["CMD-SHELL", *command] if command:
                return cls((*(config.get("Shell") or ("/bin/sh", "-c")), " ".join(command)), seconds)
            case _:
                return None


@dataclass(frozen=True, slots=True)
class ReadySpec:
    """What a container has to do to be ready.

    `declared` ports have all to accept. Only where there are none do the `exposed` ones of the image count, as an
    image may expose what this use of it never opens. A job is ready when it has ended with 0.
    """

    declared: tuple[int, ...] = ()
    exposed: tuple[int, ...] = ()
    check: HealthProbe | None = None
    job: bool = False

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> ReadySpec:
        """The specification that `docker inspect` of a container comes to."""
        config = facts.get("Config") or {}
        labels = config.get("Labels") or {}
        declared = tuple(sorted({int(p) for p in labels.get(LABEL + "ports", "").split(",") if p.strip().isdigit()}))
        exposed = tuple(
            sorted(
                {
                    int(port)
                    for port, _, protocol in (e.partition("/") for e in config.get("ExposedPorts") or {})
                    if protocol in {"", "tcp"} and port.isdigit()
                }
            )
        )
        return cls(
            declared=declared,
            exposed=() if declared else exposed,
            check=HealthProbe.of(config),
            job=labels.get(LABEL + "kind") == "job",
        )

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that are probed."""
        return self.declared or self.exposed

    @property
    def probes(self) -> bool:
        """Whether there is anything to probe."""
        return bool(self.ports or self.check)


class Step(Enum):
    """What to do next."""

    PORTS = "ports"
    CHECK = "check"
    DONE = "done"


class Plan:
    """Where one container stands on its way to ready. Told what probes found, it says what to probe next."""

    def __init__(self, spec: ReadySpec) -> None:
        self.spec = spec
        self.restarted()

    def restarted(self) -> None:
        """Forget everything: the process that answered is not the one that runs."""
        self.open: frozenset[int] = frozenset()
        self.unused: tuple[int, ...] = ()
        self._ports_done = not self.spec.ports
        self._passed = False
        self._evidence_at: float | None = None
        self._check_next = False

    @property
    def pending(self) -> tuple[int, ...]:
        """The ports that have not accepted yet and still count."""
        return () if self._ports_done else tuple(p for p in self.spec.ports if p not in self.open)

    def next(self) -> Step:
        """What to probe now."""
        if not self._ports_done:
            return Step.CHECK if self._check_next else Step.PORTS
        return Step.CHECK if self.spec.check and not self._passed else Step.DONE

    def completes(self, accepting: frozenset[int], now: float) -> bool:
        """Whether a pass over the pending ports that found these would be the last: then `recheck` comes first."""
        return accepting >= frozenset(self.pending) or self._has_waited(now)

    def recheck(self, accepting: frozenset[int]) -> None:
        """Forget the ports that were open and are not among those that accept now."""
        self.open &= accepting

    def saw_ports(self, accepting: frozenset[int], now: float) -> None:
        """Take in the pending ports that accepted a connection at `now` (seconds of any steady clock)."""
        self.open |= accepting & frozenset(self.spec.ports)
        if len(self.open) == len(self.spec.ports):
            self._ports_done = True
        elif self.spec.exposed:
            self._weigh(now)

    def _has_waited(self, now: float) -> bool:
        return self._evidence_at is not None and now - self._evidence_at >= GIVE_UP

    def _weigh(self, now: float) -> None:
        """Ports that only the image names: give up on silent ones 5 s after the container showed that it works."""
        if self.spec.check is None:
            self._evidence_at = (now if self._evidence_at is None else self._evidence_at) if self.open else None
        if self._evidence_at is None:
            self._check_next = self.spec.check is not None
        elif self._has_waited(now):
            self.unused = self.pending
            self._ports_done = True

    def saw_check(self, *, passed: bool, now: float) -> None:
        """Take in a run of the health check at `now`; a pass counts as ready only after the ports."""
        self._check_next = False
        if self._ports_done:
            self._passed = passed
        elif passed and self._evidence_at is None:
            self._evidence_at = now

    def waiting_for(self) -> str:
        """What is missing, in words."""
        if self.spec.job:
            return "its end with exit code 0"
        if self.pending:
            ports = ", ".join(str(port) for port in self.pending)
            return f"port{'s' if len(self.pending) > 1 else ''} {ports} to accept a connection"
        if self.next() is Step.CHECK:
            return "its health check to pass"
        return f"it to run for {STEADY:g} s"


def fatal(facts: Mapping[str, Any], restarts: int) -> str | None:
    """Why a container in this state will never be ready, or None while it may be.

    Docker shows `restarting` (and not `exited`) while its restart policy is going to start a container again, so
    an exit that is shown is for good (moby 20.10, daemon/monitor.go). `restarts` counts those within the wait.
    """
    state = facts.get("State") or {}
    code = state.get("ExitCode")
    memory = ", killed because it ran out of memory" if state.get("OOMKilled") else ""
    policy = (facts.get("HostConfig", {}).get("RestartPolicy") or {}).get("Name") or "no"
    if state.get("Status") in {"exited", "dead", "removing"}:
        why = f": {state['Error']}" if state.get("Error") else ""
        return f"it exited with code {code}{memory}{why} (restart policy: {policy})"
    if restarts >= MAX_RESTARTS:
        return f"it restarted {restarts} times, last with exit code {code}{memory} (restart policy: {policy})"
    return None
