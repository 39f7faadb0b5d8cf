"""Which Pulumi CLI: the version that is made where none is there, and the oldest that is taken."""

from __future__ import annotations

__all__ = ["MINIMUM", "PINNED"]

PINNED = "3.200.0"
"""The version that is installed or built when none is at hand, and that the tests run with."""

MINIMUM = "3.200.0"
"""The oldest version that is taken from PATH: the engine's flags and events were checked from here on."""
