"""The Chromium that tests of the report use: the machine's own, since playwright's is not downloaded."""

from __future__ import annotations

import shutil

__all__ = ["chromium", "missing"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of the first that is on PATH."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def missing() -> str:
    """Why tests in a browser cannot run; empty: they can."""
    return (
        "" if chromium() else f"none of {', '.join(NAMES)} is on PATH; `make setup` installs Debian's chromium as root"
    )
