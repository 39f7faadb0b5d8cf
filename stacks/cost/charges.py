"""What a resource is charged for, without any price: units by the hour, by use, nothing, or what is not known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["Charge", "Charges", "Declared", "How", "Remark", "World", "choice", "number", "text", "units"]


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource as a stack declares it.

    Attributes:
        type: Pulumi's type token, such as `aws:ecs/service:Service`.
        name: what it is called in an estimate.
        inputs: its inputs in camel case, as a program gives them or a state keeps them.
        ids: what others name it by beside its name: an ARN, an id. A service names its task definition so.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]
    ids: tuple[str, ...] = ()


class How(Enum):
    """How a resource is charged for where no count of units by the hour can be given."""

    USAGE = "usage"
    FREE = "free"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Charge:
    """So many units of the price of that name. `at_most`: it may cost less, and `note` says why."""

    what: str
    price: str
    quantity: float
    at_most: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is charged by use, or not at all, or in a way that is not known from the inputs, and why."""

    how: How
    what: str
    why: str


Charges = Iterator[Charge | Remark]


@dataclass(frozen=True, slots=True)
class World:
    """The other resources of the same stack, for those that name one."""

    resources: Sequence[Declared] = ()
    named: Mapping[str, Declared] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Iterable[Declared], name: Callable[[Declared], Iterable[str]]) -> World:
        """The world of some resources; `name` gives what one is called by others."""
        listed = tuple(resources)
        return cls(listed, {each: resource for resource in listed for each in name(resource) if each})


def number(value: object) -> float | None:
    """A number of inputs, where it is known: a program may give digits as text, and a state every number as float."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    return float(value) if re.fullmatch(r"[0-9]*\.?[0-9]+", str(value).strip()) else None


def text(value: object) -> str:
    """A text of inputs; where it is absent or not known yet, nothing."""
    return value if isinstance(value, str) else ""


def choice(value: object, default: bool) -> bool | None:  # noqa: FBT001 - what stands where nothing is said
    """A switch of inputs, or what it is where nothing is said; None: it is not known yet."""
    if value is None:
        return default
    return value if isinstance(value, bool) else None


def units(value: object, word: str, base: int) -> float | None:
    """An amount that ECS takes in two ways: `256` of which `base` are one, or `.25 vCPU`."""
    if (plain := number(value)) is not None:
        return plain / base
    said = re.fullmatch(rf"([0-9]*\.?[0-9]+)\s*{word}", text(value).strip(), re.IGNORECASE)
    return float(said[1]) if said else None
