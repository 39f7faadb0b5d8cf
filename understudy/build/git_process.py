"""One call of git: no configuration of a repository starts a program, nothing is fetched, nothing is locked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from understudy.errors import ToolError, UsageError

__all__ = ["git_environment", "message_of", "run_git"]

TIMEOUT = 300.0
"""Seconds for one call of git: a checkout of a large tree on a slow disk, not a network operation."""

_HARDENING = (
    "core.hooksPath=/dev/null",  # no code of the repository runs
    "core.fsmonitor=false",  # nor a daemon, nor the hook of that name
    "core.splitIndex=false",  # a split index writes its shared half beside the repository's own index
    "core.untrackedCache=false",
    "core.fileMode=true",
    "core.symlinks=true",
    "core.autocrlf=false",  # the tree of a commit is the same on every machine
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "log.showSignature=false",
    "gc.auto=0",
    "maintenance.auto=false",
)

_KEPT = frozenset(
    f"GIT_{name}"
    for name in (
        *("EXEC_PATH", "CEILING_DIRECTORIES", "DISCOVERY_ACROSS_FILESYSTEM"),
        *("CONFIG_GLOBAL", "CONFIG_SYSTEM", "CONFIG_NOSYSTEM", "CONFIG_COUNT", "CONFIG_PARAMETERS"),
    )
)
"""Of git's own variables, those that say how git is set up here; all others, such as the GIT_DIR and GIT_INDEX_FILE
that a hook gets, would point it at another repository or at other objects, or let it print what nobody asked for."""

_LOCAL = frozenset(
    ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "TEMP", "TMP", "USER", "LOGNAME", "SUDO_UID", "SYSTEMROOT")
)
"""What git reads where it reaches no network: where it and its settings are, and whose a folder may be
(git-config(1), safe.directory). No other: a commit's files are a stranger's, and no secret has to be near them."""

_FIXED = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit is what its hash says
    "GIT_GRAFT_FILE": os.devnull + "/none",
    "GIT_NO_LAZY_FETCH": "1",  # from git 2.39.4
    "GIT_ALLOW_PROTOCOL": "none",  # for an older one: a partial clone's fetch finds no transport
    "GIT_ATTR_NOSYSTEM": "1",
    "LC_ALL": "C",
}


def git_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for git: no prompt, no lock, no pager, no fetch, and no other repository than the one named."""
    kept = {
        key: value
        for key, value in environment.items()
        if not key.startswith("GIT_") or key in _KEPT or key.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }
    return kept | _FIXED


def run_git(
    folder: Path, arguments: Sequence[str], *, variables: Mapping[str, str | None] | None = None, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end, whatever its exit code.

    Args:
        folder: where it runs.
        arguments: without the `git`.
        variables: laid over the environment; None takes one out.
        data: its standard input.

    Raises:
        UsageError: there is no such folder.
        ToolError: git is missing, or did not end in time.
    """
    settings = [part for value in _HARDENING for part in ("-c", value)]
    here = {key: value for key, value in os.environ.items() if key in _LOCAL or key.startswith("GIT_")}
    wanted: Mapping[str, str | None] = git_environment(here) | dict(variables or {})
    try:
        return subprocess.run(
            ["git", "--no-pager", *settings, *arguments],
            cwd=folder,
            env={key: value for key, value in wanted.items() if value is not None},
            input=data,
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
            umask=0o022,  # a clone's containers read these files as users of their own
        )
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise UsageError(f"Ran git in {folder}, and there is no such folder.") from error
        raise ToolError("Ran git, and it is not there.", hint="Install git 2.30 or newer.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"Ran git in {folder}, and it failed: {error}.") from error


def message_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """The first lines of what git said against it, else its exit code."""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return " ".join(line.removeprefix("fatal: ") for line in lines[:3]).rstrip(".") or f"exit {done.returncode}"
