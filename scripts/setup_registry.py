"""The registry that tests push images to: Debian's docker-registry, unpacked into the cache and not installed.

Installed, it would serve without a password on port 5000 wherever there is an init.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from machine import Problem, cache_folder, can_install, download, run

__all__ = ["command_path", "ensure"]

PACKAGE = "docker-registry"


def command_path() -> Path:
    """Where the registry lies."""
    return cache_folder() / "registry" / PACKAGE


def ensure() -> str:
    """Have the registry at `command_path()`; returns what was done.

    Raises:
        Problem: this is no Debian, or the package cannot be had.
    """
    place = command_path()
    if os.access(place, os.X_OK):
        return str(place)
    if not can_install():
        raise Problem(f"the registry is Debian's package {PACKAGE}; run this as root on Debian")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
        package = download(PACKAGE, Path(scratch))
        run(("dpkg-deb", "--extract", str(package), scratch), limit=60)
        run((f"{scratch}/usr/bin/{PACKAGE}", "--version"), limit=60)
        Path(scratch, "usr/bin", PACKAGE).replace(place)
    return f"{place} unpacked"


if __name__ == "__main__":  # for the tests, which are told the path
    print(command_path())
