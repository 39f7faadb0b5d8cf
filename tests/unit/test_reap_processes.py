"""Several reapers at once do everything once and fail at nothing; one that is killed anywhere is healed by the next.

FAULTS_STRIDE says at how many of the places a reaper is killed: 1 is all, before and after each thing it does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRIDE = int(os.environ.get("FAULTS_STRIDE", "9"))
TESTS = Path(__file__).resolve().parent.parent
GONE = ["dead-net", "dead-web", "lost-web", "over1-net", "over1-web", "over2-net", "over2-web"]


def reapers(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(TESTS / "reap_processes.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("count", [2, 5])
def test_reapers_at_once_do_everything_once(tmp_path: Path, count: int) -> None:
    found = reapers(str(tmp_path), "race", str(count))
    assert found["codes"] == [0] * count
    assert found["removals"] == GONE
    assert (found["leases"], found["objects"]) == (["young"], ["young-web"])


def test_whatever_a_killed_reaper_leaves_the_next_one_heals(tmp_path: Path) -> None:
    found = reapers(str(tmp_path), "kill", str(STRIDE))
    assert found["unhealed"] == []
    assert found["killed"] >= 100 // STRIDE
    assert found["last"] == 0
