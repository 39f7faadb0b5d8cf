"""The Chromium that the report's tests open pages in: one that is on PATH, or Debian's."""

from __future__ import annotations

import shutil

from machine import Problem, can_install, install

__all__ = ["NAMES", "ensure"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""As tests/browser.py looks for it."""


def ensure() -> str:
    """Have a Chromium on PATH; returns what was done.

    Raises:
        Problem: there is none, and none can be installed.
    """
    found = _found()
    if found:
        return found
    if not can_install():
        raise Problem("no Chromium is on PATH; install one, or run this as root on Debian")
    install("chromium")
    found = _found()
    if not found:
        raise Problem("Debian's chromium was installed, and it is not on PATH")
    return f"{found} installed"


def _found() -> str:
    return next((path for name in NAMES if (path := shutil.which(name))), "")
