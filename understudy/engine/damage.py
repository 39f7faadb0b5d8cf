"""A stack's state file: whether the engine can use it, and if not, what is wrong with it."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

__all__ = ["damage", "examine", "resources"]

VERSIONS = range(1, 4)
"""Versions of a checkpoint that Pulumi 3.200 reads (pkg/resource/stack/checkpoint.go)."""


def examine(path: Path) -> str:
    """What is wrong with a state file that is there, in words that follow 'the state'; `""`: nothing.

    A file that is not there is no damage: the engine knows of no such stack then.
    """
    if path.is_dir():
        return "is a folder where a file belongs"
    if path.is_symlink() and not path.exists():
        return "is a link to nowhere"
    try:
        return damage(_read(path))
    except FileNotFoundError:
        return ""
    except (OSError, EOFError, zlib.error) as error:
        return f"cannot be read ({error})"


def damage(data: bytes) -> str:
    """What is wrong with the content of a state file; `""`: the engine can use it.

    >>> damage(b"")
    'is empty'
    >>> damage(b'{"version": 3, "check')
    'is cut off, or no JSON'
    >>> damage(b'{"version": 99}')
    'is of version 99, which is not known here'
    >>> damage(b'{"version": 3, "checkpoint": {"latest": {"resources": []}}}')
    ''
    """
    if not data:
        return "is empty"
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return "is cut off, or no JSON"
    if said is None or said == {}:
        return "says nothing"
    if not isinstance(said, dict):
        return "is no checkpoint"
    if said.get("version") not in VERSIONS:
        return f"is of version {said.get('version')!r:.40}, which is not known here"
    return "" if _count(said) >= 0 else "is no checkpoint"


def resources(path: Path) -> int | None:
    """How many resources a state file names; None: it says none, or cannot be used."""
    try:
        data = _read(path)
    except (OSError, EOFError, zlib.error):
        return None
    return None if damage(data) else _count(json.loads(data)) or None


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" and data else data


def _count(said: object) -> int:
    """Resources of a checkpoint; 0 before its first update; -1: it is none."""
    checkpoint = said.get("checkpoint") if isinstance(said, dict) else None
    latest = checkpoint.get("latest") if isinstance(checkpoint, dict) else None
    if checkpoint is None or latest is None:
        return 0 if isinstance(said, dict) else -1
    named = latest.get("resources") if isinstance(latest, dict) else 0
    if named is None:
        return 0
    return len(named) if isinstance(named, list) else -1
