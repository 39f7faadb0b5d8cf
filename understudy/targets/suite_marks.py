"""What a suite's container is known by on every target: its label, and what its exit code says."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.stacks.identity import LABEL

__all__ = ["SUITE", "exit_code_of", "is_suite"]

SUITE = "suite"
"""The kind, in the label, of what a suite runs in: it stands for nothing of production."""

_SIGNALS = range(129, 160)
"""Exit codes by which a shell, and the init process of a container, say that a signal ended the command."""


def is_suite(labels: Mapping[str, str]) -> bool:
    """Whether labels are those of what a suite runs in."""
    return labels.get(LABEL + "kind") == SUITE


def exit_code_of(code: int) -> int:
    """A container's exit code as a process's, negative for a signal.

    A container does not tell a command that was ended by signal N from one that says 128 + N: both are taken for the
    signal.
    """
    return 128 - code if code in _SIGNALS else code
