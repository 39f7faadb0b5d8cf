"""The reaper that stays, as a process: a daemon that is away is a line, and SIGTERM ends it with 0."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support import UNDERSTUDY

pytestmark = [pytest.mark.docker, pytest.mark.pulumi]


@pytest.mark.parametrize("there", [True, False], ids=["daemon", "no daemon"])
def test_it_goes_on_until_it_is_told_to_end(tmp_path: Path, *, there: bool) -> None:
    away = {} if there else {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    with subprocess.Popen(
        [UNDERSTUDY, "reap", "--every", "1s"],
        cwd=tmp_path,
        env=os.environ | away,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reaper:
        assert reaper.stdout is not None
        lines = [reaper.stdout.readline() for _ in range(2)]
        reaper.send_signal(signal.SIGTERM)
        rest, _ = reaper.communicate(timeout=60)
    assert reaper.returncode == 0
    for line in (*lines, *rest.splitlines()):
        assert (": " in line and "; exit " in line) if there else ("UNKNOWN: Asked Docker" in line and "exit 4" in line)
