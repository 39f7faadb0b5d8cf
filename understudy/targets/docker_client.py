"""The connection to Docker: one client a process, a pool sized for parallel work, and one clear error when it fails."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from understudy.errors import ToolError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["POOL", "client", "daemon_identity"]

POOL = 64
"""Connections kept to the daemon: as many as operations run at once over all stacks of a process."""

TIMEOUT = 120
"""Seconds for one API call; long waits (readiness, attach) poll instead."""


@functools.lru_cache(maxsize=1)
def client() -> DockerClient:
    """The process's docker.DockerClient, as the environment or the docker CLI's current context names the daemon.

    Raises:
        ToolError: no daemon answers.
    """
    import docker
    from docker.errors import DockerException

    where = os.environ.get("DOCKER_HOST") or "the default socket"
    try:
        made = docker.from_env(timeout=TIMEOUT, max_pool_size=POOL)
        made.ping()
    except DockerException as error:
        raise ToolError(
            f"Asked Docker at {where} for an answer, and got none: {error}.",
            hint="Start or install Docker Engine, or set DOCKER_HOST to one that runs; `understudy doctor` checks.",
        ) from error
    return made


def daemon_identity(docker_client: DockerClient) -> str:
    """`docker:<id>`: the daemon's own id, stable over restarts.

    Raises:
        ToolError: the daemon does not answer, or has no id.
    """
    from docker.errors import DockerException

    try:
        identity = docker_client.info().get("ID")
    except (DockerException, OSError) as error:
        raise ToolError(f"Asked the Docker daemon for its id, and it failed: {error}.") from error
    if not identity:
        raise ToolError("The Docker daemon reports no id, so environments on it could not be told from others.")
    return f"docker:{identity}"
