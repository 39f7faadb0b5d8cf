from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from private_daemon import private_daemon
from support import docker, wait_for

pytestmark = [pytest.mark.private, pytest.mark.images]

OWNER = """\
import sys, time
sys.path.insert(0, sys.argv[1])
from private_daemon import private_daemon
with private_daemon() as daemon:
    daemon.docker("run", "-d", "busybox:1.35", "sleep", "600")
    print(daemon.folder, daemon.process.pid, flush=True)
    time.sleep(600)
"""


def processes_naming(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in words and entry.name != str(os.getpid()):
            found.append(f"{entry.name} {words}")
    return found


def test_it_is_another_daemon_and_keeps_its_data_when_killed() -> None:
    with private_daemon(images=["busybox:1.35"]) as daemon:
        own = daemon.docker("info", "--format", "{{.ID}}")
        assert own != docker("info", "--format", "{{.ID}}")
        box = daemon.docker("run", "-d", "--init", "busybox:1.35", "sleep", "600").strip()
        daemon.kill()
        assert not daemon.answers()
        daemon.start()
        assert daemon.docker("info", "--format", "{{.ID}}") == own
        assert daemon.docker("ps", "-aq", "--no-trunc").split() == [box]
        folder = daemon.folder
    assert processes_naming(str(folder)) == []


def test_nothing_of_it_outlives_a_suite_that_is_killed() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(Path(__file__).resolve().parents[1])], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().split()[0])
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    wait_for(lambda: not folder.exists(), what="the folder to be removed")
    assert list(Path("/sys/fs/cgroup").glob(f"**/{folder.name}")) == []
    wait_for(lambda: processes_naming(str(folder)) == [], 10, "its processes to end")
