"""A driver of the embedded Docker provider that leaves nothing behind on the daemon."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from leases import BACKEND
from provider_driver import ProviderDriver, connected

from understudy.stacks.identity import LABEL, Environment, ownership_labels

from .suite_stages import stage
from .worlds import world

__all__ = ["Driver", "stage", "world"]

BUSYBOX = "busybox:1.35"


@dataclass
class Driver(ProviderDriver):
    """A connection to the embedded Docker provider, for one environment."""

    environment: Environment
    client: Any

    def labels(self, **extra: str) -> list[dict[str, str]]:
        given = {LABEL + key: value for key, value in extra.items()}
        return [{"label": k, "value": v} for k, v in {**ownership_labels(self.environment), **given}.items()]

    def name(self, logical: str) -> str:
        return f"{self.environment.id}-{logical}"

    def container(self, logical: str, command: list[str], labels: dict[str, str] | None = None, **more: Any) -> dict:
        return {
            "name": self.name(logical),
            "image": BUSYBOX,
            "command": command,
            "labels": self.labels(**(labels or {})),
            **more,
        }

    def exists(self, logical: str) -> bool:
        return bool(self.client.api.containers(all=True, filters={"name": f"^{self.name(logical)}$"}))


def _sweep(client: Any, environment: str) -> None:
    from docker.errors import APIError

    wanted = {"label": f"{LABEL}environment={environment}"}
    for container in client.containers.list(all=True, filters=wanted):
        with contextlib.suppress(APIError):
            container.remove(v=True, force=True)
    for kind in (client.networks, client.volumes):
        for found in kind.list(filters=wanted):
            with contextlib.suppress(APIError):
                found.remove()


@pytest.fixture
def environment() -> Environment:
    from understudy.targets.docker_client import client, daemon_identity

    return Environment(
        id=f"etest{secrets.token_hex(3)}",
        target=daemon_identity(client()),
        project="provider-tests",
        backend=BACKEND,
        not_after=datetime.now(UTC) + timedelta(hours=1),
    )


@pytest.fixture
def provider(environment: Environment) -> Iterator[Any]:
    """A server with its own limits; all that the test's environment made is removed afterwards."""
    from understudy.provider.server import ProviderServer
    from understudy.targets.docker_client import client

    try:
        with ProviderServer() as server:
            yield server
    finally:
        _sweep(client(), environment.id)


@pytest.fixture
def connect(provider: Any, environment: Environment) -> Iterator[Callable[[], Driver]]:
    """Make further connections, each an instance of its own."""
    from understudy.targets.docker_client import client

    with contextlib.ExitStack() as open_ones:
        yield lambda: Driver(open_ones.enter_context(connected(provider.port)), environment, client())


@pytest.fixture
def driver(connect: Callable[[], Driver]) -> Driver:
    return connect()
