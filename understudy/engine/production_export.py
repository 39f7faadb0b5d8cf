"""Production's deployment, read by the user's own Pulumi: one command that only reads, and no secret in plain text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from understudy.engine.errors import EngineError, classify
from understudy.engine.interface import StackRef
from understudy.engine.process import run
from understudy.engine.settings import absolute_backend
from understudy.engine.workdir import work_folder
from understudy.errors import UsageError

__all__ = ["export_production"]

LIMIT = 120.0
"""Seconds for the command; backends may be far."""

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
_STACK = re.compile(rf"(?:(?P<org>{_PART})/)?(?P<project>{_PART})/(?P<name>{_PART})", re.ASCII)

_ALWAYS = {
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_SUPPRESS_COPILOT_LINK": "true",
    "NO_COLOR": "1",
}


def export_production(stack: str, cli: Path, environ: Mapping[str, str] | None = None) -> str:
    """What `pulumi stack export` prints for a stack: JSON, secrets as ciphertext.

    It runs with the caller's environment, and so on the backend and the login that `pulumi` has there; Understudy's
    own backend has no part in it.

    Args:
        stack: `[ORG/]PROJECT/STACK`.
        cli: the Pulumi CLI.
        environ: the environment; None: this process's.

    Raises:
        UsageError: the stack is not named like one.
        EngineError: it could not be read; StackNotFoundError, BackendError and so on where the CLI's text says so.
    """
    found = _STACK.fullmatch(stack)
    if found is None:
        raise UsageError(
            f"Read the stack's name {stack[:200]!r}, and it is not [ORG/]PROJECT/STACK.",
            hint="`pulumi stack ls --all` lists the stacks.",
        )
    given = dict(os.environ if environ is None else environ)
    if backend := given.get("PULUMI_BACKEND_URL"):
        given["PULUMI_BACKEND_URL"] = absolute_backend(backend, Path.cwd())
    name = stack if found["org"] else found["name"]
    verb = "pulumi stack export"
    with work_folder(StackRef(found["project"], found["name"])) as folder:
        done = run(
            [str(cli), "--non-interactive", "--color=never", "stack", "export", "--stack", name],
            env={**given, **_ALWAYS, "TMPDIR": str(folder / "tmp")},
            cwd=folder,
            folder=folder,
            limit=LIMIT,
        )
    if done.overran:
        raise EngineError(
            f"Ran `{verb}` on {stack}, and it did not end within {done.overran:g} s.",
            hint="Check that PULUMI_BACKEND_URL can be reached, then try again.",
            verb=verb,
            stack=stack,
        )
    if done.code != 0:
        raise classify(done.stderr or done.stdout, verb=verb, stack=stack, code=done.code)
    return done.stdout
