"""The Compose CLI that tests and benchmark compare with: the pinned one, built with Go into the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from go_tool import GoTool
from machine import cache_folder

__all__ = ["VERSION", "ensure", "plugin_path"]

VERSION = "2.40.0"

TOOL = GoTool(
    title=f"Compose {VERSION}",
    package="github.com/docker/compose/v2/cmd",
    folder="compose",
    flags=f"-s -w -X github.com/docker/compose/v2/internal.Version=v{VERSION}",
    asked="version",
    least="1.24",
    limit=1800,
)


def plugin_path() -> Path:
    """Where the pinned Compose CLI plugin lies; DOCKER_CONFIG=<two folders up> makes `docker compose` use it."""
    return cache_folder() / "compose" / f"v{VERSION}" / "cli-plugins" / "docker-compose"


def ensure(say: Callable[[str], None] = lambda _text: None) -> str:
    """Have the pinned Compose CLI at `plugin_path()`; returns what was done.

    Raises:
        Problem: there is no Go, or the build fails.
    """
    told = f"building Compose {VERSION} with Go into the cache: once, for two or three minutes"
    return TOOL.ensure(plugin_path(), lambda: say(told))


if __name__ == "__main__":  # for `make bench` and the tests, which are told the path
    print(plugin_path())
