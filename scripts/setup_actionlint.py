"""The actionlint that the tests hold action and workflows against: the pinned one, built with Go into the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from machine import ROOT, Problem, cache_folder, run

__all__ = ["VERSION", "command_path", "ensure"]

VERSION = "1.7.12"

PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"


def command_path() -> Path:
    """Where the pinned actionlint lies."""
    return cache_folder() / "actionlint" / f"v{VERSION}" / "actionlint"


def ensure() -> str:
    """Have the pinned actionlint at `command_path()`; returns what was done.

    Raises:
        Problem: there is no Go, or the build fails.
    """
    command = command_path()
    if os.access(command, os.X_OK):
        return str(command)
    go = shutil.which("go")
    if go is None:
        raise Problem(f"actionlint {VERSION} is built with Go, and no `go` is on PATH; install Go 1.25 or newer")
    command.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=command.parent, prefix=".making-") as scratch:
        made = Path(scratch) / "actionlint"
        build = (go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags", "-s -w", "-o", str(made), PACKAGE)
        run(build, limit=900, folder=ROOT / "tools" / "actionlint")
        subprocess.run([made, "-version"], check=True, capture_output=True, timeout=60)
        made.replace(command)
    return f"{command} built"


if __name__ == "__main__":  # for the tests, which are told the path
    print(command_path())
