"""The actionlint that the tests hold action and workflows against: the pinned one, built with Go into the cache."""

from __future__ import annotations

from pathlib import Path

from go_tool import GoTool
from machine import cache_folder

__all__ = ["VERSION", "command_path", "ensure"]

VERSION = "1.7.12"

TOOL = GoTool(
    title=f"actionlint {VERSION}",
    package="github.com/rhysd/actionlint/cmd/actionlint",
    folder="actionlint",
    flags="-s -w",
    asked="-version",
    least="1.25",
    limit=900,
)


def command_path() -> Path:
    """Where the pinned actionlint lies."""
    return cache_folder() / "actionlint" / f"v{VERSION}" / "actionlint"


def ensure() -> str:
    """Have the pinned actionlint at `command_path()`; returns what was done.

    Raises:
        Problem: there is no Go, or the build fails.
    """
    return TOOL.ensure(command_path())


if __name__ == "__main__":  # for the tests, which are told the path
    print(command_path())
