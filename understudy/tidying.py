"""Temporary folders go with their command, however it ends: what a killed one leaves, the watchdog removes at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy import scratch
from understudy.engine.settings import state_folder
from understudy.watchdog import guarded

__all__ = ["tidied"]


@contextmanager
def tidied() -> Iterator[None]:
    """While entered, the watchdog waits for this process's end and then removes the folders that nobody holds.

    An environment's guard is not enough: folders are made before there is a lease, and are there when it is closed.
    At the end all folders of this process are removed. Where there is no watchdog, the next command removes them.
    """
    state = state_folder(os.environ)
    with suppress(OSError):  # whoever needs it says what is the matter with it
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = str(Path(__file__).resolve().parent.parent)
    variables = {**os.environ, "PYTHONPATH": own}
    with guarded([sys.executable, "-P", "-m", "understudy.scratch"], variables, state=state) as guard:
        try:
            yield
        finally:
            scratch.close_all()
            guard.release()
