"""Scripts that run alone: by our own interpreter, with its standard library and no environment of this process's."""

from __future__ import annotations

import os
import sys

__all__ = ["command", "environment"]


def command(script: str, *arguments: object) -> tuple[str, ...]:
    """The argument vector for one of our files: `-I` and `-S` keep out what the user's folders and packages hold."""
    return (sys.executable, "-I", "-S", script, *map(str, arguments))


def environment() -> dict[str, str]:
    """The whole environment of such a script: what its interpreter may need to find its own libraries (ld.so(8))."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
