"""A suite that runs in the background, or under nohup, starts commands that hear the signals which it sends them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

IN_BACKGROUND = """\
import signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
from faults.lane import hear_signals
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_IGN)
hear_signals()
command = subprocess.Popen(["sleep", "60"], start_new_session=True)
command.send_signal(int(sys.argv[2]))
try:
    print(command.wait(10))
except subprocess.TimeoutExpired:
    command.kill()
    print("ignored")
"""


@pytest.mark.parametrize("number", [1, 2, 15])
def test_what_was_ignored_is_heard_by_a_command(number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_BACKGROUND, str(TESTS), str(number)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{-number}\n"
