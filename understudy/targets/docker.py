"""The Docker target: one daemon, known by its own id, and what it holds of each environment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from understudy.engine.interface import Seen
from understudy.errors import NotFoundError, ProvisionError, ToolError
from understudy.redact import Redactor
from understudy.stacks.identity import LABEL, Whose
from understudy.targets.docker_client import client as shared_client
from understudy.targets.docker_client import connected, daemon_clock, daemon_host, daemon_identity
from understudy.targets.docker_drift import observed
from understudy.targets.docker_evidence import container_facts, log_lines, service_of
from understudy.targets.docker_follower import DockerFollower
from understudy.targets.docker_inventory import KINDS, list_all, list_claimed, list_kind
from understudy.targets.docker_sweep import sweep
from understudy.targets.docker_watch import docker_watch
from understudy.targets.interface import (
    ContainerFacts,
    Follower,
    Observed,
    Owned,
    Receipt,
    Sampler,
    Spare,
    Swept,
    spare_none,
)
from understudy.targets.ownership import is_owned
from understudy.targets.receipts import take_receipt
from understudy.targets.suite_marks import is_suite
from understudy.targets.waiting import wait_all
from understudy.targets.watching import Watch

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["DockerTarget"]

ENDPOINT = LABEL + "endpoint."
"""Begins the label of a relay that names a service, a port, and (as value) the relay's own port for it."""


