"""Plugins end with the CLI that started them, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STARTS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", sys.argv[1], "127.0.0.1:1"], stdout=subprocess.PIPE)
print(child.pid, child.stdout.readline().decode().strip(), flush=True)
time.sleep(300)
"""


def alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("module", ["understudy.provider.executable", "understudy.provider.language_host"])
def test_a_plugin_ends_when_its_cli_was_killed(module: str) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS, module], stdout=subprocess.PIPE, text=True) as cli:
        assert cli.stdout is not None
        pid, port = map(int, cli.stdout.readline().split())
        assert port > 0
        assert alive(pid)
        cli.kill()
    deadline = time.monotonic() + 20
    try:
        while alive(pid):
            assert time.monotonic() < deadline, "it outlived its parent"
            time.sleep(0.05)
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
