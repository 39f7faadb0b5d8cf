"""The package: what a servicer serves - its kinds of resources, and the rules that are its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from .diff import Difference
from .instance import Instance
from .schema import Table
from .shape import Failure

__all__ = ["Kind", "Package"]

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


class Kind(Protocol[C_contra]):
    """One kind of resource. Inputs and outputs are plain dicts in the published schema's names."""

    @property
    def table(self) -> Table:
        """Its token and properties."""

    def create(self, call: C_contra, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Make it: its id and outputs."""

    def read(
        self, call: C_contra, object_id: str, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Inputs and outputs as they are now; None when it is gone."""

    def update(self, call: C_contra, object_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """Change it in place: its outputs then."""

    def delete(self, call: C_contra, object_id: str, state: Mapping[str, Any]) -> None:
        """Remove it; gone is fine."""


class Package(Protocol[C]):
    """A published Pulumi package as we serve it. `C` is what its kinds are given to work with in one call.

    Attributes:
        title: What a message calls it, as the first words of a sentence.
        otherwise: What a message says to do about what it does not have.
        version: The version of the published package whose schema this is; the SDK asks for it with every resource.
        kinds: What it has.
    """

    title: str
    otherwise: str
    version: str

    @property
    def kinds(self) -> tuple[Kind[C], ...]:
        """The kinds of resources that it has."""

    def check_config(self, config: Mapping[str, Any]) -> tuple[Failure, ...]:
        """What is wrong with the configuration of a provider."""

    def configure(self, instance: Instance, config: Mapping[str, Any]) -> None:
        """Take the configuration for one connection of the engine.

        Raises:
            UnderstudyError: it cannot work so.
        """

    def check(
        self, table: Table, logical: str, seed: bytes, inputs: dict[str, Any], olds: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[Failure, ...]]:
        """The inputs with what the provider adds to them, such as a name, and what is wrong with them."""

    def diff(
        self, instance: Instance, table: Table, old: Mapping[str, Any], state: Mapping[str, Any], new: Mapping[str, Any]
    ) -> tuple[tuple[Difference, ...], bool]:
        """What differs, and whether a successor can come only after its predecessor is gone.

        `old` are the former inputs, `state` the former outputs, `new` the inputs.
        """

    def call(
        self,
        instance: Instance,
        urn: str,
        stop: threading.Event,
        timeout: float,
        abandoned: Callable[[], bool],
    ) -> C:
        """What a call works with that has to end once `stop` is set; `timeout` in seconds, 0: none was given."""
