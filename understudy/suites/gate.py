"""What the test stage asks of its surroundings: whether a suite may start yet, and whether it ever can."""

from __future__ import annotations

from typing import Protocol

from understudy.stacks.topology import Suite

__all__ = ["Gate", "OpenGate"]


class Gate(Protocol):
    """What suites wait for while the environment is still being made. It is asked every few hundredths of a second."""

    def is_open(self, suite: Suite) -> bool:
        """Whether all that the suite needs is there; returns at once."""

    def broken(self) -> str:
        """Why the environment will never be there, such as a resource that could not be made; empty: it may be."""


class OpenGate:
    """The gate of an environment that is ready."""

    def is_open(self, _suite: Suite) -> bool:
        """Every suite may start."""
        return True

    def broken(self) -> str:
        """Nothing is."""
        return ""
