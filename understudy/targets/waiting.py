"""Waiting for an environment: every container at once, jobs for their exit, and the first fatal one ends all."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from understudy.errors import InterruptedRunError, ProvisionError
from understudy.stops import EitherStop
from understudy.targets.docker_evidence import service_of
from understudy.targets.interface import Owned

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["wait_all"]


def wait_all(client: DockerClient, items: list[Owned], timeout: float, stop: threading.Event) -> Mapping[str, float]:
    """Wait until every container is ready and every job has exited with 0; service -> seconds waited.

    Raises:
        ProvisionError: one is dead for good or not ready in time, with its last log lines.
        InterruptedRunError: `stop` was set.
    """
    if not items:
        raise ProvisionError("Waited for an environment to be ready, and it has no container.")
    from understudy.targets.readiness import wait_ready

    ended = EitherStop(stop)
    with ThreadPoolExecutor(len(items), thread_name_prefix="ready") as pool:
        futures = {pool.submit(wait_ready, client, item.id, timeout, ended): service_of(item) for item in items}
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        cause = next((future.exception() for future in done if future.exception() is not None), None)
        ended.set()
    if stop.is_set():
        raise InterruptedRunError("Waiting for the environment was ended before all of it was ready.")
    if cause is not None:
        raise cause
    return {service: future.result() for future, service in futures.items()}