class DockerTarget:
    """A Docker daemon as a target.

    Args:
        client: of the daemon; the process's own when none is given.
        stop: once set, waiting ends.
        now: the clock for receipts.
    """

    def __init__(
        self,
        client: DockerClient | None = None,
        *,
        stop: threading.Event | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._given = client
        self._stop = stop or threading.Event()
        self._now = now

    @property
    def client(self) -> DockerClient:
        """The daemon's client, connected when it is first needed.

        Raises:
            ToolError: no daemon answers.
        """
        if self._given is None:
            self._given = shared_client()
        return self._given

    def identity(self) -> str:
        """`docker:<daemon id>`, asked of the daemon each time.

        Raises:
            ToolError: it does not answer.
        """
        return daemon_identity(self.client)

    def reach(self) -> None:
        """As `Target.reach`.

        Raises:
            ToolError: the daemon takes no new connection.
        """
        connected().close()

    def inventory(self, whose: Whose | None = None) -> tuple[Owned, ...]:
        """All objects with all ownership labels, of one environment or of all.

        Raises:
            ToolError: a listing failed; nothing is known then.
        """
        return list_all(self.client, whose)

    def claimed(self) -> tuple[Owned, ...]:
        """All objects with any label in our namespace, however it is spelt, whole sets or not.

        Raises:
            ToolError: a listing failed; nothing is known then.
        """
        return list_claimed(self.client)

    def clock(self) -> datetime:
        """The moment by the daemon's own clock, UTC.

        Raises:
            ToolError: it does not answer, or with no moment.
        """
        return daemon_clock(self.client)

    def guests(self, whose: Whose) -> tuple[Owned, ...]:
        """Containers that are not the environment's and have joined one of its networks, by name.

        Raises:
            ToolError: a listing failed.
        """
        joined = [item.id for item in list_all(self.client, whose, ("network",))]
        found = list_kind(self.client, "container", {"network": joined}) if joined else []
        strangers = (item for item in found if not is_owned(item.labels, whose))
        return tuple(sorted(strangers, key=lambda item: item.name))

    def observe(self, whose: Whose, seen: Sequence[Seen]) -> Observed:
        """How its containers run, their limit of processes, what has its labels, and who has joined its networks.

        Raises:
            ToolError: a listing failed.
        """
        return observed(seen, self.containers(whose), self.inventory(whose), self.guests(whose))

    def foresee_look(self) -> None:
        """Nothing is to be got ready."""

    def owed(self, whose: Whose) -> tuple[str, ...]:  # noqa: ARG002 - as the interface has it
        """Nothing: on Docker all that an environment has is an object of its own."""
        return ()

    def give_back(self, whose: Whose) -> None:
        """Nothing is to be done."""

    def sweep(
        self,
        whose: Whose,
        spare: Spare = spare_none,
        seen: Sequence[Owned] | None = None,  # noqa: ARG002 - as the interface has it: to list costs nothing here
    ) -> Swept:
        """Remove all of an environment from this daemon but what `spare` keeps; failures are in the result.

        Raises:
            ToolError: the daemon does not say who it is; nothing was removed.
        """
        return sweep(self.client, whose, self.identity(), spare=spare)

    def receipt(self, whose: Whose, expected: str) -> Receipt:
        """Look again, at everything the daemon lists, whatever its filters say."""
        return take_receipt(whose, expected, self.identity, self._listed, self._now)

    def _listed(self, looked: dict[str, int]) -> Iterator[Owned]:
        for kind in KINDS:
            listed = list_kind(self.client, kind)
            looked[kind] = len(listed)
            yield from sorted(listed)

    def _of(self, whose: Whose) -> list[Owned]:
        return list(list_all(self.client, whose, ("container",)))

    def wait_ready(self, whose: Whose, timeout: float, stop: threading.Event | None = None) -> Mapping[str, float]:
        """Wait until every container is ready and every job has exited with 0; service -> seconds waited.

        What suites run in is not waited for.

        Raises:
            ProvisionError: one is dead for good or not ready in time, with its last log lines.
            InterruptedRunError: `stop` was set.
        """
        items = [item for item in self._of(whose) if not is_suite(item.labels)]
        return wait_all(self.client, items, timeout, stop or self._stop)

    def watch(self, whose: Whose) -> AbstractContextManager[Watch]:
        """Eyes on the environment's services for as long as the context lasts."""
        return docker_watch(self.client, whose)

    def endpoints(self, whose: Whose) -> Mapping[str, tuple[str, int]]:
        """`<service>:<port>` -> host and port where tests reach it.

        Raises:
            ProvisionError: a relay publishes no port for an endpoint; it does not run.
        """
        found: dict[str, tuple[str, int]] = {}
        for item in self._of(whose):
            declared = {key: value for key, value in item.labels.items() if key.startswith(ENDPOINT)}
            if not declared:
                continue
            published = self._published(item)
            for key, port in sorted(declared.items()):
                service, _, number = key.removeprefix(ENDPOINT).rpartition(".")
                if port not in published:
                    raise ProvisionError(
                        f"Looked for the endpoint {service}:{number} of environment {whose.environment}, and the relay "
                        f"{item.name} publishes no port for it: it does not run.",
                        hint=f"`understudy logs {whose.environment} {service_of(item)}` says why.",
                    )
                found[f"{service}:{number}"] = published[port]
        return found

    def _published(self, item: Owned) -> dict[str, tuple[str, int]]:
        """Container port -> host and port of its first binding."""
        from docker.errors import DockerException

        try:
            ports = self.client.api.inspect_container(item.id)["NetworkSettings"]["Ports"] or {}
        except (DockerException, OSError) as error:
            raise ToolError(f"Asked for the ports of container {item.name}, and it failed: {error}.") from error
        return {
            port.removesuffix("/tcp"): (_reachable(bindings[0]["HostIp"]), int(bindings[0]["HostPort"]))
            for port, bindings in ports.items()
            if bindings
        }

    def containers(self, whose: Whose) -> tuple[ContainerFacts, ...]:
        """State, health and resource facts of all containers of the environment, dead ones too, by name.

        Raises:
            ToolError: the daemon does not say.
        """
        facts = [container_facts(self.client, item) for item in self._of(whose)]
        return tuple(sorted((fact for fact in facts if fact is not None), key=lambda fact: fact.name))

    def follow(self, whose: Whose, folder: Path, redactor: Redactor, sample: Sampler) -> Follower:
        """Follow every container of the environment, those to come too; their logs go to `folder/<service>.log`.

        Raises:
            ToolError: no daemon answers.
            OSError: the folder cannot be made.
        """
        return DockerFollower(self.client, whose, folder, redactor, sample).start()

    def lines(self, whose: Whose, services: tuple[str, ...], *, follow: bool) -> Iterator[tuple[str, str]]:
        """(service, line) as they come, of the named services (with their replicas) or of all.

        Raises:
            NotFoundError: the environment has no such service.
        """
        items = self._of(whose)
        known = {service_of(item) for item in items}
        for name in services:
            if not any(_is(name, service) for service in known):
                raise NotFoundError(
                    f"Looked for service {name!r} in environment {whose.environment}, and there is none.",
                    hint=f"It has: {', '.join(sorted(known)) or 'no container'}.",
                )
        chosen = [i for i in items if not services or any(_is(name, service_of(i)) for name in services)]
        return log_lines(self.client, tuple(chosen), follow=follow)


def _is(name: str, service: str) -> bool:
    """Whether a logical name is that of a service or of a replica of it (`web`, `web.2`)."""
    head, _, number = service.rpartition(".")
    return service == name or (head == name and number.isdigit())


def _reachable(bound: str) -> str:
    """The address to dial for a port bound at `bound`; a wildcard on a remote daemon is that daemon's host."""
    if bound not in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return bound
    remote = urlsplit(daemon_host())
    return remote.hostname or "127.0.0.1" if remote.scheme in {"tcp", "ssh", "http", "https"} else "127.0.0.1"
