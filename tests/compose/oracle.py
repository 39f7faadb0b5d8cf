"""The Compose CLI as the oracle: what it prints of a project, and the schema that it holds documents against."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOME = "/home/dev"
LIMIT = 60
"""Seconds for one answer; it takes 0.1."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What was printed, as data."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@functools.cache
def plugin() -> Path:
    """Where `make setup` puts the pinned CLI; it may not be there."""
    script = ROOT / "scripts" / "setup_compose.py"
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip())


def missing() -> str:
    """Why there is no oracle; empty where there is one."""
    return "" if os.access(plugin(), os.X_OK) else f"no Compose CLI at {plugin()}; `make setup` builds it, with Go"


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """A process's environment with these variables, and no way to any daemon."""
    return {"PATH": os.environ["PATH"], "HOME": HOME, "DOCKER_HOST": "unix:///dev/null", **variables}


def config(
    folder: Path,
    files: Sequence[str],
    *,
    env_files: Iterable[str] = (),
    profiles: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
    form: str = "json",
) -> Answer:
    """`docker compose config` of files in a folder."""
    options = [word for name in files for word in ("-f", name)]
    options += [word for name in env_files for word in ("--env-file", name)]
    options += [word for name in profiles for word in ("--profile", name)]
    done = subprocess.run(
        [plugin(), *options, "config", "--format", form],
        cwd=folder,
        env=environment(variables or {}),
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


@functools.cache
def schema() -> dict[str, Any]:
    """The published JSON schema of the Compose specification, as the CLI has it inside."""
    binary = plugin().read_bytes()
    named = binary.index(b'"$id": "compose_spec.json"')
    begin = binary.rindex(b"{", 0, named)
    text = binary[begin : begin + 1_000_000].decode("utf-8", errors="ignore")
    found, _ = json.JSONDecoder().raw_decode(text)
    assert isinstance(found, dict)
    return found
