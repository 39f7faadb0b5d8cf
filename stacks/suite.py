"""A suite: one part of the test stage, where it runs, and what it needs of the environment before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .parts import EMPTY
from .where import Where

__all__ = ["Need", "Suite"]


@dataclass(frozen=True, slots=True)
class Need:
    """A service, database or mock that a suite needs, by name; with `port`, that port of it (None: what it declares).

    As text it is what the document says: `db`, or `db:5432`.
    """

    name: str
    port: int | None = None
    where: Where = field(default_factory=Where, compare=False)

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Suite:
    """One part of the test stage. `folder` is relative to the project's; `timeout` is in seconds.

    `python` is the interpreter of a pytest command: on the host, or in the container. With `image` the suite runs in a
    container of it, on the environment's network; `runs_on` says so too. It starts when all of `needs` are ready; with
    none, when everything is. `retries` is how often a failed test is run again, `workers` how many processes it has.
    `inputs` is what its tests read of the commit beside its folder; None: it may be anything in it.
    """

    name: str
    command: tuple[str, ...]
    folder: str = "."
    python: str | None = None
    timeout: float = 600.0
    workers: int | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    image: str | None = None
    runs_on: Literal["host", "network"] = "host"
    needs: tuple[Need, ...] = ()
    retries: int = 0
    inputs: tuple[str, ...] | None = None
    where: Where = field(default_factory=Where, compare=False)
