"""What lies around after a kill that hit everybody who would have removed it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import wait_for

from understudy import scratch
from understudy.engine.backend import FileBackend
from understudy.engine.interface import StackRef
from understudy.processes import ticks

REF = StackRef("understudy", "e1")

HOLDS = """\
import time
from understudy.suites.private_folder import private_folder
with private_folder() as folder:
    print(folder.path, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_cli_leaves_beside_its_lock_goes_with_the_stack(tmp_path: Path) -> None:
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "understudy" / "e1"
    locks.mkdir(parents=True)
    (locks / "a.json.attrs").write_text("{}")
    (locks / "b.json.18eb9d44bcf5a2af.tmp").write_text("")
    FileBackend(tmp_path).forget(REF)
    assert not locks.exists()


def test_what_a_killed_cli_leaves_of_a_state_half_written_goes_with_its_stack_alone(tmp_path: Path) -> None:
    stacks = tmp_path / ".pulumi" / "stacks" / "understudy"
    stacks.mkdir(parents=True)
    for name in ("e1.json", "e1.json.bak", "e1.json.gz", "e1.json.bak.attrs", "e1.json.e2.json", "e10.json"):
        (stacks / f"{name}.18eba56b7ae56fa8.tmp").write_text("")
    FileBackend(tmp_path).forget(REF)
    left = sorted(path.name for path in stacks.iterdir())
    assert left == ["e1.json.e2.json.18eba56b7ae56fa8.tmp", "e10.json.18eba56b7ae56fa8.tmp"]


def keepers(folder: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdecimal() else []
            if folder.encode() in words:
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at /proc")
def test_the_private_folder_of_a_run_that_was_killed_with_its_keeper_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        folder = run.stdout.readline().strip()
        scratch.sweep()
        assert Path(folder).exists(), "a living run's folder was taken"
        (keeper,) = keepers(folder)
        os.kill(keeper, signal.SIGKILL)
        run.kill()
    wait_for(lambda: keepers(folder) == [], 20, "the keeper's end")
    scratch.sweep()
    assert list(tmp_path.iterdir()) == []


REMOVES = """\
import os, shutil, signal
from understudy.scratch import Scratch
held = Scratch("git")
(held.path / "deep" / "er").mkdir(parents=True)
(held.path / "deep" / "er" / "file").write_text("x")
(held.path / "file").write_text("x")
remove, unlink = os.rmdir, os.unlink
def killed(path, **named):
    if str(path).endswith(os.environ["AT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    (unlink if os.path.isfile(path) else remove)(path)
os.unlink = os.rmdir = killed
shutil._use_fd_functions = False
held.close()
"""


@pytest.mark.parametrize("at", ["/er/file", "/deep", "/file", "/.lock"])
def test_a_folder_whose_process_is_killed_while_it_removes_it_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    env = {**os.environ, "TMPDIR": str(tmp_path), "AT": at}
    done = subprocess.run([sys.executable, "-c", REMOVES], env=env, check=False, timeout=60)
    assert (done.returncode, len(list(tmp_path.iterdir()))) == (-signal.SIGKILL, 1)
    scratch.sweep()
    assert list(tmp_path.iterdir()) == []


MAKING = """\
import os, signal
from understudy.scratch import Scratch
opened, renamed = os.open, os.rename
def killed(path, *given, **named):
    if str(path).endswith(".lock-new") and os.environ["AT"] == "open":
        os.kill(os.getpid(), signal.SIGKILL)
    return opened(path, *given, **named)
def stopped(path, *given):
    os.kill(os.getpid(), signal.SIGKILL)
os.open, os.rename = killed, stopped
Scratch("op")
"""


@pytest.mark.parametrize("at", ["open", "rename"])
def test_a_folder_whose_process_is_killed_before_it_has_its_lock_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    env = {**os.environ, "TMPDIR": str(tmp_path), "AT": at}
    (tmp_path / f"understudy-op-{os.getpid()}-on-its-way").mkdir()
    with subprocess.Popen([sys.executable, "-c", MAKING], env=env) as made:
        wait_for(lambda: ticks(made.pid) == 0, what="its end")
        assert len(list(tmp_path.iterdir())) == 2
        scratch.sweep()
    assert [path.name for path in tmp_path.iterdir()] == [f"understudy-op-{os.getpid()}-on-its-way"]


MAKES = """\
import sys, time
from understudy.scratch import Scratch
from understudy.tidying import tidied
with tidied():
    held = Scratch("git")
    print(held.path, flush=True)
    if sys.argv[1] == "stay":
        time.sleep(600)
print(held.path.exists())
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the watchdog looks at /proc")
def test_the_folders_of_a_command_go_with_it_though_it_is_killed_without_a_lease(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    stayed = [sys.executable, "-c", MAKES, "stay"]
    with subprocess.Popen(stayed, stdout=subprocess.PIPE, text=True, env=env) as command:
        assert command.stdout is not None
        folder = Path(command.stdout.readline().strip())
        assert folder.exists()
        command.kill()
    wait_for(lambda: not folder.exists(), what="the end of its folder")
    wait_for(lambda: not list((tmp_path / "state").glob("understudy/watchdog/*.sock")), what="the watchdog's own end")


def test_the_folders_of_a_command_are_gone_before_nobody_waits_for_its_end_any_more(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", MAKES, "end"], capture_output=True, text=True, env=env, check=True, timeout=60
    )
    assert done.stdout.splitlines()[1] == "False"
    wait_for(lambda: not list((tmp_path / "state").glob("understudy/watchdog/*.sock")), what="the watchdog's own end")
