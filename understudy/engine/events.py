"""Progress as typed events: what the engine did, when, to what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Diagnostic",
    "EngineEvent",
    "Listener",
    "Op",
    "ResourceDone",
    "ResourceFailed",
    "ResourceStarted",
    "Summary",
]


class Op(StrEnum):
    """What a step does to a resource; the engine's own words."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    CREATE_REPLACEMENT = "create-replacement"
    DELETE_REPLACED = "delete-replaced"
    DELETE = "delete"
    READ = "read"
    REFRESH = "refresh"
    SAME = "same"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ResourceStarted:
    """A step began. `at` is seconds since the epoch (time.time) when the event was read."""

    at: float
    urn: str
    type: str
    op: Op

    @property
    def name(self) -> str:
        """The logical name: the last part of the URN."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True, slots=True)
class ResourceDone(ResourceStarted):
    """A step ended well. `outputs` are the new outputs, secrets as the text `[secret]`."""

    outputs: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceFailed(ResourceStarted):
    """A step failed; the reason comes as a Diagnostic of the same URN."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message of the engine, a provider or the program. Severity: info, warning, error."""

    at: float
    severity: str
    message: str
    urn: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of an operation: steps by op, and seconds."""

    at: float
    changes: dict[str, int]
    seconds: float


EngineEvent = ResourceStarted | ResourceDone | ResourceFailed | Diagnostic | Summary
Listener = Callable[[EngineEvent], None]
