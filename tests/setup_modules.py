"""The modules of scripts/ as tests take them, and a machine of a test's own for them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import ROOT


def load(name: str) -> ModuleType:
    """A module of scripts/, found as `python3 scripts/setup.py` finds it."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def own_folders(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Folders for what setup keeps, below one; no Docker host is named."""
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    patch.setenv("XDG_STATE_HOME", str(folder / "state"))
    patch.delenv("DOCKER_HOST", raising=False)
    load("machine").log_file().parent.mkdir(parents=True)
    return folder
