"""A clone: the topology of one environment, what differs from production, and what it offers to tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .change import Change, Fidelity, worst
from .topology import External, Topology

__all__ = [
    "SECRET_TOKEN",
    "Change",
    "Clone",
    "Endpoint",
    "Fidelity",
    "Mock",
    "once",
    "recorded",
    "secret_token",
    "targeted",
    "worst",
]

SECRET_TOKEN = r"\{\{understudy\.secret\.([A-Za-z_][A-Za-z0-9_]*)\}\}"  # noqa: S105 - a pattern, no secret
"""The pattern of the place that a value made anew takes; the value itself never stands in a topology."""


def secret_token(rule: str) -> str:
    """The text that stands in a clone's environment where the secret of `rule` goes."""
    return "{{understudy.secret." + rule + "}}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What tests reach from outside: a TCP port of a service or a mock. `scheme` is a guess for URLs (http, tcp...)."""

    service: str
    port: int
    scheme: str = "tcp"


@dataclass(frozen=True, slots=True)
class Mock:
    """A stand-in for a third party: it answers on `port` as `host` on all networks. `folder`: WireMock's files.

    `scheme` is what it speaks. One that speaks HTTPS has a certificate of the environment's own authority.
    """

    name: str
    host: str
    port: int
    folder: str
    scheme: Literal["http", "https"] = "http"


@dataclass(frozen=True, slots=True)
class Clone:
    """What is to be provisioned, and every difference from production on the record.

    `open_network`: the profile let the environment reach the outside. `allowed`: the third parties that a closed
    one reaches, through the egress relay. Everything is relative to the tree of the commit.
    """

    topology: Topology
    endpoints: tuple[Endpoint, ...] = ()
    mocks: tuple[Mock, ...] = ()
    changes: tuple[Change, ...] = ()
    open_network: bool = False
    unchanged_builds: Mapping[str, str] = field(default_factory=dict)
    """Service -> production's image, where its build context is the same in production and at the commit."""
    allowed: tuple[External, ...] = ()
    outward: tuple[str, ...] = ()
    """The networks that production leaves open, and a closed clone closes: on them alone the egress relay answers."""
    pinned: Mapping[str, str] = field(default_factory=dict)
    """Service -> the digest (`repository@sha256:...`) or id (`sha256:...`) of the image that it runs, where known."""

    @property
    def speaks_https(self) -> bool:
        """Whether a mock speaks HTTPS, so that the services have to trust the environment's own authority."""
        return any(mock.scheme == "https" for mock in self.mocks)

    @property
    def reaches_out(self) -> bool:
        """Whether anything outside can be reached, so that the services have to trust the public authorities too."""
        return self.open_network or bool(self.allowed)


def recorded(clone: Clone, *changes: Change) -> Clone:
    """The clone with further differences on the record."""
    return replace(clone, changes=clone.changes + changes)


def once(clone: Clone) -> Clone:
    """Record no path twice: production's side of the first Change, the clone's of the last, and every reason."""
    found: dict[str, list[Change]] = {}
    for change in clone.changes:
        found.setdefault(change.path, []).append(change)
    changes = (
        Change(
            path,
            same[0].production,
            same[-1].clone,
            "; ".join(dict.fromkeys(change.reason for change in same)),
            worst(change.fidelity for change in same),
            "; ".join(dict.fromkeys(change.rule for change in same if change.rule)),
        )
        for path, same in found.items()
    )
    return replace(clone, changes=tuple(changes))


def targeted(clone: Clone, changes: Iterable[Change]) -> Clone:
    """The clone with what its target makes differ on the record too; no path stands in it twice."""
    return once(recorded(clone, *changes))
