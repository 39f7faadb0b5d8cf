"""Waiting until ECS calls every service of an environment steady; a job is one that gets steady when it ended well."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from understudy.errors import InterruptedRunError, ProvisionError
from understudy.stacks.identity import Whose
from understudy.targets.aws.evidence import services_of
from understudy.targets.aws.session import AwsSession

__all__ = ["Standing", "service_standing", "wait_ready"]

EVERY = 2.0
"""Seconds between two looks."""

Standing = tuple[bool, str]
"""Whether it is ready, and else why it never will be; `""`: it still may."""


def service_standing(row: Mapping[str, Any]) -> Standing:
    """How an ECS service stands: steady is one deployment that is COMPLETED with as many tasks as are wanted."""
    deployments = row.get("deployments", ())
    first = next((d for d in deployments if d.get("status") == "PRIMARY"), None)
    if row.get("status") != "ACTIVE":
        return False, f"its service is {row.get('status')}"
    if first is not None and first.get("rolloutState") == "FAILED":
        return False, f"its deployment failed: {first.get('rolloutStateReason') or 'ECS says no reason'}"
    steady = first is not None and first.get("rolloutState") == "COMPLETED" and len(deployments) == 1
    return steady and row.get("runningCount") == row.get("desiredCount"), ""


def wait_ready(aws: AwsSession, whose: Whose, timeout: float, stop: threading.Event) -> Mapping[str, float]:
    """Wait for all services, of which a job is one; service -> seconds waited.

    Raises:
        ProvisionError: one will never be ready, or was not in time.
        InterruptedRunError: `stop` was set.
        ToolError: ECS does not answer.
    """
    began = time.monotonic()
    done: dict[str, float] = {}
    while True:
        rows = services_of(aws, whose)
        standings = [
            (str(row["serviceName"]).removeprefix(f"{whose.environment}-"), service_standing(row)) for row in rows
        ]
        if not standings:
            raise ProvisionError(f"Waited for environment {whose.environment} to be ready, and it has no service.")
        for name, (ready, dead) in standings:
            if dead:
                raise ProvisionError(
                    f"Waited for {name} of environment {whose.environment} to be ready, and {dead}.",
                    hint=f"`understudy logs {whose.environment} {name}` shows what it said.",
                )
            if ready:
                done.setdefault(name, time.monotonic() - began)
        late = sorted({name for name, (ready, _) in standings if not ready})
        if not late:
            return done
        if time.monotonic() - began > timeout:
            raise ProvisionError(
                f"Waited {timeout:g} s for environment {whose.environment} to be ready, and {', '.join(late)} is not.",
                hint="ECS's own events of the service say why; a longer --timeout waits longer.",
            )
        if stop.wait(EVERY):
            raise InterruptedRunError("Waiting for the environment was ended before all of it was ready.")
