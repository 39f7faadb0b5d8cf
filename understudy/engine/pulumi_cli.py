"""The Pulumi CLI: which one is used, and where ours is kept when there is none on PATH."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.engine.versions import MINIMUM, PINNED
from understudy.errors import ToolError

__all__ = ["MINIMUM", "PINNED", "VARIABLE", "PulumiCli", "cache_folder", "ensure", "find"]


VARIABLE = "UNDERSTUDY_PULUMI"
"""The environment variable that names a CLI and overrules the search."""

LIMIT = 20
"""Seconds in which `pulumi version` has to answer; it takes 0.1 s on an idle machine."""


@dataclass(frozen=True, slots=True)
class PulumiCli:
    """A Pulumi CLI: its absolute path, its version without `v`, and where it came from."""

    path: Path
    version: str
    origin: str


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """`$XDG_CACHE_HOME/understudy`, or `~/.cache/understudy` (XDG Base Directory: a relative path is ignored)."""
    named = (os.environ if environ is None else environ).get("XDG_CACHE_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return base / "understudy"


def find(environ: Mapping[str, str] | None = None) -> PulumiCli | None:
    """The CLI to use: the one UNDERSTUDY_PULUMI names, else one of at least 3.200 on PATH, else ours in the cache.

    Raises:
        ToolError: UNDERSTUDY_PULUMI names something that is no Pulumi CLI, or an older one.
    """
    given = os.environ if environ is None else environ
    named = given.get(VARIABLE)
    if named:
        return _named(Path(named).expanduser().absolute())
    on_path = shutil.which("pulumi", path=given.get("PATH", os.defpath))
    if on_path:
        path = Path(on_path).absolute()
        version = _version(path)
        if version is not None and _numbers(version) >= _numbers(MINIMUM):
            return PulumiCli(path, version, "PATH")
    ours = kept(cache_folder(given)) / "bin" / "pulumi"
    return PulumiCli(ours, PINNED, "cache") if os.access(ours, os.X_OK) else None


def kept(cache: Path) -> Path:
    """Where our CLI of the pinned version lies; it appears whole, by a rename, or not at all."""
    return cache / "pulumi" / f"v{PINNED}"


def ensure(progress: Callable[[str], None]) -> PulumiCli:
    """The CLI to use, made if there is none: by the Automation API's installer, else built with Go from a checkout.

    Args:
        progress: Is told in one sentence what is being done; building takes minutes.

    Raises:
        ToolError: there is none and none can be made; the message says what was tried and what to do.
    """
    found = find()
    if found and found.origin != "cache":
        return found
    from understudy.engine import pulumi_install

    if found is None:
        pulumi_install.make(kept(cache_folder()), progress)
        found = find()
    if found is None:
        raise ToolError("A Pulumi CLI was made, and it is not where it was put.", hint=f"Look at {cache_folder()}.")
    pulumi_install.put_language_host(found.path.parent)
    return found


def _named(path: Path) -> PulumiCli:
    version = _version(path)
    if version is None:
        raise ToolError(
            f"{VARIABLE} names {path}, and `{path} version` did not answer with a version.",
            hint=f"Name a Pulumi CLI of {MINIMUM} or newer, or unset {VARIABLE}.",
        )
    if _numbers(version) < _numbers(MINIMUM):
        raise ToolError(
            f"{VARIABLE} names {path}, which is Pulumi {version}; {MINIMUM} is the oldest that works.",
            hint=f"Name a newer one, or unset {VARIABLE}.",
        )
    return PulumiCli(path, version, VARIABLE)


def _version(path: Path) -> str | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return _ask(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=32)
def _ask(path: Path, _changed: int, _size: int) -> str | None:
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        asked = subprocess.run(
            [str(path), "version"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LIMIT,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # A development build says more after the three numbers; only they are compared.
    match = re.match(r"v?(\d+\.\d+\.\d+\S*)", asked.stdout.strip())
    return match[1] if match and asked.returncode == 0 else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.split(r"[^0-9.]", version, maxsplit=1)[0].split("."))


if __name__ == "__main__":  # `make setup`, once the virtual environment is there
    try:
        print(ensure(lambda text: print(f"  {text}", file=sys.stderr, flush=True)).path)  # noqa: T201 - its output is the path
    except ToolError as error:
        sys.exit(str(error))
