"""The connection to Docker: one client a process, a pool sized for parallel work, and one clear error when it fails."""

from __future__ import annotations

import functools
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from understudy.errors import ToolError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.context import Context

__all__ = ["POOL", "client", "connected", "daemon_clock", "daemon_host", "daemon_identity"]

POOL = 64
"""Connections kept to the daemon: as many as operations run at once over all stacks of a process."""

TIMEOUT = 120
"""Seconds for one API call; long waits (readiness, attach) poll instead. Over a socket of this machine a call ends
earlier once the daemon does not even answer a ping (`docker_socket`)."""

DEFAULT_HOST = "unix:///var/run/docker.sock"
"""Where Docker Engine listens unless it is told otherwise (dockerd, --host)."""


def daemon_host() -> str:
    """The URL of the daemon: DOCKER_HOST, else that of the docker CLI's context, else the default socket.

    Raises:
        ToolError: the context is not there.
    """
    context = _context()
    return os.environ.get("DOCKER_HOST") or (str(context.Host) if context else DEFAULT_HOST)


def _context() -> Context | None:
    """The context that the docker CLI takes, in its order; None: DOCKER_HOST overrules it, or it is the default one.

    docker-py takes the default socket where a context is missing, and so another daemon than the docker CLI.

    Raises:
        ToolError: there is no such context, or it cannot be read.
    """
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name() or "default"
    if os.environ.get("DOCKER_HOST") or name == "default":
        return None
    why = "it is not there, or names no host"
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:  # noqa: BLE001 - docker-py raises plain Exception for a file that it cannot read
        context, why = None, str(error)
    if context is None or not context.Host:
        raise ToolError(
            f"Looked for the docker context {name!r}, and {why}.",
            hint="`docker context ls` shows them; DOCKER_CONTEXT, `docker context use` or DOCKER_HOST name the daemon.",
        )
    return context


@functools.lru_cache(maxsize=1)
def client() -> DockerClient:
    """The process's docker.DockerClient, as the environment or the docker CLI's current context names the daemon.

    Raises:
        ToolError: no daemon answers.
    """
    return connected()


def connected() -> DockerClient:
    """A client of its own, of the same daemon, over a new connection.

    Raises:
        ToolError: no daemon answers.
    """
    import docker
    from docker.errors import DockerException

    from understudy.targets.docker_socket import SOCKET, ping, wait_while_it_lives

    context = _context()
    host = daemon_host()
    where = host + (f" (docker context {context.Name!r})" if context else "")
    path = host.removeprefix(SOCKET) if host.startswith(SOCKET) else ""
    try:
        if path:
            ping(path)
        if context is None:
            made = docker.from_env(timeout=TIMEOUT, max_pool_size=POOL)
        else:
            made = docker.DockerClient(
                base_url=context.Host, tls=context.tls_cfg.get("docker", False), timeout=TIMEOUT, max_pool_size=POOL
            )
        if path:
            wait_while_it_lives(made, path, TIMEOUT, POOL)
        made.ping()
    except (DockerException, OSError) as error:
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


def daemon_clock(docker_client: DockerClient) -> datetime:
    """The moment by the clock of the daemon's machine (`SystemTime` of `docker info`, RFC 3339), UTC.

    Raises:
        ToolError: the daemon does not answer, or with no moment.
    """
    from docker.errors import DockerException

    try:
        said = str(docker_client.info()["SystemTime"])
        return datetime.fromisoformat(_microseconds(said)).astimezone(UTC)
    except (DockerException, OSError, KeyError, ValueError) as error:
        raise ToolError(f"Asked the Docker daemon for its clock, and it failed: {error}.") from error


def _microseconds(text: str) -> str:
    """The daemon's nanoseconds are more digits than `datetime` reads."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)
