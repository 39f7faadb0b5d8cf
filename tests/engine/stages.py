"""One environment of a test's own on the real daemon: what the tests of the target work on."""

from __future__ import annotations

import contextlib
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from docker.errors import NotFound
from leases import BACKEND

from understudy.stacks.identity import LABEL, Environment, name, ownership_labels
from understudy.targets.docker import DockerTarget
from understudy.targets.docker_client import client, daemon_identity

BASE = "busybox:1.35"


class Stage:
    """One environment of this test's own, and everything else the test made; all of it is removed at the end."""

    def __init__(self) -> None:
        self.docker = client()
        self.test = uuid.uuid4().hex
        self.target = DockerTarget()
        self.identity = daemon_identity(self.docker)
        not_after = datetime.now(UTC) + timedelta(hours=1)
        self.environment = Environment(f"e{self.test[:10]}", self.identity, "shop", not_after, BACKEND)
        self.id, self.whose = self.environment.id, self.environment.whose

    def labels(self, service: str, **more: str) -> dict[str, str]:
        mine = {"test.understudy": self.test, LABEL + "service": service}
        return ownership_labels(self.environment) | mine | {LABEL + key: value for key, value in more.items()}

    def container(
        self, service: str, *command: str, labels: dict[str, str] | None = None, start: bool = True, **options: Any
    ) -> str:
        made = self.docker.containers.create(
            BASE,
            list(command or ("sleep", "600")),
            name=options.pop("name", name(self.id, service)),
            labels=self.labels(service) if labels is None else labels,
            stop_signal="SIGKILL",
            **options,
        )
        if start:
            made.start()
        return str(made.id)

    def network(self, logical: str, labels: dict[str, str] | None = None) -> str:
        chosen = self.labels(logical) if labels is None else labels
        return str(self.docker.networks.create(name(self.id, logical), labels=chosen, internal=True).id)

    def volume(self, logical: str, labels: dict[str, str] | None = None) -> str:
        chosen = self.labels(logical) if labels is None else labels
        return str(self.docker.volumes.create(name(self.id, logical), labels=chosen).name)

    def kinds(self) -> list[str]:
        return [item.kind for item in self.target.inventory(self.whose)]

    def close(self) -> None:
        mine = {"label": f"test.understudy={self.test}"}
        for container in self.docker.api.containers(all=True, filters=mine):
            with contextlib.suppress(NotFound):
                self.docker.api.remove_container(container["Id"], v=True, force=True)
        for network in self.docker.api.networks(filters=mine):
            self.docker.api.remove_network(network["Id"])
        for volume in self.docker.api.volumes(filters=mine)["Volumes"] or ():
            self.docker.api.remove_volume(volume["Name"])


def wait_until(condition: Any, limit: float = 20.0) -> None:
    done = threading.Event()
    waited = 0.0
    while not condition():
        assert waited < limit, "the condition did not come true"
        done.wait(0.05)
        waited += 0.05
