"""The published schema of the Compose specification, where Go's module cache has it."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = "schema/compose-spec.json"


@functools.cache
def schema() -> dict[str, Any]:
    """The schema of the compose-go version that tools/compose/go.mod pins, from the Go module cache."""
    try:
        asked = subprocess.run(
            ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/compose-spec/compose-go/v2"],
            cwd=ROOT / "tools" / "compose",
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("no Go, which has the published schema in its module cache")
    if asked.returncode or not asked.stdout.strip():
        pytest.skip("compose-go is not in the Go module cache; `make setup` puts it there")
    found: dict[str, Any] = json.loads((Path(asked.stdout.strip()) / SCHEMA).read_text(encoding="utf-8"))
    return found
