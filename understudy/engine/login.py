"""The backend that plain `pulumi` uses here: the variable, else the project's, else the one it is logged in to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from understudy.engine.settings import absolute_backend
from understudy.errors import UsageError

__all__ = ["current_backend"]


def current_backend(environ: Mapping[str, str], project: Path) -> str:
    """The backend's URL, found in the order that the CLI takes (pulumi.com/docs, 'State and backends').

    A relative folder that the project names is taken from the project's own.

    Raises:
        UsageError: none is named anywhere.
    """
    home = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    url = environ.get("PULUMI_BACKEND_URL") or _project_backend(project) or _logged_in(home / "credentials.json")
    if not url:
        raise UsageError(
            "Looked for the backend that `pulumi` uses, and none is named.",
            hint='Run `eval "$(understudy env)"`, or `pulumi login`, or set PULUMI_BACKEND_URL.',
        )
    return url


def _project_backend(project: Path) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError):
        return ""
    backend = data.get("backend") if isinstance(data, dict) else None
    return absolute_backend(str(backend.get("url") or ""), project) if isinstance(backend, dict) else ""


def _logged_in(credentials: Path) -> str:
    try:
        data = json.loads(credentials.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(data.get("current") or "") if isinstance(data, dict) else ""
