"""A command of the tests that is built with Go from its pinned module, once, into the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine import ROOT, Problem, run

__all__ = ["GoTool"]


@dataclass(frozen=True)
class GoTool:
    """What is built: `folder` below tools/ has the module, `flags` are the linker's; `asked` makes it say its version.

    `least` is the oldest Go that builds it, `limit` the seconds that it may take.
    """

    title: str
    package: str
    folder: str
    flags: str
    asked: str
    least: str
    limit: float

    def ensure(self, place: Path, say: Callable[[], None] = lambda: None) -> str:
        """Have it at `place`; `say` is called before a build. Returns what was done.

        Raises:
            Problem: there is no Go, or the build fails.
        """
        if os.access(place, os.X_OK):
            return str(place)
        go = shutil.which("go")
        if go is None:
            raise Problem(f"{self.title} is built with Go, and no `go` is on PATH; install Go {self.least} or newer")
        say()
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
            made = Path(scratch) / place.name
            build: Sequence[str] = (go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags", self.flags)
            run((*build, "-o", str(made), self.package), limit=self.limit, folder=ROOT / "tools" / self.folder)
            subprocess.run([made, self.asked], check=True, capture_output=True, timeout=60)
            made.replace(place)
        return f"{place} built"
