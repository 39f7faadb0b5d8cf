"""Whether a container's state is a death for good: pure functions of what Docker says of it, and of who stopped it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from understudy.stacks.identity import LABEL
from understudy.targets.readiness_plan import fatal
from understudy.targets.watching import How

__all__ = ["KILLED_GRACE", "STOPPED_GRACE", "failing_since", "grace", "moment", "verdict"]

KILLED_GRACE = 0.5
"""Seconds that a container which `docker kill` ended has to be started again: Docker itself does not do that."""

STOPPED_GRACE = 10.0
"""Seconds that a container which was stopped or restarted through Docker has, under a policy that restarts."""

_KILL = "9"


def verdict(facts: Mapping[str, Any], restarts: int) -> tuple[How, str] | None:
    """What `docker inspect` of a container and its restarts since the watch began come to; None: it lives.

    A job that has ended with 0 has done its work. An exit is for good as `fatal` says (decision 8).
    """
    state = facts.get("State") or {}
    labels = (facts.get("Config") or {}).get("Labels") or {}
    if labels.get(LABEL + "kind") == "job" and state.get("Status") == "exited" and state.get("ExitCode") == 0:
        return None
    why = fatal(facts, restarts)
    if why is None:
        return None
    return (How.MEMORY if state.get("OOMKilled") else How.EXITED), why.removeprefix("it ")


def grace(facts: Mapping[str, Any], signal: str) -> float:
    """Seconds that an exited container has to be started again before it is dead; `signal`: the first that it got.

    Nobody sent one (empty), or its restart policy starts nothing: none. A stop is someone's purpose, and a restart on
    purpose begins with a stop: by SIGTERM or the image's own stop signal. `docker kill` sends SIGKILL at once.
    """
    policy = ((facts.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"
    if not signal or policy == "no":
        return 0.0
    return KILLED_GRACE if signal == _KILL else STOPPED_GRACE


def failing_since(health: Mapping[str, Any]) -> float | None:
    """When the first of the last health checks in a row that failed began, of those that Docker keeps (five)."""
    since = None
    for check in reversed(health.get("Log") or []):
        if check.get("ExitCode") == 0:
            break
        since = moment(check.get("Start") or "") or since
    return since


def moment(text: str) -> float | None:
    """Seconds since the epoch of a time that Docker wrote; None for its zero time, and for no time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.timestamp() if found.year > 1 else None
