"""What a sink is: something that takes a whole run folder, or says why not and whether trying again may help."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from understudy.errors import ExportError
from understudy.export.sinks.budget import Budget
from understudy.redact import Redactor

__all__ = ["Delivery", "Sink", "SinkError", "Stage"]


class Stage(StrEnum):
    """How complete the folder is that is sent."""

    EVIDENCE = "evidence"
    """All but the receipt: the environment is still there, and is destroyed once every sink has this."""

    FINAL = "final"
    """Everything."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is sent: a run folder, how complete it is, and the secrets that a sink must not tell."""

    folder: Path
    stage: Stage
    redactor: Redactor = field(default_factory=Redactor)


class SinkError(ExportError):
    """A sink did not take what it was given. `again`: another try may help; `code`: what the other side calls it."""

    def __init__(self, message: str, *, again: bool = False, code: str = "") -> None:
        super().__init__(message)
        self.again = again
        self.code = code


class Sink(Protocol):
    """Somewhere that evidence is sent to."""

    @property
    def name(self) -> str:
        """What it is called in progress and records; holds no secret and no argument."""

    def check(self) -> str:
        """Look, before anything is provisioned, whether it can be used; a doubt in words, empty without one.

        Raises:
            UsageError: it certainly cannot be used.
        """

    def send(self, delivery: Delivery, budget: Budget) -> None:
        """Bring all of a run folder there. What the same sink took before is not sent again while it is the same.

        Raises:
            SinkError: it could not be brought there within the budget.
        """
