"""Evidence from containers: their state as facts, and the lines of their logs with time stamps."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from understudy.errors import ToolError
from understudy.stacks.identity import LABEL
from understudy.targets.interface import ContainerFacts, Owned

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["container_facts", "log_lines", "service_of"]

_HEALTH_OUTPUT = 2000
"""Characters of a health check's last output that are kept."""

_CPU_PERIOD = 100_000
"""Microseconds of a period that is not declared (docker run, --cpu-period)."""


def service_of(item: Owned) -> str:
    """The logical name of a container: its label, or its own name where it has none."""
    return item.labels.get(LABEL + "service") or item.name


def container_facts(client: DockerClient, item: Owned) -> ContainerFacts | None:
    """State, health and resources of a container, without its environment; None when it is gone.

    Raises:
        ToolError: the daemon does not say.
    """
    from docker.errors import DockerException, NotFound

    try:
        seen = client.api.inspect_container(item.id)
    except NotFound:
        return None
    except (DockerException, OSError) as error:
        raise ToolError(f"Asked for the state of container {item.name}, and it failed: {error}.") from error
    state, host = seen["State"], seen["HostConfig"]
    facts = {
        "id": seen["Id"],
        "kind": item.labels.get(LABEL + "kind", ""),
        "state": state["Status"],
        "exit_code": state["ExitCode"],
        "oom_killed": state["OOMKilled"],
        "error": state["Error"],
        "restarts": seen["RestartCount"],
        "health": _health(state.get("Health")),
        "image": seen["Config"]["Image"],
        "image_id": seen["Image"],
        "created": seen["Created"],
        "started": state["StartedAt"],
        "finished": state["FinishedAt"],
        "tty": bool(seen["Config"].get("Tty")),
        "memory_limit": host.get("Memory") or None,
        "cpu_limit": _cpus(host),
        "pids_limit": host.get("PidsLimit") or None,
    }
    return ContainerFacts(item.name, service_of(item), facts)


def _cpus(host: Mapping[str, Any]) -> float | None:
    """Processors that the container may use, declared as a number or as a quota for each period; None: all."""
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or _CPU_PERIOD
    return (host.get("NanoCpus") or 0) / 1e9 or (quota / period if quota > 0 else None)


def _health(health: Mapping[str, Any] | None) -> dict[str, object] | None:
    if not health:
        return None
    last = (health.get("Log") or [{}])[-1]
    return {
        "status": health.get("Status"),
        "failing_streak": health.get("FailingStreak"),
        "last_exit_code": last.get("ExitCode"),
        "last_output": str(last.get("Output") or "")[-_HEALTH_OUTPUT:],
    }


def log_lines(client: DockerClient, items: tuple[Owned, ...], *, follow: bool) -> Iterator[tuple[str, str]]:
    """(service, line with its time stamp) of all containers from their beginning; with `follow` until all have ended.

    Closing the iterator closes the streams.
    """
    lines: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
    streams = []
    for item in items:
        with contextlib.suppress(*_gone()):
            stream = client.api.logs(item.id, stdout=True, stderr=True, timestamps=True, stream=True, follow=follow)
            streams.append(stream)
            threading.Thread(target=_pump, args=(service_of(item), stream, lines), name="follow", daemon=True).start()
    try:
        running = len(streams)
        while running:
            line = lines.get()
            if line is None:
                running -= 1
            else:
                yield line
    finally:
        for stream in streams:
            with contextlib.suppress(Exception):  # a stream that has ended may refuse to be closed
                stream.close()


def _gone() -> tuple[type[Exception], ...]:
    from docker.errors import NotFound

    return (NotFound,)


def _pump(service: str, stream: Iterator[bytes], lines: queue.SimpleQueue[tuple[str, str] | None]) -> None:
    """Cut one container's stream into lines; a stream that breaks ends like one that is done."""
    rest = b""
    try:
        for chunk in stream:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                lines.put((service, line.decode("utf-8", "replace").rstrip("\r")))
    except Exception as error:  # noqa: BLE001 - closing a stream from outside raises whatever the transport likes
        rest = rest or f"(the log ended: {type(error).__name__})".encode()
    finally:
        if rest:
            lines.put((service, rest.decode("utf-8", "replace")))
        lines.put(None)
