"""The Compose CLI that tests and benchmark compare with: the pinned one, built with Go into the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from machine import ROOT, Problem, cache_folder, run

__all__ = ["VERSION", "ensure", "plugin_path"]

VERSION = "2.40.0"

PACKAGE = "github.com/docker/compose/v2/cmd"
STAMP = "github.com/docker/compose/v2/internal.Version"


def plugin_path() -> Path:
    """Where the pinned Compose CLI plugin lies; DOCKER_CONFIG=<two folders up> makes `docker compose` use it."""
    return cache_folder() / "compose" / f"v{VERSION}" / "cli-plugins" / "docker-compose"


def ensure(say: Callable[[str], None] = lambda _text: None) -> str:
    """Have the pinned Compose CLI at `plugin_path()`; returns what was done.

    Raises:
        Problem: there is no Go, or the build fails.
    """
    plugin = plugin_path()
    if os.access(plugin, os.X_OK):
        return str(plugin)
    go = shutil.which("go")
    if go is None:
        raise Problem(f"Compose {VERSION} is built with Go, and no `go` is on PATH; install Go 1.24 or newer")
    say(f"building Compose {VERSION} with Go into the cache: once, for two or three minutes")
    plugin.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=plugin.parent, prefix=".making-") as scratch:
        made = Path(scratch) / "docker-compose"
        flags = f"-s -w -X {STAMP}=v{VERSION}"
        command = (go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags", flags, "-o", str(made), PACKAGE)
        run(command, limit=1800, folder=ROOT / "tools" / "compose")
        subprocess.run([made, "version"], check=True, capture_output=True, timeout=60)
        made.replace(plugin)
    return f"{plugin} built"


if __name__ == "__main__":  # for `make bench` and the tests, which are told the path
    print(plugin_path())
