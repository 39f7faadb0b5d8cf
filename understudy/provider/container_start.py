"""Starting a container: again, where another process was faster with a port that Docker had chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.errors import ProvisionError

from .docker_errors import docker, reason
from .room import Call

__all__ = ["start"]

ATTEMPTS = 6
PAUSE = 0.2
"""Seconds before the second attempt; before each further one as much more."""

_TAKEN = ("port is already allocated", "address already in use")
"""What Docker Engine says where a published port is taken: its own bookkeeping, and the kernel (libnetwork)."""


def start(call: Call, object_id: str, inputs: Mapping[str, Any]) -> None:
    """Start a container. Ports that are not given are chosen anew by each attempt.

    Raises:
        ProvisionError: Docker refuses.
        CancelledError: the call is to end.
    """
    for attempt in range(1, ATTEMPTS + 1):
        call.check_stop()
        try:
            with docker(f"Starting container {inputs['name']}"):
                call.room.docker.api.start(object_id)
        except ProvisionError as error:
            if attempt == ATTEMPTS or not _lost_a_port(reason(error.__cause__), inputs):
                raise
            call.stop.wait(PAUSE * attempt)
        else:
            return


def _lost_a_port(said: str, inputs: Mapping[str, Any]) -> bool:
    """Whether a published port was taken, none of which was given: one that was is as good as taken for ever."""
    given = any(port.get("external") for port in inputs.get("ports") or ())
    return not given and any(each in said for each in _TAKEN)
