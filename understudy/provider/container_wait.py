"""Waiting around a container: for those that come before it, and for the end of a job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from understudy.errors import ProvisionError
from understudy.targets.readiness import last_lines
from understudy.targets.readiness_plan import fatal

from .docker_errors import GoneError, docker, reason
from .room import Call

__all__ = ["after", "ended", "saved_logs"]

LOOK_EVERY = 0.5
LONGEST_PAUSE = 0.5
QUIET = 1.0
"""Seconds without a call at work after which one that failed is taken as the reason why others do not come."""

LOG_LIMIT = 64 * 1024
"""Bytes of a job's log that are kept in the state; the whole log is exported with the run."""

_NEVER = "0001-01-01"


def after(call: Call, names: tuple[str, ...], limit: float) -> None:
    """Wait until the named containers were started, in this operation or before.

    Raises:
        ProvisionError: one of them failed, or was not started within `limit` seconds.
        CancelledError: the call is to end.
    """
    board, until = call.instance.board, time.monotonic() + limit
    pending = list(names)
    with call.instance.waiting():
        while pending:
            call.check_stop()
            pending = [name for name in pending if not board.has_started(name) and not _was_started(call, name)]
            for name in pending:
                why = board.failure(name) or call.instance.stuck(QUIET)
                if why:
                    raise ProvisionError(f"Did not start, as container {name}, which comes before it, failed: {why}")
            if pending and time.monotonic() >= until:
                raise ProvisionError(
                    f"Did not start, as {', '.join(pending)}, which comes before it, was not started in {limit:g} s."
                )
            if pending:
                board.wait(LOOK_EVERY, pending, call.stop)


def _was_started(call: Call, name: str) -> bool:
    try:
        with docker(f"Reading container {name}"):
            state: Mapping[str, Any] = call.room.docker.api.inspect_container(name)["State"]
    except GoneError:
        return False
    return not str(state.get("StartedAt", _NEVER)).startswith(_NEVER)


def ended(call: Call, object_id: str, limit: float | None) -> None:
    """Wait until a job has ended well.

    Raises:
        ProvisionError: it failed, or did not end within `limit` seconds (None: whatever it takes).
        CancelledError: the call is to end.
    """
    began, pause = time.monotonic(), 0.05
    while True:
        with docker(f"Waiting for the end of container {object_id[:12]}"):
            facts = call.room.docker.api.inspect_container(object_id)
        name = facts["Name"].lstrip("/")
        if facts["State"]["Status"] == "exited" and facts["State"]["ExitCode"] == 0:
            return
        why = fatal(facts, facts.get("RestartCount", 0))
        waited = time.monotonic() - began
        if why is None and limit is not None and waited >= limit:
            why = f"it had not ended after {limit:g} s"
        if why is not None:
            raise ProvisionError(
                f"Waited {waited:.1f} s for job {name} to end with exit code 0, and {why}.\n"
                f"Last log lines of {name}:\n{last_lines(call.room.docker, object_id)}",
                hint="Run its image by hand with the same command and environment.",
            )
        call.check_stop()
        call.stop.wait(pause)
        pause = min(pause * 1.25, LONGEST_PAUSE)


def saved_logs(call: Call, object_id: str) -> str:
    """A container's log, both streams, its last `LOG_LIMIT` bytes; a note in brackets where its driver keeps none.

    Raises:
        ProvisionError: it cannot be read.
    """
    try:
        with docker(f"Reading the log of container {object_id[:12]}"):
            raw = bytes(call.room.docker.api.logs(object_id, stdout=True, stderr=True))
    except ProvisionError as error:
        if "does not support reading" not in str(error):
            raise
        return f"(not readable: {reason(error.__cause__)})"
    return raw[-LOG_LIMIT:].decode("utf-8", "replace")
