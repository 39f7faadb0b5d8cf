"""The fault suite's short form: a kill in each phase and one of each other kind, on Docker Engines of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

pytestmark = [pytest.mark.private, pytest.mark.pulumi, pytest.mark.images]


def test_whatever_ends_a_run_nothing_is_left(tmp_path: Path) -> None:
    # a machine that tests everything at once is busy: limits are stretched, and what is left is left all the same
    short = ("--short", "--lanes", "2", "--patience", "4", "--minutes", "12", "--results", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "faults", *short],
        cwd=ROOT / "tests",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
