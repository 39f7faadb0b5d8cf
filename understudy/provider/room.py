"""The room in which calls work: one Docker client, its limits, and what one call may do there."""

from __future__ import annotations

import functools
import ipaddress
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from understudy.errors import ProvisionError
from understudy.stacks.identity import LABEL, OWNERSHIP, Whose
from understudy.targets.docker_client import client, daemon_identity
from understudy.targets.ownership import BACKEND, CLASH, ENVIRONMENT, other_backend

from .check import labels_of
from .instance import Instance
from .settings import ProviderSettings

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Call", "CancelledError", "Room"]

PULLS = 4
"""Images pulled at once; a pull waits for a registry and not for the daemon, so it takes no place of an operation."""

TARGET = LABEL + "target"
NOT_AFTER = LABEL + "not-after"


class CancelledError(ProvisionError):
    """The engine cancelled the operation, or is gone."""


@contextmanager
def _place(places: threading.Semaphore, stop: threading.Event) -> Iterator[None]:
    while not places.acquire(timeout=0.1):
        if stop.is_set():
            raise CancelledError("Cancelled before it began.")
    try:
        yield
    finally:
        places.release()


class Room:
    """What all calls of one server share. Docker is asked for only when the first call needs it."""

    def __init__(
        self, settings: ProviderSettings, docker_client: DockerClient | None = None, identity: str | None = None
    ) -> None:
        self.settings = settings
        self._given = docker_client
        self._known = identity
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self._pulls = threading.BoundedSemaphore(PULLS)
        self.reserved: set[ipaddress.IPv4Network] = set()
        self.reserving = threading.Lock()

    @functools.cached_property
    def docker(self) -> DockerClient:
        """The Docker client.

        Raises:
            ToolError: no daemon answers.
        """
        return self._given or client()

    @functools.cached_property
    def identity(self) -> str:
        """The daemon's own identity, as it was given or else asked for once; one process speaks to one daemon.

        Raises:
            ToolError: the daemon does not say.
        """
        return self._known or self.ask_identity()

    def ask_identity(self) -> str:
        """The daemon's own identity, asked for now.

        Raises:
            ToolError: the daemon does not say.
        """
        return daemon_identity(self.docker)

    def slot(self, stop: threading.Event) -> AbstractContextManager[None]:
        """A place among the Docker operations that run at once.

        Raises:
            CancelledError: `stop` was set before one was free.
        """
        return _place(self._slots, stop)

    def pulling(self, stop: threading.Event) -> AbstractContextManager[None]:
        """A place among the images that are pulled at once.

        Raises:
            CancelledError: `stop` was set before one was free.
        """
        return _place(self._pulls, stop)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the engine: what it works with, and what ends it early."""

    room: Room
    instance: Instance
    urn: str
    stop: threading.Event
    timeout: float = 0.0
    abandoned: Callable[[], bool] = lambda: False
    """Whether nobody is there any more to record what this call makes."""

    def check_stop(self) -> None:
        """Raise CancelledError once the call is to end."""
        if self.stop.is_set():
            raise CancelledError("Cancelled by the engine.")

    def warn(self, message: str) -> None:
        """Show a warning to the user."""
        self.instance.log(self.urn, message)

    def refuse_foreign_target(self, values: Mapping[str, Any], verb: str, *, afresh: bool = False) -> None:
        """Hold that the object of these inputs or outputs belongs to the daemon that we speak to.

        `afresh`: the daemon is asked again, once for each connection of the engine. What is not found on another
        daemon would count as gone.

        Raises:
            ProvisionError: it belongs to another one; nothing is touched then.
        """
        target = labels_of(values).get(TARGET)
        here = self.instance.daemon(self.room.ask_identity) if afresh else self.room.identity
        if target != here:
            raise ProvisionError(
                f"{verb.capitalize()} {values.get('name')!r} was not tried: its label {TARGET} is {target!r}, and this "
                f"daemon is {here!r}.",
                hint="Set DOCKER_HOST (or the docker context) to the daemon that the environment belongs to.",
            )

    def is_ours(self, found: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
        """Whether labels that Docker shows now carry the very ownership that the inputs or outputs declare.

        The cap `not-after` has to be there, but may differ: an interrupted operation may have had an earlier one.
        """
        labels, declared = found or {}, labels_of(values)
        same = all(declared.get(key) and labels.get(key) == declared[key] for key in OWNERSHIP if key != NOT_AFTER)
        return same and NOT_AFTER in labels

    def taken(
        self, found: Mapping[str, Any] | None, values: Mapping[str, Any], message: str, hint: str
    ) -> ProvisionError:
        """The error where somebody else has the name: `message` and `hint`, or which other backend's object it is."""
        declared = labels_of(values)
        environment = declared.get(ENVIRONMENT, "")
        backend = other_backend(found, Whose(environment, declared.get(BACKEND, "")))
        if not backend:
            return ProvisionError(message, hint=hint)
        return ProvisionError(
            f"{message} Environment {environment} is on this daemon already, made by another backend, {backend}.",
            hint=CLASH,
        )

    def refuse_unowned(self, found: Mapping[str, Any] | None, values: Mapping[str, Any], what: str) -> None:
        """Hold, on labels just read, that an object is the one that was declared before it is removed.

        Raises:
            ProvisionError: it is not; it is left alone.
        """
        if not self.is_ours(found, values):
            raise ProvisionError(
                f"{what} was not removed: its ownership labels are not those of this environment any more.",
                hint="Somebody else made an object of that name. Remove it by hand, or take it out of the state.",
            )
