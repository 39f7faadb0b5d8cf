"""The parent: a plugin ends with the CLI that started it, also when that is killed and can tell nobody."""

from __future__ import annotations

import os
import threading

__all__ = ["wait_beside"]

LOOK_EVERY = 1.0
"""Seconds between two looks at who the parent is."""


def wait_beside(parent: int, done: threading.Event) -> None:
    """Wait until `done` is set, or the process with the id `parent` is not our parent any more."""
    while os.getppid() == parent and not done.wait(LOOK_EVERY):
        pass
