"""The environment of `make test-aws-e2e`: ministack, which pins a botocore of its own, away from that of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import setup_venv
from machine import ROOT, Problem

__all__ = ["ensure", "python"]

PINS = "tests/aws/e2e/requirements.txt"


def python(root: Path = ROOT) -> Path:
    """The interpreter that has ministack."""
    return root / ".venv-aws-e2e" / "bin" / "python"


def ensure(root: Path = ROOT) -> str:
    """Make `root/.venv-aws-e2e` what the pins say; returns what was done.

    Raises:
        Problem: Python is too old, or a package cannot be installed.
    """
    return setup_venv.ensure(root, venv=python(root).parents[1], pins=(PINS,), requirements=PINS)


def main() -> int:
    """Make it, and print its interpreter."""
    try:
        ensure()
    except Problem as problem:
        print(f"setup: ministack: {problem}", file=sys.stderr)
        return 1
    print(python())
    return 0


if __name__ == "__main__":  # for `make test-aws-e2e`, which hands it to the tests
    sys.exit(main())
